package accuse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// words are certificates that say in a word what they are.
type words struct{}

func (words) Version() string { return "words" }

func (words) Open(_ string, sealed []byte) (*proof.Match, error) {
	if string(sealed) == "unsigned" {
		return nil, proof.ErrSignature
	}
	n := key.Node(generator)
	if string(sealed) == "stranger" {
		n = key.Node(another)
	}
	return &proof.Match{Indexer: n, Choices: []proof.MatchChoice{{Figures: new(proof.MatchFigures)}}}, nil
}

func (w words) Recompute(chain string, sealed []byte) (m *proof.Match, wrong error, err error) {
	m, err = w.Open(chain, sealed)
	if string(sealed) == "alone" {
		wrong = errors.New("it does not recompute")
	}
	return m, wrong, err
}

// Two points of the curve, so that they are peers.
var (
	generator = [32]byte{0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}
	another   = [32]byte{0xc9, 0xa3, 0xf8, 0x6a, 0xae, 0x46, 0x5f, 0xe, 0x56, 0x51, 0x38, 0x64, 0x51, 0xf, 0x39, 0x97, 0x56, 0x1f, 0xa2, 0xc9, 0xe8, 0x5e, 0xa2, 0x1d, 0xc2, 0x29, 0x23, 0x9, 0xf3, 0xcd, 0x60, 0x22}
)

// fake is a ledger, and all others that an Accuser meets.
type fake struct {
	mu     sync.Mutex
	height uint64
	bell   chan struct{}
	cured  bool  // what convicted a moment ago does not any more
	send   error // of Report
	done   chan string
	opened chan struct{} // when somebody waits for a block
}

func newFake() *fake {
	return &fake{bell: make(chan struct{}), done: make(chan string, 16), opened: make(chan struct{}, 64)}
}

func (f *fake) Judge(_ context.Context, sealed []byte) (*tx.FraudProof, proof.Conviction, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if string(sealed) == "honest" || f.cured {
		f.done <- "judged"
		return nil, proof.Conviction{}, proof.ErrInnocent
	}
	return proof.MatchFraud(key.Node(generator), 0, sealed), proof.Conviction{Guilty: key.Node(generator)}, nil
}

func (f *fake) Drawable(_ context.Context, id peer.ID) (bool, error) {
	me, err := key.Node(generator).Peer()
	if id != me {
		f.done <- "stranger"
	}
	return id == me, err
}

func (f *fake) Height() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.height
}

func (f *fake) NextBlock() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened <- struct{}{}
	return f.bell
}

func (f *fake) block() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.height++
	close(f.bell)
	f.bell = make(chan struct{})
}

func (f *fake) Report(_ context.Context, p *tx.FraudProof) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done <- fmt.Sprintf("reported %s at %d", p.GetStatement(), f.height)
	return f.send
}

func start(t *testing.T, f *fake) *Accuser {
	t.Helper()
	a, err := New(Options{Chain: "test", Matcher: words{}, Ledger: f,
		HandOver: func(_ context.Context, sealed []byte) error { f.done <- "handed over " + string(sealed); return nil },
		Keep:     func(p *tx.FraudProof, _ [32]byte) error { f.done <- "kept " + string(p.GetStatement()); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (f *fake) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-f.done:
			if got != w {
				t.Fatalf("%q, want %q", got, w)
			}
		case <-t.Context().Done():
			t.Fatalf("nothing, want %q", w)
		}
	}
}

func TestWhatConvictsAloneIsReportedAtOnce(t *testing.T) {
	f := newFake()
	a := start(t, f)
	for _, word := range []string{"unsigned", "stranger", "honest", "alone"} {
		if !a.Take([]byte(word)) {
			t.Errorf("%s is not taken", word)
		}
	}
	f.expect(t, "stranger", "judged", "reported alone at 0", "kept alone")
	if a.Take([]byte("alone")) || a.Take(nil) || a.Take(make([]byte, tx.MaxMatch+1)) {
		t.Error("it takes what it has, or what is no certificate")
	}
}

func TestWhatTheLedgerSaysIsLookedAtAgain(t *testing.T) {
	f := newFake()
	a := start(t, f)
	a.Take([]byte("by the ledger"))
	for range settleBlocks {
		<-f.opened
		f.block()
	}
	f.expect(t, "reported by the ledger at 8", "kept by the ledger")

	f = newFake() // a node that was behind: once it has the blocks, nothing was wrong
	a = start(t, f)
	a.Take([]byte("by the ledger"))
	<-f.opened
	f.mu.Lock()
	f.cured = true
	f.mu.Unlock()
	f.block()
	for range settleBlocks - 1 {
		<-f.opened
		f.block()
	}
	f.expect(t, "judged")
}

func TestWithoutAnAccountItIsHandedOver(t *testing.T) {
	f := newFake()
	f.send = ErrNoAccount
	a := start(t, f)
	a.Take([]byte("alone"))
	f.expect(t, "reported alone at 0", "kept alone", "handed over alone")

	f.send = ErrSettled
	a.Take([]byte("alone")) // known
	g := newFake()
	g.send = ErrSettled
	b := start(t, g)
	b.Take([]byte("alone"))
	g.expect(t, "reported alone at 0")
	b.Take([]byte("honest"))
	g.expect(t, "judged") // and so the other was not kept
}

func TestStopEndsAWait(t *testing.T) {
	f := newFake()
	a, err := New(Options{Chain: "test", Matcher: words{}, Ledger: f})
	if err != nil {
		t.Fatal(err)
	}
	a.Take([]byte("by the ledger"))
	<-f.opened
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := New(Options{}); !errors.Is(err, ErrOptions) {
		t.Errorf("got %v", err)
	}
}
