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
// hash is valid with any error. A transaction that waits already is taken again without an
// error. Taken does not mean committed: the pool is lost when the program ends, so whoever
// must be sure asks for the hash and sends again.
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
		n.submit(raw, s)
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
func (n *Chain) submit(raw []byte, s *submission) {
	err := n.node.Mempool().CheckTx(raw, func(r *abci.ResponseCheckTx) {
		if r.Code != abci.CodeTypeOK {
			s.answer(&Refusal{r.Code, r.Log})
			return
		}
		s.answer(nil)
	}, mempool.TxInfo{})
	var full mempool.ErrMempoolIsFull
	var large mempool.ErrTxTooLarge
	switch {
	case err == nil: // it stands in line
	case errors.Is(err, mempool.ErrTxInCache):
		s.answer(nil)
	case errors.As(err, &full), errors.Is(err, mempool.ErrRecheckFull):
		n.metrics.refused.WithLabelValues("full").Inc()
		s.answer(fmt.Errorf("%w: the pool is full; try again in a few seconds", ErrBusy))
	case errors.As(err, &large):
		s.answer(&Refusal{codeMalformed, err.Error()})
	default:
		s.answer(fmt.Errorf("%w: %w", ErrBusy, err))
	}
}
