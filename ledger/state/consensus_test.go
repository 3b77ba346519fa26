package state

import (
	"fmt"
	"testing"

	cmted "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

// engine is what consensus makes of the updates: those of block h count from h + 2 on.
type engine struct {
	t         *rapid.T
	now, next *cmttypes.ValidatorSet
}

func changes(updates []ValidatorUpdate) []*cmttypes.Validator {
	var out []*cmttypes.Validator
	for _, u := range updates {
		out = append(out, cmttypes.NewValidator(cmted.PubKey(u.Key[:]), int64(u.Power)))
	}
	return out
}

func (e *engine) hear(updates []ValidatorUpdate) {
	after := e.next.Copy()
	if err := after.UpdateWithChangeSet(changes(updates)); err != nil {
		e.t.Fatalf("consensus stops: %v", err)
	}
	if len(updates) > 0 {
		after.IncrementProposerPriority(1)
	}
	e.now, e.next = e.next, after
}

// Whatever nodes do with their keys and stakes, and whoever is caught, the engine takes
// every update that the state gives it, always has a validator, and each that may propose a
// block is one whose part of the seed can be checked.
func TestTheEngineTakesEveryUpdate(t *testing.T) {
	nodes := []string{"v1", "v2", "n0", "n1", "n2", "n3"}
	rapid.Check(t, func(rt *rapid.T) {
		b := newBed(drawn{t, rt}, func(p *genesis.Plan) {
			p.Params.MaxValidators = 3
			p.Params.PowerUnit = 100 // the largest powers there can be
			for i := range p.Nodes {
				p.Nodes[i].Delegate = false
			}
			for _, n := range nodes[2:] {
				p.Accounts = append(p.Accounts, genesis.Account{Address: who(n + " owner").address(), Amount: 1_000_000 * frm})
			}
		})
		first := cmttypes.NewValidatorSet(changes(b.first))
		e := &engine{rt, first, first.Copy()}
		check := func() {
			for _, v := range e.now.Validators {
				if _, ok, err := ReadValidator(b.store, [20]byte(v.Address)); err != nil || !ok {
					rt.Fatalf("height %d: %s may propose and nobody knows its VRF key (%v)", b.Head().Height, v.Address, err)
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			name := rapid.SampledFrom(nodes).Draw(rt, "node")
			n, owner := who(name), who(name+" owner")
			var bad []Misbehavior
			switch rapid.SampledFrom([]string{"keys", "keys", "no keys", "stake", "stake", "unbond", "retire", "two votes", "two votes of consensus", "wait"}).Draw(rt, "what") {
			case "keys":
				r := registration(owner, n, checker, false)
				set := rapid.IntRange(0, 1).Draw(rt, "set")
				possess(r, owner, who(fmt.Sprintf("%s consensus %d", name, set)), who(fmt.Sprintf("%s vrf %d", name, set)))
				r.Consent(chainName, n.private, owner.address())
				_ = b.do(owner, r)
			case "no keys":
				_ = b.do(owner, registration(owner, n, checker, false))
			case "stake":
				_ = b.do(owner, &tx.Stake{Node: n.raw(), Amount: rapid.Uint64Range(10_000*frm, 100_000*frm).Draw(rt, "amount")})
			case "unbond":
				if s, _ := b.stake(n.node()); s.Amount > 0 {
					_ = b.do(owner, unbondAll(b, n))
				}
			case "retire":
				_ = b.do(owner, &tx.Retire{Node: n.raw()})
			case "two votes":
				if rapid.IntRange(0, 3).Draw(rt, "really") == 0 {
					_, err := b.slash(n.node(), economics.OffenceEquivocation, owner.address(), b.doc.Supply)
					b.must(err)
				}
			case "two votes of consensus":
				for _, v := range e.now.Validators {
					if rapid.IntRange(0, 3).Draw(rt, "caught") == 0 {
						bad = append(bad, Misbehavior{Address: [20]byte(v.Address), Height: 1, Kind: "duplicate_vote"})
					}
				}
			}
			e.hear(b.next(rapid.SampledFrom([]uint64{1, 5_000, 10_000, 10_000, 30_000}).Draw(rt, "ms"), bad...).Validators)
			check()
		}
		e.hear(b.end().Validators)
		check()
	})
}
