package state

import (
	"errors"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// countingKernel says how many tiles were rendered.
type countingKernel struct {
	hashKernel
	tiles *int
}

func (k countingKernel) CheckTile(task, container [32]byte, size uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error {
	*k.tiles++
	return k.hashKernel.CheckTile(task, container, size, roots, p, leaf, siblings)
}

func (k countingKernel) Work(task, container, checker [32]byte, size uint32, roots [][32]byte, picks []proof.Pick) ([32]byte, error) {
	*k.tiles += len(picks)
	return k.hashKernel.Work(task, container, checker, size, roots, picks)
}

// Shape makes a block's limit eight votes of eight tiles each.
func (k countingKernel) Shape(size uint32) (uint32, uint64, bool) {
	tiles, _, ok := k.hashKernel.Shape(size)
	return tiles, uint64(tiles) * maxSamplesPerBlock / 64, ok
}

// Trying a transaction renders nothing, whatever is said; in a block a false proof costs its
// bond; and there is an end to what one block renders.
func TestProofsAreNotRenderedForFree(t *testing.T) {
	b := newRounds(t)
	tiles := 0
	b.kernel = countingKernel{tiles: &tiles}
	b.pass(1)
	c := b.round(who("c1"), 1, false)
	false1 := b.signed(who("bob"), wrap(b.tileFraud(c, 0, 0)))
	b.end()
	fork := b.Fork()
	if err := fork.Try(false1); err != nil || tiles != 0 {
		t.Errorf("a trial rendered %d tiles: %v", tiles, err)
	}
	b.begin(1_000)
	balance, penalties := b.balance(who("bob")), b.Supply().Pools[economics.PoolPenalties]
	_, err := b.Apply(false1)
	b.refused(err, ErrInnocent)
	cost := b.Params().TxFee + b.Params().AppealBond
	if tiles != 1 || b.balance(who("bob")) != balance-cost || b.Supply().Pools[economics.PoolPenalties] != penalties+b.Params().AppealBond {
		t.Errorf("%d tiles for %d, want 1 for %d", tiles, balance-b.balance(who("bob")), cost)
	}
	tiles = 0
	b.next(1_000)
	vote, nonce := b.voted(who("k0"), c, nil)
	p := b.proof(proof.WorkFraud(vote, 0, c.commit, c.roots, nonce, nil))
	for range 8 {
		b.refused(b.send(who("bob"), p), ErrInnocent)
	}
	b.refused(b.send(who("bob"), p), ErrProofs)
	if tiles != 64 {
		t.Errorf("rendered %d tiles", tiles)
	}
	b.next(1_000)
	b.refused(b.send(who("bob"), p), ErrInnocent)
	b.end()

	b.begin(1_000)
	b.kernel = nil
	if _, err := b.Apply(b.signed(who("bob"), wrap(p))); err == nil || refused(err) {
		t.Errorf("judged without a kernel: %v", err)
	}
}

// Who could not pay for a false proof is not listened to, and a pool admits no more proofs than
// their reporter has bonds for.
func TestAProofNeedsItsBond(t *testing.T) {
	b := newRounds(t)
	tiles := 0
	b.kernel = countingKernel{tiles: &tiles}
	b.pass(1)
	c := b.round(who("c1"), 1, true)
	bob, bond := who("bob"), b.Params().AppealBond
	b.must(b.send(bob, &tx.Transfer{To: who("c1 owner").raw(), Amount: b.balance(bob) - 2*bond}))
	b.end()
	fork := b.Fork()
	for i, want := range []*Rule{nil, ErrFunds} {
		raw := b.signed(bob, wrap(b.tileFraud(c, 0, i)))
		raw.Body.Nonce += uint64(i)
		if err := fork.Try(raw); want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("proof %d in a pool: %v", i, err)
		}
	}
	b.begin(1_000)
	b.refused(b.send(bob, b.tileFraud(c, 0, 0)), ErrInnocent)
	b.refused(b.send(bob, b.tileFraud(c, 1, 2)), ErrFunds)
	if tiles != 1 {
		t.Errorf("%d tiles were rendered for one bond", tiles)
	}
	b.must(b.send(who("alice"), b.tileFraud(c, 1, 2)))
	// What convicts again costs nobody's processor anything.
	b.refused(b.send(who("alice"), b.tileFraud(c, 1, 2)), ErrReported)
	before := tiles
	b.refused(b.send(who("alice"), b.tileFraud(c, 1, 1)), ErrPunished)
	if tiles != before {
		t.Errorf("%d tiles were rendered of a deed that was punished", tiles-before)
	}
	b.end()
}
