package chain

import (
	"bytes"
	"context"
	"fmt"
	"time"

	cmtstate "github.com/cometbft/cometbft/proto/tendermint/state"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"github.com/framemesh/framemesh/ledger/comet"
	"github.com/framemesh/framemesh/ledger/genesis"
)

// Headers tells a node that starts from a snapshot which roots are true. What Header
// returns has been verified, as a light client does, and its validators carry their turns
// to propose: light.Turns is one. A *light.Client is none: it leaves the turns out, and a
// node that starts without them waits for the wrong proposers.
type Headers interface {
	Header(ctx context.Context, height uint64) (*cmttypes.LightBlock, error)
}

// headerWait bounds how long is waited for a header that does not exist yet: a root is in
// the header after the next block.
const headerWait = 30 * time.Second

// trusted makes the engine's state after a block out of verified headers.
type trusted struct {
	doc     *genesis.Doc
	headers Headers
}

var _ statesync.StateProvider = trusted{}

// header waits a little for headers that the network is about to make.
func (p trusted) header(ctx context.Context, height uint64) (*cmttypes.LightBlock, error) {
	ctx, cancel := context.WithTimeout(ctx, headerWait)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		b, err := p.headers.Header(ctx, height)
		if err == nil {
			return b, b.ValidateBasic(p.doc.ChainID)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("chain: verifying header %d: %w", height, err)
		case <-time.After(wait):
		}
	}
}

// AppHash is the root of the state after block height.
func (p trusted) AppHash(ctx context.Context, height uint64) ([]byte, error) {
	// State needs the two headers that follow, so a snapshot without them is too new
	if _, err := p.header(ctx, height+2); err != nil {
		return nil, err
	}
	b, err := p.header(ctx, height+1)
	if err != nil {
		return nil, err
	}
	return b.AppHash, nil
}

// Commit is the votes for block height.
func (p trusted) Commit(ctx context.Context, height uint64) (*cmttypes.Commit, error) {
	b, err := p.header(ctx, height)
	if err != nil {
		return nil, err
	}
	return b.Commit, nil
}

// State is what the engine knows after block height. Its parameters follow from the
// genesis file and are compared with what the header commits to.
func (p trusted) State(ctx context.Context, height uint64) (sm.State, error) {
	var b [3]*cmttypes.LightBlock
	for i := range b {
		var err error
		if b[i], err = p.header(ctx, height+uint64(i)); err != nil {
			return sm.State{}, err
		}
	}
	params := comet.ConsensusParams(p.doc.Params)
	if !bytes.Equal(params.Hash(), b[1].ConsensusHash) {
		return sm.State{}, fmt.Errorf("%w: header %d has other parameters than the file gives", ErrGenesis, b[1].Height)
	}
	s := sm.State{
		ChainID: p.doc.ChainID, InitialHeight: 1,
		LastBlockHeight: b[0].Height, LastBlockTime: b[0].Time, LastBlockID: b[0].Commit.BlockID,
		AppHash: b[1].AppHash, LastResultsHash: b[1].LastResultsHash,
		LastValidators: b[0].ValidatorSet, Validators: b[1].ValidatorSet, NextValidators: b[2].ValidatorSet,
		LastHeightValidatorsChanged: b[2].Height,
		ConsensusParams:             *params, LastHeightConsensusParamsChanged: b[1].Height,
	}
	s.Version = cmtstate.Version{Consensus: b[1].Version, Software: version.TMCoreSemVer}
	return s, nil
}
