// Package comet says what a genesis file means to CometBFT: who validates at first, how
// large blocks may be and how long evidence and trust last. Full nodes start their chain
// from it and light clients check the first header against it, so both must get the same
// from the same file.
package comet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
)

// Bounds that every block of every network keeps.
const (
	MaxBlockBytes    = 1 << 20  // header, transactions, evidence and last commit together
	MaxEvidenceBytes = 64 << 10 // of them
	AppVersion       = 1        // of the state machine, in every header

	minPeriod = 36 * time.Hour             // for test networks with epochs of seconds: their light clients trust for a day
	maxPeriod = 100 * 365 * 24 * time.Hour // keeps the products below in range
)

// ErrGenesis means that the file makes no chain.
var ErrGenesis = errors.New("comet: the genesis file makes no chain")

// GenesisDoc is what CometBFT starts a chain from. The hash of d stands in its state, so
// that chains of different files differ from the start. It wraps ErrGenesis.
func GenesisDoc(d *genesis.Doc) (*types.GenesisDoc, error) {
	hash := d.Hash()
	g := &types.GenesisDoc{
		GenesisTime:     time.UnixMilli(int64(d.TimeMS())).UTC(),
		ChainID:         d.ChainID,
		InitialHeight:   1,
		ConsensusParams: ConsensusParams(d.Params),
		Validators:      Validators(d),
		AppState:        []byte(`{"genesis":"` + hex.EncodeToString(hash[:]) + `"}`),
	}
	if len(g.Validators) == 0 {
		return nil, fmt.Errorf("%w: no node has a consensus key and a stake of validator_min_stake; give one both", ErrGenesis)
	}
	if err := g.ValidateAndComplete(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	return g, nil
}

// Validators are the first validators, as the file names them, in its order.
func Validators(d *genesis.Doc) []types.GenesisValidator {
	set := d.Validators()
	out := make([]types.GenesisValidator, len(set))
	for i, v := range set {
		pub := ed25519.PubKey(bytes.Clone(v.ConsensusKey[:]))
		out[i] = types.GenesisValidator{Address: pub.Address(), PubKey: pub, Power: int64(v.Power), Name: v.Node.String()}
	}
	return out
}

// ConsensusParams are CometBFT's parameters of a network. Evidence counts for as long as
// stake takes to unbond: until then there is something left to take.
func ConsensusParams(p economics.Params) *types.ConsensusParams {
	c := types.DefaultConsensusParams()
	unbond := UnbondingTime(p)
	c.Block = types.BlockParams{MaxBytes: MaxBlockBytes, MaxGas: -1}
	c.Evidence = types.EvidenceParams{
		MaxAgeDuration:  unbond,
		MaxAgeNumBlocks: max(int64(unbond/time.Second), 1),
		MaxBytes:        MaxEvidenceBytes,
	}
	c.Validator = types.ValidatorParams{PubKeyTypes: []string{types.ABCIPubKeyTypeEd25519}}
	c.Version = types.VersionParams{App: AppVersion}
	return c
}

// UnbondingTime is for how long evidence counts: while stake stays slashable after it was
// unbonded, and at least 36 hours.
func UnbondingTime(p economics.Params) time.Duration {
	seconds := min(p.UnbondEpochs, uint64(maxPeriod/time.Second)) * min(p.EpochSeconds, 86_400)
	return max(time.Duration(min(seconds, uint64(maxPeriod/time.Second)))*time.Second, minPeriod)
}

// TrustingPeriod is how long a light client may trust a header: two thirds of the
// unbonding time, so that whoever signs a false one can still be punished.
func TrustingPeriod(p economics.Params) time.Duration { return UnbondingTime(p) / 3 * 2 }
