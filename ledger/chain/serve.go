package chain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtstore "github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/store"
)

// blockStore is what is read of the engine's blocks.
type blockStore interface {
	Base() int64
	Height() int64
	LoadBlock(height int64) *cmttypes.Block
	LoadBlockMeta(height int64) *cmttypes.BlockMeta
	LoadBlockCommit(height int64) *cmttypes.Commit
	LoadSeenCommit(height int64) *cmttypes.Commit
}

var _ blockStore = (*cmtstore.BlockStore)(nil)

// storedMeta reads a block's header before the engine runs. nil when there is none, as
// after a start from a snapshot.
func (n *Chain) storedMeta(height uint64) (*cmttypes.BlockMeta, error) {
	return cmtstore.NewBlockStore(n.comet("blockstore")).LoadBlockMeta(int64(height)), nil
}

// kept says whether block height is here, and what to answer when it is not.
func (n *Chain) kept(height uint64) error {
	switch {
	case height == 0 || height > uint64(max(n.blocks.Height(), 0)):
		return fmt.Errorf("%w: block %d; the newest is %d", ErrNotFound, height, n.blocks.Height())
	case height < uint64(max(n.blocks.Base(), 0)):
		return fmt.Errorf("%w: block %d; the oldest here is %d", ErrPruned, height, n.blocks.Base())
	}
	return nil
}

// lightBlock is a header with the votes that made it final and who could vote; height 0 is
// the newest.
func (n *Chain) lightBlock(height uint64) (*cmttypes.LightBlock, error) {
	if height == 0 {
		height = n.Head().Height
	}
	if err := n.kept(height); err != nil {
		return nil, err
	}
	meta, commit := n.blocks.LoadBlockMeta(int64(height)), n.blocks.LoadBlockCommit(int64(height))
	if commit == nil {
		commit = n.blocks.LoadSeenCommit(int64(height)) // the next block does not exist yet
	}
	vals, err := n.states.LoadValidators(int64(height))
	if err != nil || meta == nil || commit == nil {
		return nil, fmt.Errorf("%w: block %d is not complete here", ErrNotFound, height)
	}
	return &cmttypes.LightBlock{
		SignedHeader: &cmttypes.SignedHeader{Header: &meta.Header, Commit: commit}, ValidatorSet: vals,
	}, nil
}

// LightBlock is the marshalled tendermint.types.LightBlock of a height, 0 for the newest.
// It wraps ErrNotFound or ErrPruned.
func (n *Chain) LightBlock(height uint64) ([]byte, error) {
	b, err := n.lightBlock(height)
	if err != nil {
		return nil, err
	}
	pb, err := b.ToProto()
	if err != nil {
		return nil, fmt.Errorf("chain: block %d: %w", height, err)
	}
	return pb.Marshal()
}

// Value proves what is, or is not, under key in the state after block height; 0 stands for
// the newest state whose root is in a header already, which is the one before Head. It
// wraps ErrNotFound or ErrPruned.
func (n *Chain) Value(key []byte, height uint64) (*light.Value, error) {
	newest := n.Head().Height
	if height == 0 {
		if newest < 2 {
			return nil, fmt.Errorf("%w: no header commits to a state yet; try again after the next block", ErrNotFound)
		}
		height = newest - 1
	}
	if height >= newest {
		return nil, fmt.Errorf("%w: no header commits to the state after block %d yet", ErrNotFound, height)
	}
	value, proof, err := n.app.tree.Prove(key, int64(height))
	if errors.Is(err, store.ErrVersion) {
		return nil, fmt.Errorf("%w: the state after block %d", ErrPruned, height)
	}
	if err != nil {
		return nil, err
	}
	return &light.Value{Height: height, Value: value, Exists: value != nil, Proof: proof}, nil
}

