package chain

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// bogus is a transaction whose signatures inside are all wrong.
func bogus(t testing.TB, signer int, nonce uint64) []byte {
	t.Helper()
	checker := public(seeded("player", signer))
	two := &tx.DoubleVote{Checker: checker[:], ResultA: make([]byte, 32), ResultB: append([]byte{1}, make([]byte, 31)...),
		SignatureA: make([]byte, 64), SignatureB: make([]byte, 64)}
	raw, err := tx.Sign("test-1", seeded("player", signer), &tx.Body{Nonce: nonce, Op: &tx.Body_DoubleVote{DoubleVote: two}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func codeOf(t testing.TB, c *Chain, raw []byte) uint32 {
	t.Helper()
	var no *Refusal
	if _, err := c.Submit(context.Background(), raw); errors.As(err, &no) {
		return no.Code
	} else if err != nil {
		t.Fatal(err)
	}
	return 0
}

// What a signer cannot pay for is refused before the signatures inside it are looked at; a
// refusal takes neither number nor fee, and who is refused too often waits for a block.
func TestPoolRefusesWhatIsNotPaidForFirst(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 2})
	c := launch(t, n.config(0))
	awaitHeight(t, c, 1)
	const stranger = 99
	if got := codeOf(t, c, bogus(t, stranger, 0)); got != state.ErrFee.Code {
		t.Errorf("who has nothing: code %d", got)
	}
	if got := codeOf(t, c, bogus(t, 0, 5)); got != state.ErrNonce.Code {
		t.Errorf("out of turn: code %d", got)
	}
	if got := codeOf(t, c, bogus(t, 0, 0)); got != state.ErrEvidence.Code {
		t.Errorf("who can pay: code %d", got)
	}
	to := public(n.players[1])
	if got := codeOf(t, c, transfer(t, "test-1", n.players[0], 0, to, 2000*uint64(amount.FRM))); got != state.ErrFunds.Code {
		t.Errorf("more than there is: code %d", got)
	}
	if got := codeOf(t, c, transfer(t, "test-1", n.players[0], 0, to, 1)); got != 0 {
		t.Errorf("the same number again, mended: code %d", got)
	}
}

// One account that can pay one fee cannot make a node try any number of transactions.
func TestPoolBoundsRefusals(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 2})
	c := launch(t, n.config(0))
	awaitHeight(t, c, 1)
	p := &pool{txs: 1, bytes: 1 << 20}
	if err := p.reset(c.app.last.Load().reader); err != nil {
		t.Fatal(err)
	}
	try := func(units uint64) error {
		got, err := tx.Decode(transfer(t, "test-1", n.players[0], 0, public(n.players[1]), units))
		if err != nil {
			t.Fatal(err)
		}
		return p.take(got, c.app.verifier.VerifyEvidence)
	}
	tooMuch := 2000 * uint64(amount.FRM)
	for i := range uint64(maxPending) {
		if err := try(tooMuch + i); !errors.Is(err, state.ErrFunds) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	var no *Refusal
	if err := try(1); !errors.As(err, &no) || no.Code != codePending {
		t.Errorf("after %d: %v", maxPending, err)
	}
	// What was refused once is refused again for nothing: nobody can use up another's tries
	// by sending its transaction again and again.
	if err := p.reset(c.app.last.Load().reader); err != nil {
		t.Fatal(err)
	}
	for range 2 * maxPending {
		if err := try(tooMuch); !errors.Is(err, state.ErrFunds) {
			t.Fatal(err)
		}
	}
	if err := try(1); err != nil {
		t.Error(fmt.Errorf("after one that was sent many times: %w", err))
	}
}
