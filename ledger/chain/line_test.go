package chain

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/tx"
)

func decoded(t testing.TB, network string, player int, nonce uint64) *tx.Tx {
	t.Helper()
	x, err := tx.Decode(transfer(t, network, seeded("player", player), nonce, public(seeded("player", player+1)), 1))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Signatures that are verified together are judged each for itself.
func TestLineJudgesEachForItself(t *testing.T) {
	const n = 500
	l := newLine(tx.NewVerifier("test-1", n))
	errs := make([]error, n)
	judged := make([]int, n)
	var wg sync.WaitGroup
	for i := range n {
		network := "test-1"
		if i%7 == 3 {
			network = "other-1"
		}
		x := decoded(t, network, i, 0)
		wg.Go(func() { l.enter(&entrant{x, func(err error) { errs[i] = err; judged[i]++ }}) })
	}
	wg.Wait()
	l.drain()
	for i, err := range errs {
		if judged[i] != 1 {
			t.Errorf("%d: judged %d times", i, judged[i])
		}
		if wrong := i%7 == 3; wrong != errors.Is(err, tx.ErrSignature) || (!wrong && err != nil) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if l.working || len(l.waiting) != 0 || l.bytes != 0 {
		t.Errorf("working %v, %d of %d bytes wait", l.working, len(l.waiting), l.bytes)
	}
}

// A signer's transactions are good in one order only: that in which they came.
func TestLineKeepsTheOrder(t *testing.T) {
	const n = 2*maxQueue + 7
	l := newLine(tx.NewVerifier("test-1", n))
	var got []uint64
	for nonce := range uint64(n) {
		l.enter(&entrant{decoded(t, "test-1", 0, nonce), func(err error) {
			if err != nil {
				t.Errorf("%d: %v", nonce, err)
			}
			got = append(got, nonce)
		}})
	}
	l.drain()
	for i, nonce := range got {
		if nonce != uint64(i) {
			t.Fatalf("number %d came as %d", nonce, i)
		}
	}
	if len(got) != n {
		t.Errorf("%d of %d", len(got), n)
	}
}

// Whoever sends faster than the line moves waits, so that the line stays short.
func TestLineIsBounded(t *testing.T) {
	first, x := decoded(t, "test-1", 0, 0), decoded(t, "test-1", 1, 0)
	synctest.Test(t, func(t *testing.T) {
		l := newLine(tx.NewVerifier("test-1", 1))
		release, judged := make(chan struct{}), 0
		l.enter(&entrant{first, func(error) { <-release }})
		synctest.Wait()
		go func() {
			for range 3 * maxQueue {
				l.enter(&entrant{x, func(error) { judged++ }})
			}
		}()
		synctest.Wait() // nobody moves any more
		if len(l.waiting) != maxQueue {
			t.Errorf("%d stand in line", len(l.waiting))
		}
		close(release)
		synctest.Wait()
		l.drain()
		if judged != 3*maxQueue {
			t.Errorf("%d were judged", judged)
		}
	})
}

// Flush is what a commit waits for: it returns when every transaction brought before has
// its answer.
func TestFlushWaitsForAllAnswers(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 3})
	c := launch(t, n.config(0))
	awaitHeight(t, c, 1)
	lines, err := clients{c.app, c.app}.NewABCIClient()
	if err != nil {
		t.Fatal(err)
	}
	lines.SetResponseCallback(func(*abci.Request, *abci.Response) {})
	var asked []*abcicli.ReqRes
	for nonce := range uint64(20) {
		for player := range 3 {
			raw := transfer(t, "test-1", n.players[player], nonce, public(n.players[0]), 1)
			r, err := lines.CheckTxAsync(context.Background(), &abci.RequestCheckTx{Tx: raw})
			if err != nil {
				t.Fatal(err)
			}
			asked = append(asked, r)
		}
	}
	if r, err := lines.CheckTxAsync(context.Background(), &abci.RequestCheckTx{Tx: []byte("junk")}); err != nil || r.Response.GetCheckTx().Code != codeMalformed {
		t.Errorf("junk: %v, %v", r.Response, err)
	}
	if err := lines.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, r := range asked {
		called := false
		r.SetCallback(func(res *abci.Response) { called = res.GetCheckTx() != nil })
		if !called {
			t.Errorf("%d: no answer", i)
		}
	}
}

// Whoever brings what is refused hears so, also while another brings the same.
func TestSubmittingTheSameAtOnceHasOneAnswer(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 2})
	c := launch(t, n.config(0))
	awaitHeight(t, c, 1)
	for round := range 20 {
		for name, raw := range map[string][]byte{
			"junk":             {0xff, byte(round)},
			"a foreign chain":  transfer(t, "other-1", n.players[0], uint64(round), public(n.players[1]), 1),
			"a far off number": transfer(t, "test-1", n.players[0], uint64(1000+round), public(n.players[1]), 1),
		} {
			var callers sync.WaitGroup
			for range 4 {
				callers.Go(func() {
					if _, err := c.Submit(context.Background(), raw); !errors.Is(err, ErrRefused) {
						t.Errorf("round %d, %s: %v", round, name, err)
					}
				})
			}
			callers.Wait()
		}
	}
}
