package checker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// answers is a container that answers pings as told.
type answers struct {
	Calls
	answer func(nonce []byte) *proof.Signed
	asked  [][]byte
}

func (a *answers) Ping(_ context.Context, _ peer.ID, _ uint64, nonce []byte) ([]byte, time.Duration, error) {
	a.asked = append(a.asked, nonce)
	s := a.answer(nonce)
	if s == nil {
		return nil, 0, context.DeadlineExceeded
	}
	raw, err := proto.Marshal(s)
	return raw, 3 * time.Millisecond, err
}

type chainBook struct{ Book }

func (chainBook) Chain() string { return "demo" }

// Only the container itself, asked now by this checker, is there: what another signed, what
// it signed before, for another checker, epoch or chain is no sign of life.
func TestOnlyAFreshAnswerIsASignOfLife(t *testing.T) {
	k := func(b byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	}
	node := func(k ed25519.PrivateKey) key.Node { return key.Node(k[ed25519.SeedSize:]) }
	container, other, self := k(1), k(2), node(k(3))
	pong := func(chain string, by ed25519.PrivateKey, nonce []byte, epoch uint64, checker key.Node) *proof.Signed {
		s, err := proof.Sign(chain, by, &proof.Statement{Says: &proof.Statement_Pong{Pong: &proof.Pong{Nonce: nonce, Epoch: epoch, Checker: checker[:]}}})
		if err != nil {
			t.Fatal(err)
		}
		return s.Signed
	}
	for name, c := range map[string]struct {
		answer func(nonce []byte) *proof.Signed
		there  bool
	}{
		"its own":            {func(n []byte) *proof.Signed { return pong("demo", container, n, 7, self) }, true},
		"silence":            {func([]byte) *proof.Signed { return nil }, false},
		"another's":          {func(n []byte) *proof.Signed { return pong("demo", other, n, 7, self) }, false},
		"an old one":         {func([]byte) *proof.Signed { return pong("demo", container, make([]byte, 32), 7, self) }, false},
		"to another checker": {func(n []byte) *proof.Signed { return pong("demo", container, n, 7, node(other)) }, false},
		"of another epoch":   {func(n []byte) *proof.Signed { return pong("demo", container, n, 6, self) }, false},
		"of another chain":   {func(n []byte) *proof.Signed { return pong("else", container, n, 7, self) }, false},
		"another statement":  {func([]byte) *proof.Signed { return nonceOf(t, container) }, false},
	} {
		a := &answers{answer: c.answer}
		r := &Rounds{o: RoundOptions{Calls: a, Book: chainBook{}}, self: self}
		if _, there := r.ping(t.Context(), node(container), 7); there != c.there {
			t.Errorf("%s: there is %v", name, there)
		}
		if _, _ = r.ping(t.Context(), node(container), 7); len(a.asked) != 2 || bytes.Equal(a.asked[0], a.asked[1]) || len(a.asked[0]) != 32 {
			t.Errorf("%s: nonces %x", name, a.asked)
		}
	}
}

func nonceOf(t *testing.T, by ed25519.PrivateKey) *proof.Signed {
	t.Helper()
	s, err := proof.Sign("demo", by, &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: 7, Nonce: make([]byte, 32)}}})
	if err != nil {
		t.Fatal(err)
	}
	return s.Signed
}

// Who answers from where it does not say that it lives is as good as gone; whom nobody asks
// about is taken as there.
func TestWhoIsElsewhere(t *testing.T) {
	here, there := key.Node(ed25519.NewKeyFromSeed(make([]byte, 32))[32:]), key.Node(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))[32:])
	id, err := there.Peer()
	if err != nil {
		t.Fatal(err)
	}
	r := &Rounds{o: RoundOptions{Elsewhere: func(p peer.ID) bool { return p == id }}}
	if r.elsewhere(here) || !r.elsewhere(there) || (&Rounds{}).elsewhere(there) {
		t.Error("not the one that is elsewhere")
	}
}
