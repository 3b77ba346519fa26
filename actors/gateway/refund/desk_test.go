package refund

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"math"
	"testing"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

const chain = "test"

var (
	name      = [16]byte{1, 2, 3}
	container = key.Node{9}
)

func named(name string) (ed25519.PrivateKey, key.Address) {
	seed := sha256.Sum256([]byte(name))
	k := ed25519.NewKeyFromSeed(seed[:])
	return k, key.Address(k[ed25519.SeedSize:])
}

// book is a ledger with one session.
type book struct {
	session state.Session
	settled bool
	took    [][]byte
	err     error
}

func (b *book) Chain() string { return chain }

func (b *book) Session(_ context.Context, n key.Node, s [16]byte) (state.Session, bool, error) {
	return b.session, !b.settled && n == container && s == name, nil
}

func (b *book) Submit(_ context.Context, raw []byte) ([32]byte, error) {
	if b.err == nil {
		b.took = append(b.took, raw)
	}
	return sha256.Sum256(raw), b.err
}

func open(t testing.TB) (*book, *Desk) {
	t.Helper()
	_, player := named("player")
	b := &book{session: state.Session{Player: player, Phase: state.PhaseOpen, PerSecond: 10, Seconds: 600, Escrow: 6000}}
	d, err := New(b)
	if err != nil {
		t.Fatal(err)
	}
	return b, d
}

// promise is a voucher of somebody's for some seconds of the session.
func promise(by string, seconds uint32) *tx.Voucher {
	k, player := named(by)
	terms := voucher.Terms{Chain: chain, Container: container, Session: name, Player: player, PerSecond: 10, Seconds: 600}
	return voucher.Sign(terms, k, uint64(seconds), seconds).ForTx()
}

func signed(t testing.TB, by, chain string, body *tx.Body) []byte {
	t.Helper()
	k, _ := named(by)
	raw, err := tx.Sign(chain, k, body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func closing(v *tx.Voucher) *tx.Body {
	return &tx.Body{Nonce: 3, Op: &tx.Body_Close{Close: &tx.CloseSession{Container: container[:], Session: name[:], Voucher: v}}}
}

// TestAPlayersCloseGoesToTheLedger as it came; one that is there already needs nothing.
func TestAPlayersCloseGoesToTheLedger(t *testing.T) {
	b, d := open(t)
	for _, v := range []*tx.Voucher{promise("player", 7), nil} {
		raw := signed(t, "player", chain, closing(v))
		if err := d.Take(t.Context(), name, raw); err != nil {
			t.Fatal(err)
		}
		if last := b.took[len(b.took)-1]; !bytes.Equal(last, raw) {
			t.Errorf("the ledger got %x", last)
		}
	}
	b.session.Phase = state.PhaseClosing
	if err := d.Take(t.Context(), name, signed(t, "player", chain, closing(nil))); err != nil || len(b.took) != 2 {
		t.Errorf("once more: %v, %d were sent on", err, len(b.took))
	}
}

// TestNothingElseGoesToTheLedger from strangers.
func TestNothingElseGoesToTheLedger(t *testing.T) {
	_, other := named("other")
	delegated := closing(nil)
	delegated.Account = other[:]
	elsewhere := closing(nil)
	elsewhere.GetClose().Container = bytes.Repeat([]byte{7}, 32)
	forged := closing(promise("player", 7))
	forged.GetClose().Voucher.Paid--
	torn := signed(t, "player", chain, closing(nil))
	torn[len(torn)-1] ^= 1
	for what, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing":                       {nil, ErrForm},
		"rubbish":                       {bytes.Repeat([]byte{0x0a}, 200), ErrForm},
		"too long":                      {make([]byte, MaxTx+1), ErrForm},
		"a transfer":                    {signed(t, "player", chain, &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: other[:], Amount: 1}}}), ErrForm},
		"a top-up":                      {signed(t, "player", chain, &tx.Body{Op: &tx.Body_TopUp{TopUp: &tx.TopUp{Container: container[:], Session: name[:], Seconds: 5}}}), ErrForm},
		"for an account that delegated": {signed(t, "player", chain, delegated), ErrForm},
		"of another session": {signed(t, "player", chain, &tx.Body{Op: &tx.Body_Close{Close: &tx.CloseSession{
			Container: container[:], Session: bytes.Repeat([]byte{7}, 16)}}}), ErrForm},
		"for another network":     {signed(t, "player", "other", closing(nil)), ErrForged},
		"with a broken signature": {torn, ErrForged},
		"by another player":       {signed(t, "other", chain, closing(nil)), ErrForged},
		"with another's voucher":  {signed(t, "player", chain, closing(promise("other", 7))), ErrForged},
		"with a voucher of less":  {signed(t, "player", chain, forged), ErrForged},
		"at another container":    {signed(t, "player", chain, elsewhere), ErrNoSession},
	} {
		b, d := open(t)
		if err := d.Take(t.Context(), name, c.raw); !errors.Is(err, c.want) || len(b.took) != 0 {
			t.Errorf("%s: %v, %d were sent on", what, err, len(b.took))
		}
	}
	b, d := open(t)
	b.settled = true
	if err := d.Take(t.Context(), name, signed(t, "player", chain, closing(nil))); !errors.Is(err, ErrNoSession) {
		t.Errorf("settled: %v", err)
	}
	b.settled, b.err = false, &ledgeractor.Refused{Code: state.ErrNonce.Code, Text: "number 4 next"}
	if err := d.Take(t.Context(), name, signed(t, "player", chain, closing(nil))); !errors.Is(err, state.ErrNonce) {
		t.Errorf("refused by the ledger: %v", err)
	}
}

// TestTheLongestCloseFits, with all numbers as large as they get.
func TestTheLongestCloseFits(t *testing.T) {
	body := closing(&tx.Voucher{Seq: math.MaxUint64, Seconds: math.MaxUint32, Paid: 4_200_000_000_000_000_000, Signature: bytes.Repeat([]byte{1}, 64)})
	body.Nonce, body.ValidUntilMs = math.MaxUint64, math.MaxUint64
	raw := signed(t, "player", chain, body)
	if len(raw) > MaxTx {
		t.Errorf("%d bytes, at most %d are taken", len(raw), MaxTx)
	}
	t.Logf("the longest close has %d bytes", len(raw))
}

// FuzzTake: nothing that is not signed by the player reaches the ledger, whatever it is.
func FuzzTake(f *testing.F) {
	f.Add(signed(f, "player", chain, closing(promise("player", 7))))
	f.Add(signed(f, "player", chain, closing(nil)))
	f.Add(signed(f, "other", chain, closing(nil)))
	f.Add([]byte{0x0a, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, d := open(t)
		err := d.Take(t.Context(), name, raw)
		if (err == nil) != (len(b.took) == 1) {
			t.Fatal(err, len(b.took))
		}
		if err != nil {
			return
		}
		x, err := tx.Decode(raw)
		if err != nil || x.Signer != b.session.Player || x.Body.GetClose() == nil || x.Verify(chain) != nil {
			t.Fatalf("%x, %v", raw, err)
		}
	})
}
