package chain

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/cometbft/cometbft/mempool"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/tx"
)

// hesitant proposes the first block and no other until it may.
type hesitant struct {
	cmttypes.PrivValidator
	may <-chan struct{}
}

func (h hesitant) SignProposal(chain string, p *cmtproto.Proposal) error {
	if p.Height > 1 {
		<-h.may
	}
	return h.PrivValidator.SignProposal(chain, p)
}

// between launches a validator that makes one block and no other: no commit empties the
// pool. The line stands still until release is called.
func between(t *testing.T, n *network, txs int) (c *Chain, release func()) {
	t.Helper()
	may := make(chan struct{})
	conf := n.config(0)
	conf.MempoolTxs = txs
	c, err := startWith(context.Background(), conf, seams{signer: func(_ *Chain, pv cmttypes.PrivValidator) cmttypes.PrivValidator {
		return hesitant{pv, may}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(may); halt(t, c) })
	awaitPoll(t, "the first block", func() bool { return c.app.last.Load() != nil })
	c.node.Mempool().ReapMaxTxs(0) // waits until its commit has ended
	stands, gate := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release) // before the node is stopped
	c.app.line.enter(&entrant{judged: func(error) { close(stands); <-gate }})
	<-stands
	return c, release
}

// inLine is how many stand in line.
func inLine(c *Chain) int {
	c.app.line.mu.Lock()
	defer c.app.line.mu.Unlock()
	return len(c.app.line.waiting)
}

// All find room in the pool when they come and stand in line together. Those that are told
// that theirs was taken are the ones for which there was room, and no other.
func TestTakenMeansInThePool(t *testing.T) {
	const room, senders = 4, 12
	n := newNetwork(t, plan{validators: 1, players: senders + 1})
	c, release := between(t, n, room)
	var all sync.WaitGroup
	hashes, errs := make([][32]byte, senders), make([]error, senders)
	for i := range senders {
		raw := transfer(t, n.doc.ChainID, n.players[i], 0, public(n.players[senders]), 1)
		all.Go(func() { hashes[i], errs[i] = c.Submit(context.Background(), raw) })
	}
	awaitPoll(t, "all in line", func() bool { return inLine(c) == senders })
	release()
	all.Wait()
	waits := map[cmttypes.TxKey]bool{}
	for _, raw := range c.node.Mempool().ReapMaxTxs(-1) {
		waits[raw.Key()] = true
	}
	if len(waits) != room {
		t.Errorf("%d wait where there is room for %d", len(waits), room)
	}
	for i, err := range errs {
		switch {
		case waits[hashes[i]] && err != nil:
			t.Errorf("%d waits and heard: %v", i, err)
		case !waits[hashes[i]] && !errors.Is(err, ErrBusy):
			t.Errorf("%d does not wait and heard: %v", i, err)
		}
	}
}

// What a peer brings is judged in line. Whoever submits the same meanwhile hears what came
// of it, and not that the engine has seen it.
func TestSubmittingWhatAPeerBringsHearsItsFate(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 3})
	c, release := between(t, n, 10)
	good := transfer(t, n.doc.ChainID, n.players[0], 0, public(n.players[2]), 1)
	bad := transfer(t, n.doc.ChainID, n.players[1], 7, public(n.players[2]), 1)
	var all sync.WaitGroup
	for _, raw := range [][]byte{good, bad} {
		if err := c.node.Mempool().CheckTx(raw, nil, mempool.TxInfo{SenderID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	var goodErr, badErr error
	done := make(chan struct{})
	all.Go(func() { _, goodErr = c.Submit(context.Background(), good) })
	all.Go(func() { _, badErr = c.Submit(context.Background(), bad) })
	go func() { all.Wait(); close(done) }()
	awaitPoll(t, "both stand behind the peer's", func() bool {
		select {
		case <-done:
			return true // too early: seen below
		default:
			return inLine(c) == 4
		}
	})
	release()
	<-done
	if goodErr != nil {
		t.Errorf("the good one: %v", goodErr)
	}
	if !errors.Is(badErr, ErrRefused) {
		t.Errorf("the bad one: %v", badErr)
	}
}

// A full pool says nothing about a transaction: its number and its money are as they were,
// it is not remembered as refused, and after the next block there is room again.
func TestPoolIsBounded(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 3})
	c := launch(t, n.config(0))
	awaitHeight(t, c, 1)
	size := int64(len(transfer(t, n.doc.ChainID, n.players[0], 0, public(n.players[2]), 1)))
	for name, p := range map[string]*pool{
		"transactions": {txs: 2, bytes: 1 << 20},
		"bytes":        {txs: 9, bytes: 3*size - 1},
	} {
		take := func(player int, nonce uint64) ([32]byte, error) {
			x, err := tx.Decode(transfer(t, n.doc.ChainID, n.players[player], nonce, public(n.players[2]), 1))
			if err != nil {
				t.Fatal(err)
			}
			return x.Hash, p.take(x, c.app.verifier.VerifyEvidence)
		}
		if err := p.reset(c.app.last.Load().reader); err != nil {
			t.Fatal(err)
		}
		first, err := take(0, 0)
		if err != nil || !p.holds(first) {
			t.Fatalf("%s: the first: %v", name, err)
		}
		if _, err := take(0, 1); err != nil {
			t.Fatalf("%s: the second: %v", name, err)
		}
		third, err := take(1, 0)
		if !errors.Is(err, errFull) || p.holds(third) {
			t.Errorf("%s: the third: %v", name, err)
		}
		if _, err := take(0, 0); err != nil {
			t.Errorf("%s: the first again: %v", name, err)
		}
		if err := p.reset(c.app.last.Load().reader); err != nil {
			t.Fatal(err)
		}
		if p.holds(first) {
			t.Errorf("%s: after a block it holds what nobody has asked about", name)
		}
		if _, err := take(1, 0); err != nil {
			t.Errorf("%s: the third after a block: %v", name, err)
		}
	}
}
