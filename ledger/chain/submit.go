package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
)

// Submit takes a signed transaction into the pool, from where all validators get it. The
// hash is valid with any error. A transaction that waits already, or is in a block, is taken
// again without an error. Taken means that it waits in this node's pool now, not that it will
// be committed: the pool is lost when the program ends, and a later block may leave a
// transaction without the money it spends. So whoever must be sure asks for the hash and
// sends again.
//
// It wraps ErrRefused (a *Refusal: the ledger's rules), ErrBusy (the pool is full),
// ErrCatchingUp, ErrHalted or ErrStopped.
func (n *Chain) Submit(ctx context.Context, raw []byte) (hash [32]byte, err error) {
	_, hash, _ = n.app.decoder.decode(raw) // what is wrong with it is said where all are read
	if err := ctx.Err(); err != nil {
		return hash, err
	}
	select {
	case <-n.done:
		return hash, ErrStopped
	default:
	}
	if err := n.Err(); err != nil {
		return hash, err
	}
	if n.node.ConsensusReactor().WaitSync() {
		return hash, fmt.Errorf("%w: this node does not know the newest balances yet; try again in a minute, or ask another node", ErrCatchingUp)
	}
	// The engine says of one that is being judged that it has it. So whoever brings the same
	// at the same time hears the same answer.
	s, mine := n.submits.enter(hash)
	if mine {
		n.submit(ctx, raw, hash, s)
	}
	s.answered.Wait()
	if mine {
		n.submits.leave(hash)
	}
	return hash, s.err
}

// submission is one transaction on its way to its answer.
type submission struct {
	answered sync.WaitGroup
	err      error // the answer
}

func (s *submission) answer(err error) {
	s.err = err
	s.answered.Done()
}

// submissions are those under way, by hash.
type submissions struct {
	mu  sync.Mutex
	all map[[32]byte]*submission
}

// enter returns the submission of a hash; mine is true for the one who has to bring it.
func (s *submissions) enter(hash [32]byte) (at *submission, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at = s.all[hash]; at != nil {
		return at, false
	}
	if s.all == nil {
		s.all = make(map[[32]byte]*submission)
	}
	at = new(submission)
	at.answered.Add(1)
	s.all[hash] = at
	return at, true
}

// leave forgets a submission that has its answer.
func (s *submissions) leave(hash [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, hash)
}

// submit brings a transaction to the pool. The answer comes within milliseconds, or after the
// commit that is under way.
func (n *Chain) submit(ctx context.Context, raw []byte, hash [32]byte, s *submission) {
	err := n.bring(raw, s)
	for try := 0; errors.Is(err, mempool.ErrTxInCache); try++ {
		known, lookErr := n.has(hash)
		switch {
		case known:
			s.answer(nil)
			return
		case lookErr != nil:
			s.answer(fmt.Errorf("%w: %w", ErrBusy, lookErr))
			return
		case ctx.Err() != nil:
			s.answer(ctx.Err())
			return
		case try >= maxLooks:
			s.answer(fmt.Errorf("%w: this node saw it before and cannot say what became of it; ask for its hash, and try again in a few seconds", ErrBusy))
			return
		}
		// A peer brought it and it is being judged, or a block is being committed. Both end
		// by themselves: who stands in line now has its answer when all before have theirs,
		// and the engine lets nobody in while it commits.
		n.app.line.pass()
		err = n.bring(raw, s)
	}
	var full mempool.ErrMempoolIsFull
	var large mempool.ErrTxTooLarge
	switch {
	case err == nil: // it stands in line
	case errors.As(err, &full), errors.Is(err, mempool.ErrRecheckFull):
		n.metrics.refused.WithLabelValues(reasonOf(codeFull)).Inc()
		s.answer(answered(codeFull, errFull.Text))
	case errors.As(err, &large):
		s.answer(&Refusal{codeMalformed, err.Error()})
	default:
		s.answer(fmt.Errorf("%w: %w", ErrBusy, err))
	}
}

// maxLooks bounds how often one is looked for that the engine has seen and that neither
// waits nor is in a block that is kept: it may be in one that was pruned.
const maxLooks = 32

// bring hands a transaction to the engine. Without an error the answer is given once it has
// been judged and, when it is good, is on the engine's list.
func (n *Chain) bring(raw []byte, s *submission) error {
	return n.node.Mempool().CheckTx(raw, func(r *abci.ResponseCheckTx) { s.answer(answered(r.Code, r.Log)) }, mempool.TxInfo{})
}

// answered is what the pool's answer means to whoever brought the transaction.
func answered(code uint32, text string) error {
	switch code {
	case abci.CodeTypeOK:
		return nil
	case codeFull:
		return fmt.Errorf("%w: %s", ErrBusy, text)
	}
	return &Refusal{code, text}
}

// has says whether a transaction waits or is in a block. The block is asked for last: it has
// its transactions before the pool forgets them.
func (n *Chain) has(hash [32]byte) (bool, error) {
	if n.app.pool.holds(hash) {
		return true, nil
	}
	_, _, err := n.app.index.find(hash)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