// Tx finds a committed transaction by its hash, with the proofs that it is in the block
// and what became of it. It wraps ErrNotFound, also for the newest block: what became of
// its transactions is in the header that follows.
func (n *Chain) Tx(hash [32]byte) (*light.TxFound, error) {
	height, i, err := n.app.index.find(hash)
	if err != nil {
		return nil, err
	}
	if err := n.kept(height); err != nil {
		return nil, err
	}
	if height >= n.Head().Height {
		return nil, fmt.Errorf("%w: transaction %x is in block %d; its result is proven by the next", ErrNotFound, hash, height)
	}
	block := n.blocks.LoadBlock(int64(height))
	res, err := n.states.LoadFinalizeBlockResponse(int64(height))
	if err != nil || block == nil || int(i) >= len(block.Txs) || len(res.TxResults) != len(block.Txs) {
		return nil, fmt.Errorf("%w: block %d is not complete here", ErrNotFound, height)
	}
	if sha256.Sum256(block.Txs[i]) != hash { // the index knows half of it
		return nil, fmt.Errorf("%w: no block that is kept here has transaction %x", ErrNotFound, hash)
	}
	results := cmttypes.NewResults(res.TxResults)
	out := &light.TxFound{Height: height, Index: i, Tx: block.Txs[i], Log: res.TxResults[i].Log}
	inBlock, inResults := block.Txs.Proof(int(i)), results.ProveResult(int(i))
	if out.Proof, err = inBlock.Proof.ToProto().Marshal(); err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	if out.Result, err = results[i].Marshal(); err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	if out.ResultProof, err = inResults.ToProto().Marshal(); err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	return out, nil
}

// Block is a block with all its entries; the first is its proposer's VRF proof. 0 is the
// newest. It wraps ErrNotFound or ErrPruned.
func (n *Chain) Block(height uint64) (*light.Block, error) {
	if height == 0 {
		height = n.Head().Height
	}
	header, err := n.LightBlock(height)
	if err != nil {
		return nil, err
	}
	block := n.blocks.LoadBlock(int64(height))
	if block == nil {
		return nil, fmt.Errorf("%w: block %d is not complete here", ErrNotFound, height)
	}
	return &light.Block{Height: height, LightBlock: header, Txs: block.Txs.ToSliceOfBytes()}, nil
}

// Results are what became of a block's entries, in their order, with their events. They
// are this node's word; Tx proves single ones. It wraps ErrNotFound or ErrPruned.
func (n *Chain) Results(height uint64) ([]*abci.ExecTxResult, error) {
	if err := n.kept(height); err != nil {
		return nil, err
	}
	res, err := n.states.LoadFinalizeBlockResponse(int64(height))
	if err != nil {
		return nil, fmt.Errorf("%w: the results of block %d are not here", ErrNotFound, height)
	}
	return res.TxResults, nil
}

// View reads the newest committed state, local and trusted. What r reads is one state,
// whatever is committed meanwhile; keep r no longer than fn runs.
func (n *Chain) View(fn func(r state.Reader) error) error {
	last := n.app.last.Load()
	if last == nil {
		return fmt.Errorf("%w: the chain has no block yet; try again in a few seconds", ErrNotFound)
	}
	return fn(last.reader)
}

// Server is the chain as light clients ask it.
func (n *Chain) Server() light.Backend { return server{n} }

type server struct{ n *Chain }

var _ light.Backend = server{}

func (s server) Head() light.Summary {
	h := s.n.Head()
	return light.Summary{Height: h.Height, Hash: h.Hash, TimeMS: h.TimeMS, Full: true}
}

func (s server) LightBlock(_ context.Context, height uint64) ([]byte, error) {
	b, err := s.n.LightBlock(height)
	return b, lightError(err)
}

func (s server) Value(_ context.Context, key []byte, height uint64) (*light.Value, error) {
	if len(key) == 0 || len(key) > light.MaxKey {
		return nil, fmt.Errorf("%w: a key of %d bytes", light.ErrInvalid, len(key))
	}
	v, err := s.n.Value(key, height)
	return v, lightError(err)
}

func (s server) Submit(ctx context.Context, raw []byte) (hash [32]byte, code uint32, text string, err error) {
	hash, err = s.n.Submit(ctx, raw)
	var no *Refusal
	if errors.As(err, &no) {
		return hash, no.Code, no.Text, nil
	}
	return hash, 0, "", lightError(err)
}

func (s server) Tx(_ context.Context, hash [32]byte) (*light.TxFound, error) {
	t, err := s.n.Tx(hash)
	return t, lightError(err)
}

func (s server) Block(_ context.Context, height uint64) (*light.Block, error) {
	b, err := s.n.Block(height)
	return b, lightError(err)
}

// lightError gives an error the meaning that a light client knows.
func lightError(err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: %w", light.ErrNotFound, err)
	case errors.Is(err, ErrPruned):
		return fmt.Errorf("%w: %w", light.ErrTooOld, err)
	case errors.Is(err, ErrBusy), errors.Is(err, ErrCatchingUp):
		return fmt.Errorf("%w: %w", light.ErrBusy, err)
	}
	return err
}
