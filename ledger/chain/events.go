package chain

import (
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
)

// Events is all that happened in a block, in order: with its epoch and due work first, then
// entry by entry. Like Results it is this node's word. It wraps ErrNotFound or ErrPruned.
func (n *Chain) Events(height uint64) ([]abci.Event, error) {
	if err := n.kept(height); err != nil {
		return nil, err
	}
	res, err := n.states.LoadFinalizeBlockResponse(int64(height))
	if err != nil {
		return nil, fmt.Errorf("%w: the results of block %d are not here", ErrNotFound, height)
	}
	out := append([]abci.Event(nil), res.Events...)
	for _, r := range res.TxResults {
		out = append(out, r.Events...)
	}
	return out, nil
}
