package testnet

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p"
)

// lightBlock is a block's header, votes and validators as a node has them.
func lightBlock(t *testing.T, c *chain.Chain, height uint64) *cmttypes.LightBlock {
	t.Helper()
	raw, err := c.LightBlock(height)
	if err != nil {
		t.Fatal(err)
	}
	pb := new(cmtproto.LightBlock)
	if err := pb.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	b, err := cmttypes.LightBlockFromProto(pb)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed says whether a validator's vote is among those that made a block final.
func signed(b *cmttypes.LightBlock, by [20]byte) bool {
	for _, s := range b.Commit.Signatures {
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit && string(s.ValidatorAddress) == string(by[:]) {
			return true
		}
	}
	return false
}

// validators are those of the newest state.
func validators(t *testing.T, c *chain.Chain) (out []state.Validator) {
	t.Helper()
	err := c.View(func(r state.Reader) (err error) { out, err = state.ReadValidators(r); return err })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A network of four runs. A fifth machine comes: it starts from a snapshot, buys its way in
// by stake, makes blocks, and leaves again with its money. One that replays every block
// has the same state throughout.
func TestAValidatorComesAndGoes(t *testing.T) {
	n := start(t, Options{Checkers: 4, Money: &Money{Validators: 4, EpochSeconds: 2, BlockMS: 150,
		Params: func(p *economics.Params) { p.UnbondEpochs, p.AppealEpochs = economics.VerdictEpochs, 0 }},
		Edit: func(name string, c *node.Config) {
			switch {
			case strings.HasPrefix(name, "checker-"):
				c.Ledger.Snapshots = 20
			case name == "replays":
				c.Ledger.Mode = node.LedgerFull
			case name == "late":
				c.Ledger.Mode, c.Ledger.FastSync = node.LedgerValidator, true
			}
		}})
	first := n.Chain()
	var least atomic.Int64
	least.Store(4)
	defer first.Follow(func(h chain.Head) { least.Store(min(least.Load(), int64(h.Validators))) })()

	until(t, "a snapshot and a few blocks more", patience, func() bool { return first.Head().Height > 21 })
	boot := n.Find("indexer-1").Addrs()
	replays, err := n.add(t.Context(), "replays", []node.Role{node.RoleChecker}, boot)
	if err != nil {
		t.Fatal(err)
	}
	late, err := n.add(t.Context(), "late", []node.Role{node.RoleChecker}, boot)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	until(t, "the node that replays is at the head", patience, func() bool { return replays.Chain().Head().Height+2 >= first.Head().Height })
	until(t, "the node with the snapshot is at the head", patience, func() bool { return late.Chain().Head().Height+2 >= first.Head().Height })
	t.Logf("from a snapshot to the head in %v, at block %d", time.Since(began).Round(10*time.Millisecond), late.Chain().Head().Height)
	if _, err := late.Chain().LightBlock(2); err == nil {
		t.Error("the node with the snapshot has the second block: it replayed")
	}
	if _, err := replays.Chain().LightBlock(2); err != nil {
		t.Errorf("the node that replays has no second block: %v", err)
	}
	at := late.Chain().Head().Height
	same := func() {
		t.Helper()
		h := late.Chain().Head().Height
		until(t, "all have the block", patience, func() bool {
			return first.Head().Height >= h && replays.Chain().Head().Height >= h
		})
		want := lightBlock(t, first, h)
		for _, c := range []*chain.Chain{replays.Chain(), late.Chain()} {
			if got := lightBlock(t, c, h); got.AppHash.String() != want.AppHash.String() || got.Hash().String() != want.Hash().String() {
				t.Errorf("block %d is %s with the root %s, not %s with %s", h, got.Hash(), got.AppHash, want.Hash(), want.AppHash)
			}
		}
	}
	same()

	// It registers and stakes, from another account's money.
	owner := ledgeractor.Signer{Key: n.Account("faucet")}
	send := func(body *tx.Body) (height uint64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		in, err := n.Find("checker-1").Ledger().Send(ctx, owner, body)
		if err != nil {
			t.Fatal(err)
		}
		return in.Height
	}
	epochOf := func(height uint64) uint64 {
		return n.Genesis().Epoch(uint64(lightBlock(t, first, height).Time.UnixMilli()))
	}
	id, err := key.NodeOf(late.ID())
	if err != nil {
		t.Fatal(err)
	}
	p := n.Genesis().Params
	before := account(t, n, owner.Address()).Balance
	send(&tx.Body{Op: &tx.Body_Register{Register: registration(t, n, "late", owner.Address(), id)}})
	staked := send(&tx.Body{Op: &tx.Body_Stake{Stake: &tx.Stake{Node: id[:], Amount: p.ValidatorMinStake}}})
	var self state.Validator
	until(t, "it is a validator", patience, func() bool {
		for _, v := range validators(t, first) {
			if v.Node == id {
				self = v
			}
		}
		return self.Power > 0
	})
	until(t, "five can sign", patience, func() bool { return first.Head().Validators == 5 })
	from := first.Head().Height
	address, votes, proposals := self.Address(), 0, 0
	enters := staked // the first block that it can sign: it was decided on two blocks before
	until(t, "it is among those who sign a block", patience, func() bool {
		for ; enters < first.Head().Height; enters++ {
			if lightBlock(t, first, enters).ValidatorSet.HasAddress(address[:]) {
				return true
			}
		}
		return false
	})
	if s, e := epochOf(staked), epochOf(enters-2); e > s+2 {
		t.Errorf("it staked in epoch %d and is a validator only in %d", s, e)
	}
	until(t, "it signs and proposes", patience, func() bool {
		for ; from < first.Head().Height; from++ {
			b := lightBlock(t, first, from)
			if signed(b, address) {
				votes++
			}
			if string(b.ProposerAddress) == string(address[:]) {
				proposals++
			}
		}
		return votes >= 5 && proposals >= 2
	})
	if got := lightBlock(t, first, from-1); got.Height-int64(at) > 0 && got.ValidatorSet.Size() != 5 {
		t.Errorf("%d validators", got.ValidatorSet.Size())
	}
	same()

	// It leaves. The others go on without it, and what was staked comes back.
	send(&tx.Body{Op: &tx.Body_Unbond{Unbond: &tx.Unbond{Node: id[:], Amount: p.ValidatorMinStake}}})
	until(t, "four can sign again", patience, func() bool { return first.Head().Validators == 4 })
	gone := first.Head().Height + 3
	until(t, "blocks without it", patience, func() bool { return first.Head().Height > gone })
	if signed(lightBlock(t, first, gone), address) {
		t.Error("it signs after it has left")
	}
	until(t, "its money is back", patience, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := n.Find("checker-1").Ledger().Send(ctx, owner, &tx.Body{Op: &tx.Body_Claim{Claim: &tx.Claim{}}})
		return err == nil
	})
	after := account(t, n, owner.Address())
	if spent := before - after.Balance; spent%p.TxFee != 0 || spent > 40*p.TxFee {
		t.Errorf("staking and unstaking cost %d base units", spent)
	}
	same()
	if least.Load() < 4 {
		t.Errorf("once only %d validators were left", least.Load())
	}
	supplyIsExact(t, n)
}

// registration enters a node that runs here as a checker that validates.
func registration(t *testing.T, n *Net, name string, owner key.Address, id key.Node) *tx.Register {
	t.Helper()
	dir := node.LedgerDir(filepath.Join(n.o.Dir, name))
	op := &tx.Register{Node: id[:], Roles: uint32(economics.RoleChecker), Region: "local"}
	ck, err := chain.ConsensusKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	vk, err := chain.VRFKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	op.ConsensusKey, op.VrfKey = ck[:], vk[:]
	if op.ConsensusSignature, op.VrfProof, err = chain.Possession(dir, n.Genesis().ChainID, owner, id); err != nil {
		t.Fatal(err)
	}
	op.NodeSignature = key.Sign(nodeKey(t, n, name), n.Genesis().ChainID, key.KindNode, tx.NodePayload(owner, id, op.VrfKey, op.ConsensusKey))
	return op
}

// nodeKey is the identity of a node of the network.
func nodeKey(t *testing.T, n *Net, name string) ed25519.PrivateKey {
	t.Helper()
	k, err := p2p.LoadOrCreateKey(filepath.Join(n.o.Dir, name, "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.Raw()
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.PrivateKey(raw)
}
