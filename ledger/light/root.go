package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	cometlight "github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/types"
)

// Errors of the root of trust.
var (
	// ErrExpired means that the newest header a client trusts is older than the trusting
	// period.
	ErrExpired = errors.New("light: too long away to trust what it knew")
	// ErrRoot means that no peer has the header that was configured as the root.
	ErrRoot = errors.New("light: no peer knows the trusted header")
	// ErrGenesisHeader means that a first header does not follow from the genesis file.
	ErrGenesisHeader = errors.New("light: the first header is not of this genesis file")
)

// Root is a header that somebody trustworthy says is right.
type Root struct {
	Height uint64
	Hash   [32]byte // of the header
}

// CheckFirst checks the first light block of a chain against its genesis: the same chain,
// time, parameters and validators, and signed by more than two thirds of them. The root of
// the first state is in it, and thereby vouched for by the validators that the genesis
// file names. It wraps ErrGenesisHeader.
func CheckFirst(g *types.GenesisDoc, b *types.LightBlock) error {
	bad := func(what string) error { return fmt.Errorf("%w: another %s", ErrGenesisHeader, what) }
	switch {
	case b.ChainID != g.ChainID:
		return bad("chain id")
	case b.Height != g.InitialHeight:
		return bad("height")
	case !b.Time.Equal(g.GenesisTime):
		return bad("time")
	case !bytes.Equal(b.ValidatorsHash, g.ValidatorHash()):
		return bad("set of validators")
	case !bytes.Equal(b.ConsensusHash, g.ConsensusParams.Hash()):
		return bad("set of parameters")
	case !b.LastBlockID.IsZero():
		return bad("block before it")
	}
	if err := b.ValidatorSet.VerifyCommitLight(g.ChainID, b.Commit.BlockID, b.Height, b.Commit); err != nil {
		return fmt.Errorf("%w: %w", ErrGenesisHeader, err)
	}
	return nil
}

// bootstrap gets the first trusted header, from the genesis or from the configured root.
func (c *Client) bootstrap(ctx context.Context, peers []string) error {
	height, check := c.genesis.InitialHeight, func(b *types.LightBlock) error { return CheckFirst(c.genesis, b) }
	if r := c.cfg.Trust; r != nil {
		height, check = int64(r.Height), func(b *types.LightBlock) error {
			if !bytes.Equal(b.Hash(), r.Hash[:]) {
				return fmt.Errorf("%w: block %d has the hash %X there", ErrRoot, r.Height, b.Hash())
			}
			return b.ValidatorSet.VerifyCommitLight(c.chain, b.Commit.BlockID, b.Height, b.Commit)
		}
	}
	var last error
	for _, p := range peers {
		s := &source{c: c, peer: p}
		b, err := s.LightBlock(ctx, height)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = check(b)
			if errors.Is(err, ErrGenesisHeader) { // else the configured hash may be the wrong one
				c.book.lied(p, err)
			}
		} else if _, future, _, bad := s.judged(); bad != nil {
			c.book.lied(p, bad)
		} else if future > 0 {
			last = clockError(future)
			continue
		} else if errors.Is(err, provider.ErrLightBlockNotFound) {
			err = fmt.Errorf("%w: block %d is not kept there", ErrNotFound, height)
		}
		if err != nil {
			last = err
			continue
		}
		if err := c.expired(b); err != nil {
			return err
		}
		return c.headers.SaveLightBlock(b)
	}
	if last == nil {
		last = ErrNoPeers
	}
	if errors.Is(last, ErrRoot) {
		return fmt.Errorf("%w; ask again for a recent height and its hash, and set ledger.trust_height and ledger.trust_hash to both", last)
	}
	return last
}

// expired says whether a header is too old to verify others from.
func (c *Client) expired(b *types.LightBlock) error {
	now := c.cfg.Now()
	if b == nil || !cometlight.HeaderExpired(b.SignedHeader, c.cfg.Period, now) {
		return nil
	}
	return fmt.Errorf("%w: block %d is of %s, more than %s ago, and its validators may have left since; ask somebody you trust for a recent height and its hash, set ledger.trust_height and ledger.trust_hash to both, and check this machine's clock",
		ErrExpired, b.Height, b.Time.UTC().Format(time.DateTime), c.cfg.Period)
}

// clockError explains headers that come from the future.
func clockError(ahead time.Duration) error {
	return fmt.Errorf("%w: the newest header comes from %s in the future; is this machine's clock right?", ErrClock, ahead.Round(time.Second))
}
