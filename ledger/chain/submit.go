package chain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

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
	hash = sha256.Sum256(raw)
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
	_, err, _ = n.submits.Do(string(hash[:]), func() (any, error) { return nil, n.submit(raw) })
	return hash, err
}

// submit brings a transaction to the pool and waits for the answer, which comes within
// milliseconds, or after the commit that is under way.
func (n *Chain) submit(raw []byte) error {
	answer := make(chan *abci.ResponseCheckTx, 1)
	err := n.node.Mempool().CheckTx(raw, func(r *abci.ResponseCheckTx) { answer <- r }, mempool.TxInfo{})
	var full mempool.ErrMempoolIsFull
	var large mempool.ErrTxTooLarge
	switch {
	case errors.Is(err, mempool.ErrTxInCache):
		return nil
	case errors.As(err, &full), errors.Is(err, mempool.ErrRecheckFull):
		n.metrics.refused.WithLabelValues("full").Inc()
		return fmt.Errorf("%w: the pool is full; try again in a few seconds", ErrBusy)
	case errors.As(err, &large):
		return &Refusal{codeMalformed, err.Error()}
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if res := <-answer; res.Code != abci.CodeTypeOK {
		return &Refusal{res.Code, res.Log}
	}
	return nil
}
