package chain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/crypto/tmhash"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	cmtcons "github.com/cometbft/cometbft/proto/tendermint/consensus"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/state"
)

// lostKey is no vice, but a validator that cannot prove its part of the seed.
const lostKey = "lost VRF key"

// startEvil starts a validator that does what evil says; "" is an honest one.
func startEvil(ctx context.Context, c Config, evil string) (*Chain, error) {
	var s seams
	switch evil {
	case "":
	case "two votes":
		s.signer = func(n *Chain, pv cmttypes.PrivValidator) cmttypes.PrivValidator {
			return &twoFaced{FilePV: pv.(*privval.FilePV), n: n}
		}
	default:
		s.app = func(a abci.Application) abci.Application { return forger{a, evil} }
	}
	return startWith(ctx, c, s)
}

// twoFaced signs two prevotes for one round from block 4 on, and sends the second to
// everybody.
type twoFaced struct {
	*privval.FilePV
	n *Chain
}

func (p *twoFaced) SignVote(chain string, vote *cmtproto.Vote) error {
	if err := p.FilePV.SignVote(chain, vote); err != nil || vote.Type != cmtproto.PrevoteType || vote.Height < 4 {
		return err
	}
	other := *vote
	hash := tmhash.Sum([]byte("another block"))
	other.BlockID = cmtproto.BlockID{Hash: hash, PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: hash}}
	sig, err := p.Key.PrivKey.Sign(cmttypes.VoteSignBytes(chain, &other))
	if err != nil {
		return err
	}
	other.Signature = sig
	p.n.node.Switch().BroadcastAsync(p2p.Envelope{ChannelID: consensus.VoteChannel, Message: &cmtcons.Vote{Vote: &other}})
	return nil
}

// forger proposes blocks that nobody may accept, and accepts them itself.
type forger struct {
	abci.Application
	what string
}

func (f forger) PrepareProposal(ctx context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	res, err := f.Application.PrepareProposal(ctx, req)
	if err != nil || len(res.Txs) == 0 {
		return res, err
	}
	switch f.what {
	case "no proof":
		res.Txs = res.Txs[1:]
	case "nothing":
		res.Txs = nil
	case "chosen proof":
		bad := bytes.Clone(res.Txs[0])
		bad[len(bad)-1] ^= 1
		res.Txs[0] = bad
	case "two proofs":
		res.Txs = append(res.Txs, res.Txs[0])
	case "noise":
		res.Txs = append(res.Txs, []byte("noise"))
	case "unsigned":
		thief := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
		res.Txs = append(res.Txs, forged(thief))
	}
	return res, nil
}

func (f forger) ProcessProposal(context.Context, *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

func (f forger) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	res, err := f.Application.FinalizeBlock(ctx, req)
	if err == nil && f.what == "wrong root" && req.Height == 4 {
		res.AppHash = tmhash.Sum(res.AppHash)
	}
	return res, err
}

// forged is a transfer of somebody else's money.
func forged(k ed25519.PrivateKey) []byte {
	raw := transfer(&testing.B{}, "test-1", k, 0, public(seeded("player", 0)), 1)
	raw[len(raw)-1] ^= 1 // of the signature, which comes last
	return raw
}

// One of four validators lies. The others go on without its blocks and keep one state.
func TestForgedBlocksAreRefused(t *testing.T) {
	for _, evil := range []string{"nothing", "no proof", "chosen proof", "two proofs", "noise", "unsigned", "wrong root", lostKey} {
		t.Run(evil, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, plan{validators: 4, players: 1})
			if evil == lostKey { // the start makes another, which the ledger does not know
				if err := os.Remove(filepath.Join(n.dirs[3], VRFKeyFile)); err != nil {
					t.Fatal(err)
				}
			}
			vals := n.launchWith(t, map[int]string{3: evil})
			honest := vals[:3]
			const last = 14 // each validator's turn comes three times
			for _, v := range honest {
				awaitHeight(t, v, last+1)
			}
			liar := vals[3].self.String()
			passed := false
			for h := uint64(1); h <= last; h++ {
				b, err := vals[0].lightBlock(h)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range honest[1:] {
					if o, err := v.lightBlock(h); err != nil || !bytes.Equal(o.Header.Hash(), b.Header.Hash()) {
						t.Fatalf("block %d differs: %v", h, err)
					}
				}
				forgedFrom := uint64(1)
				if evil == "wrong root" {
					forgedFrom = 5
				}
				if b.ProposerAddress.String() == liar && h >= forgedFrom {
					t.Errorf("block %d is the liar's", h)
				}
				passed = passed || b.Commit.Round > 0
			}
			if !passed {
				t.Error("no turn was passed over: the liar never had one")
			}
			for i, v := range honest {
				if err := v.Err(); err != nil {
					t.Errorf("validator %d: %v", i, err)
				}
			}
		})
	}
}

// A validator that votes for two blocks in one round is outvoted; the proof lands in a
// block, it loses its stake and its seat, and the chain goes on with three.
func TestTwoVotesCostTheSeatAndTheStake(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 4, players: 1, epoch: 1})
	vals := n.launchWith(t, map[int]string{3: "two votes"})
	liar := n.doc.Nodes[3].Node
	stake := func(v *Chain) (s state.Stake) {
		err := v.View(func(r state.Reader) error {
			raw, err := r.Get(state.StakeKey(liar))
			if err != nil || raw == nil {
				return fmt.Errorf("no stake: %w", err)
			}
			s, err = state.DecodeStake(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, v := range vals[:3] {
		// An honest one that comes late to most of an epoch loses its seat for a while.
		await(t, v, "three validators", func() bool { return v.Head().Validators == 3 && stake(v).Tombstoned })
		if s := stake(v); s.Amount >= n.doc.Nodes[3].Stake {
			t.Errorf("its stake is %+v, was %d", s, n.doc.Nodes[3].Stake)
		}
		awaitHeight(t, v, v.Head().Height+3)
		if err := v.Err(); err != nil {
			t.Error(err)
		}
	}
	var in uint64
	for h := uint64(1); h <= vals[0].Head().Height; h++ {
		if len(vals[0].blocks.LoadBlock(int64(h)).Evidence.Evidence) > 0 {
			in = h
		}
	}
	if in == 0 {
		t.Error("no block has the evidence")
	}
}

// launchWith starts all validators, those in evil with their vice.
func (n *network) launchWith(t *testing.T, evil map[int]string) []*Chain {
	t.Helper()
	vals := make([]*Chain, len(n.dirs))
	for i := range vals {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		v, err := startEvil(ctx, n.config(i), evil[i])
		if err != nil {
			t.Fatal(err)
		}
		vals[i] = v
		t.Cleanup(func() { halt(t, v) })
	}
	return vals
}
