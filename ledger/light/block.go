package light

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

// ErrBlock means that bytes are no light block, or one that contradicts itself. Whoever
// sent it broke the protocol.
var ErrBlock = errors.New("light: not a light block")

// maxValidators bounds a validator set; the parameters allow 200.
const maxValidators = 512

// DecodeLightBlock reads a light block of a chain and checks all of it but the signatures:
// that header, commit and validators belong together. It wraps ErrBlock.
//
// Whose turn it is to propose is cut out: the header does not commit to it, so a peer
// could otherwise make two equal blocks look different.
func DecodeLightBlock(chain string, raw []byte) (*types.LightBlock, error) {
	return decodeLightBlock(chain, raw, false)
}

func decodeLightBlock(chain string, raw []byte, turns bool) (*types.LightBlock, error) {
	if len(raw) == 0 || len(raw) > MaxLightBlock {
		return nil, fmt.Errorf("%w: %d bytes, not 1 to %d", ErrBlock, len(raw), MaxLightBlock)
	}
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlock, err)
	}
	if err := checkValidators(pb.ValidatorSet); err != nil {
		return nil, err
	}
	if !turns {
		for _, v := range pb.ValidatorSet.Validators {
			v.ProposerPriority = 0
		}
	}
	pb.ValidatorSet.Proposer = pb.ValidatorSet.Validators[0]
	pb.ValidatorSet.TotalVotingPower = 0 // counted anew
	b, err := types.LightBlockFromProto(&pb)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlock, err)
	}
	if err := b.ValidateBasic(chain); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlock, err)
	}
	if n := len(b.Commit.Signatures); n != b.ValidatorSet.Size() {
		return nil, fmt.Errorf("%w: %d signatures of %d validators", ErrBlock, n, b.ValidatorSet.Size())
	}
	return b, nil
}

// checkValidators refuses sets that the decoder behind would trip over: of another kind of
// key, with one validator twice, or too many.
func checkValidators(set *cmtproto.ValidatorSet) error {
	if set == nil || len(set.Validators) == 0 || len(set.Validators) > maxValidators {
		return fmt.Errorf("%w: %d validators, not 1 to %d", ErrBlock, len(set.GetValidators()), maxValidators)
	}
	seen := make(map[string]bool, len(set.Validators))
	for i, v := range set.Validators {
		if v == nil || len(v.PubKey.GetEd25519()) != ed25519.PubKeySize {
			return fmt.Errorf("%w: validator %d has no Ed25519 key", ErrBlock, i)
		}
		pub := ed25519.PubKey(v.PubKey.GetEd25519())
		if !bytes.Equal(pub.Address(), v.Address) || seen[string(v.Address)] {
			return fmt.Errorf("%w: validator %d has another's address", ErrBlock, i)
		}
		seen[string(v.Address)] = true
	}
	return nil
}

// EncodeLightBlock is the inverse of DecodeLightBlock, for a Backend. It wraps ErrBlock
// when the block is larger than MaxLightBlock.
func EncodeLightBlock(b *types.LightBlock) ([]byte, error) {
	pb, err := b.ToProto()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlock, err)
	}
	raw, err := pb.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlock, err)
	}
	if len(raw) > MaxLightBlock {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrBlock, len(raw), MaxLightBlock)
	}
	return raw, nil
}

// summary is what a verified block says about the chain.
func summary(b *types.LightBlock) Summary {
	s := Summary{Height: uint64(b.Height), TimeMS: uint64(max(b.Time.UnixMilli(), 0))}
	copy(s.Hash[:], b.Hash())
	return s
}
