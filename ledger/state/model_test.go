package state

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// drawn lets a bed fail a property instead of the whole test, so that rapid can shrink.
type drawn struct {
	testing.TB
	rt *rapid.T
}

func (d drawn) Helper()                           {}
func (d drawn) Error(args ...any)                 { d.rt.Error(args...) }
func (d drawn) Errorf(format string, args ...any) { d.rt.Errorf(format, args...) }
func (d drawn) Fatal(args ...any)                 { d.rt.Fatal(args...) }
func (d drawn) Fatalf(format string, args ...any) { d.rt.Fatalf(format, args...) }

func modelPlan(p *genesis.Plan) {
	manyCheckers(p)
	p.Params.YearEpochs = 80 // a quarter within reach
	p.Params.MaxDuePerBlock = 10
	p.Params.AppealEpochs = 2
	p.Params.EarlyEpochs = 6
	p.Oracles[2] = who("k1").address() // one that has a stake to lose
	p.Params.RequirementEpochs, p.Params.CoefficientEpochs, p.Params.StakeGraceEpochs = 30, 3, 2
	p.Params.SessionExpiryEpochs = 12
	p.Params.ChallengeEpochs = 1
	p.Accounts = append(p.Accounts, genesis.Account{
		Address: who("grantee").address(), Amount: frm, Vest: []genesis.Vest{{Amount: 1_000_003, CliffEpochs: 5, LinearEpochs: 50}},
	})
}

var (
	modelPeople = []string{"alice", "bob", "grantee", "c1 owner", "c2 owner", "i1 owner", "k0 owner", "k1 owner", "v1 owner", "v2 owner", "pauper"}
	modelNodes  = []string{"c1", "c2", "i1", "k0", "k1", "k2", "k3", "v1", "v2", "new1", "new2"}
)

// modelActions are the names of what a history does; those that others build on come often.
var modelActions = []string{
	"open", "open", "open", "open", "close", "close", "close", "close by player", "close by player", "top up", "batch", "batch",
	"transfer", "stake", "unbond", "register", "retire", "delegate", "revoke", "commit", "commit", "certificate", "certificate",
	"certificate", "certificate", "fraud", "fraud", "match", "match", "appeal", "appeal", "answer", "answer", "double vote", "claim", "claim", "claim early", "checker rewards", "propose", "approve", "weigh", "accuse", "acquit", "misbehave", "silent", "epochs", "epochs", "pause",
}

// history is a random walk through the ledger: what was done, in a form that can be done
// again, and what came of it.
type history struct {
	*rapid.T
	bed      *bed
	steps    []func(*bed) ([]Event, error)
	outcomes []string
	orders   []*tx.OpenSession
	players  []identity
	restarts bool              // the machine is opened anew from its store after each block
	promised map[string]uint64 // by session name and container: the most its player has signed
}

func (h *history) do(step func(*bed) ([]Event, error)) {
	events, err := step(h.bed)
	h.steps = append(h.steps, step)
	h.outcomes = append(h.outcomes, outcome(events, err))
	if err != nil && !refused(err) {
		h.Fatalf("step %d stopped the node: %v", len(h.steps), err)
	}
	h.check(events)
	h.checkAccused()
}

// checkAccused: as many as can still be carried out keep a node in the registry.
func (h *history) checkAccused() {
	open := map[key.Node]uint32{}
	ids, err := h.accusations()
	h.bed.must(err)
	for _, id := range ids {
		a, ok, err := ReadAccusation(h.bed.Reader(), id)
		if n, known, _ := ReadNode(h.bed.Reader(), a.Node); err != nil || !ok || !known || n.Owner != a.Owner {
			h.Fatalf("%x is about %s, which is registered: %v; %v", id[:8], a.Node, known, err)
		}
		open[a.Node]++
	}
	h.bed.must(h.bed.Reader().Range([]byte(prefixStake), prefixEnd([]byte(prefixStake)), func(k, v []byte) bool {
		n := key.Node(k[len(prefixStake):])
		if s, err := DecodeStake(v); err != nil || s.Accused != open[n] {
			h.Fatalf("%s has %+v and %d accusations; %v", n, s, open[n], err)
		}
		delete(open, n)
		return true
	}))
	if len(open) > 0 {
		h.Fatalf("accused without a record: %v", open)
	}
}

// check holds settlements to what players have signed, and the coefficient to its bounds.
func (h *history) check(events []Event) {
	for _, e := range events {
		a := map[string]string{}
		for _, x := range e.Attrs {
			a[x.Key] = x.Value
		}
		if e.Kind == "coefficient" {
			h.checkCoefficient(a)
		}
		if e.Kind != "session_settled" {
			continue
		}
		gross, err := strconv.ParseUint(a["gross"], 10, 64)
		if most := h.promised[a["container"]+a["session"]]; err != nil || gross > most {
			h.Fatalf("settled %d, the player never signed more than %d", gross, most)
		}
	}
}

// checkCoefficient: no step is above a fifth, and none leaves the bounds.
func (h *history) checkCoefficient(a map[string]string) {
	p := h.bed.Params()
	now, err := strconv.ParseUint(a["coefficient"], 10, 64)
	before, err2 := strconv.ParseUint(a["before"], 10, 64)
	least, most := p.ContainerStake/10_000*p.ContainerStakeMinBps, p.ContainerStake/10_000*p.ContainerStakeMaxBps
	if err != nil || err2 != nil || max(now, before)-min(now, before) > before/5 || now < least || now > most {
		h.Fatalf("the coefficient went from %q to %q, of %d to %d", a["before"], a["coefficient"], least, most)
	}
}

func outcome(events []Event, err error) string { return fmt.Sprint(events, err) }

// say signs an operation with the next nonce and applies it, in a block of its own.
func (h *history) say(signer identity, account *identity, op any) {
	w := wrap(op)
	if account != nil {
		w.Account = account.raw()
	}
	w.Nonce = h.bed.nonce(signer)
	if rapid.IntRange(0, 30).Draw(h.T, "nonce") == 17 {
		w.Nonce += 1
	}
	raw, err := tx.Sign(chainName, signer.private, w)
	if err != nil {
		return // not a transaction at all
	}
	h.do(func(b *bed) ([]Event, error) {
		t, err := tx.Decode(raw)
		if err != nil {
			return nil, err
		}
		return b.Apply(t)
	})
}

func (h *history) block(ms uint64, bad ...Misbehavior) {
	h.do(func(b *bed) ([]Event, error) {
		b.end()
		if h.restarts {
			m, err := Open(b.store, WithKernel(hashKernel{}), WithMatcher(plainMatcher{}))
			b.must(err)
			b.Machine = m
		}
		b.begin(ms, bad...)
		return b.seen, nil
	})
}

func (h *history) pick(label string, names []string) identity {
	return who(rapid.SampledFrom(names).Draw(h.T, label))
}

func (h *history) amount(label string) uint64 {
	return rapid.OneOf(
		rapid.Just(uint64(1)), rapid.Uint64Range(1, 1_000_000), rapid.Uint64Range(1, 30_000*frm),
		rapid.SampledFrom([]uint64{500 * frm, 1_000 * frm, 2_000 * frm, 10_000 * frm}),
	).Draw(h.T, label)
}

func (h *history) order() (*tx.OpenSession, identity, bool) {
	if len(h.orders) == 0 {
		return nil, identity{}, false
	}
	i := rapid.IntRange(max(0, len(h.orders)-8), len(h.orders)-1).Draw(h.T, "order")
	return h.orders[i], h.players[i], true
}

func (h *history) voucher(o *tx.OpenSession, player identity) *tx.Voucher {
	if rapid.IntRange(0, 6).Draw(h.T, "voucher") == 4 {
		return nil
	}
	seq := rapid.Uint64Range(1, 20).Draw(h.T, "seq")
	seconds := rapid.Uint32Range(1, o.Seconds+2).Draw(h.T, "seconds")
	paid := max(1, uint64(seconds)*o.PerSecond+rapid.Uint64Range(0, 2).Draw(h.T, "paid")-1)
	if rapid.IntRange(0, 9).Draw(h.T, "forged") == 7 {
		return promised(chainName, who("mallory"), o, seq, seconds, paid)
	}
	name := idOf(o.Container, o.Session)
	id := name.container.String() + name.text()
	h.promised[id] = max(h.promised[id], paid)
	return promised(chainName, player, o, seq, seconds, paid)
}

func (h *history) actions() map[string]func() {
	epoch := func() uint64 { return h.bed.Epoch() }
	byOwner := func(node string) (identity, identity) { return who(node + " owner"), who(node) }
	return map[string]func(){
		"transfer": func() {
			to := h.pick("to", modelPeople)
			h.say(h.pick("from", modelPeople), nil, &tx.Transfer{To: to.raw(), Amount: h.amount("amount")})
		},
		"stake": func() {
			n := rapid.SampledFrom(modelNodes).Draw(h.T, "node")
			h.say(who(n+" owner"), nil, &tx.Stake{Node: who(n).raw(), Amount: h.amount("amount")})
		},
		"unbond": func() {
			n := rapid.SampledFrom(modelNodes).Draw(h.T, "node")
			h.say(who(n+" owner"), nil, &tx.Unbond{Node: who(n).raw(), Amount: h.amount("amount")})
		},
		"register": func() {
			owner, node := h.pick("owner", modelPeople), h.pick("node", modelNodes)
			if rapid.Bool().Draw(h.T, "own") { // who lays a role down, takes it up, moves
				owner, node = byOwner(rapid.SampledFrom(modelNodes).Draw(h.T, "which"))
			}
			r := registration(owner, node, economics.Role(rapid.Uint32Range(1, 7).Draw(h.T, "roles")), false)
			if rapid.Bool().Draw(h.T, "moves") {
				r.Subnets = [][]byte{{11, 1, rapid.Byte().Draw(h.T, "home")}}
				r.Consent(chainName, node.private, owner.address())
			}
			h.say(owner, nil, r)
		},
		"retire": func() {
			n := rapid.SampledFrom(modelNodes).Draw(h.T, "node")
			h.say(who(n+" owner"), nil, &tx.Retire{Node: who(n).raw()})
		},
		"delegate": func() {
			n := rapid.SampledFrom(modelNodes).Draw(h.T, "node")
			h.say(who(n+" owner"), nil, &tx.Delegate{
				Node: who(n).raw(), ExpiresEpoch: epoch() + rapid.Uint64Range(0, 60).Draw(h.T, "epochs"),
				CutPpm: rapid.Uint32Range(0, 1_000_000).Draw(h.T, "cut"),
			})
		},
		"revoke": func() {
			n := rapid.SampledFrom(modelNodes).Draw(h.T, "node")
			h.say(who(n+" owner"), nil, &tx.Revoke{Node: who(n).raw()})
		},
		"open": func() {
			player := h.pick("player", []string{"alice", "alice", "bob", "bob", "c1 owner", "pauper"})
			o := h.bed.orderOf(player, rapid.Uint64Range(0, 1_000).Draw(h.T, "name"), rapid.Uint32Range(1, 100).Draw(h.T, "seconds"))
			o.Container = who(rapid.SampledFrom([]string{"c1", "c1", "c2", "i1"}).Draw(h.T, "container")).raw()
			if rapid.Bool().Draw(h.T, "led") {
				o.Indexer = who(rapid.SampledFrom([]string{"i1", "i1", "c2"}).Draw(h.T, "indexer")).raw()
			}
			o.PerSecond += uint64(rapid.SampledFrom([]int{0, 0, 0, 0, 1}).Draw(h.T, "off"))
			if rapid.IntRange(0, 3).Draw(h.T, "liar") == 2 { // one oracle of three says another rate
				o.Quotes = [][]byte{h.bed.quoted("oracle", testRate), h.bed.quoted("oracle 2", testRate), h.bed.quoted("k1", rapid.Uint64Range(testRate, 3*testRate).Draw(h.T, "rate"))}
			}
			h.orders, h.players = append(h.orders, o), append(h.players, player)
			h.say(player, nil, o)
		},
		"top up": func() {
			if o, player, ok := h.order(); ok {
				h.say(player, nil, &tx.TopUp{Container: o.Container, Session: o.Session, Seconds: rapid.Uint32Range(1, 50).Draw(h.T, "more")})
			}
		},
		"close": func() {
			if o, player, ok := h.order(); ok {
				owner, node := byOwner(rapid.SampledFrom([]string{"c1", "c1", "c1", "c2"}).Draw(h.T, "by"))
				h.say(node, &owner, closing(o, h.voucher(o, player)))
			}
		},
		"close by player": func() {
			if o, player, ok := h.order(); ok {
				h.say(player, nil, closing(o, h.voucher(o, player)))
			}
		},
		"batch": func() {
			batch := &tx.BatchClose{}
			for range rapid.IntRange(1, 4).Draw(h.T, "size") {
				if o, player, ok := h.order(); ok {
					batch.Sessions = append(batch.Sessions, closing(o, h.voucher(o, player)))
				}
			}
			h.say(who("c1 owner"), nil, batch)
		},
		"commit": func() {
			owner, node := byOwner(rapid.SampledFrom(modelNodes).Draw(h.T, "node"))
			h.say(node, &owner, commit(epoch()-min(epoch(), rapid.Uint64Range(0, 2).Draw(h.T, "ago")), rapid.Uint32Range(0, 3).Draw(h.T, "batch"), "x"))
		},
		"certificate": func() { h.certify() },
		"fraud":       func() { h.fraud() },
		"match":       func() { h.match() },
		"appeal": func() {
			all, err := h.accusations()
			h.bed.must(err)
			id := [32]byte{1}
			if len(all) > 0 {
				id = rapid.SampledFrom(all).Draw(h.T, "accusation")
			}
			by := h.pick("by", []string{"c1 owner", "c2 owner", "bob"})
			if a, ok, err := ReadAccusation(h.bed.Reader(), id); err == nil && ok && rapid.Bool().Draw(h.T, "owner") {
				if n, ok, err := ReadNode(h.bed.Reader(), a.Node); err == nil && ok {
					by = ownerOf(n.Owner, by)
				}
			}
			h.say(by, nil, &tx.Appeal{Accusation: id[:]})
			if rapid.Bool().Draw(h.T, "at once") {
				h.block(10_000)
				h.answer()
			}
		},
		"answer": func() { h.answer() },
		"double vote": func() {
			if n := h.pick("node", modelNodes); rapid.IntRange(0, 9).Draw(h.T, "really") == 7 {
				h.say(h.pick("by", modelPeople), nil, doubleVote(n, n, "yes", "no"))
			}
		},
		"claim": func() { h.say(h.pick("by", slices.Concat(modelPeople, modelNodes)), nil, &tx.Claim{}) },
		"claim early": func() {
			by := h.pick("by", []string{"k0 owner", "k1 owner", "k0", "k1"})
			h.say(by, nil, &tx.Claim{Early: rapid.SampledFrom([]uint64{29 * frm, 30 * frm, 77*frm + 1, 1 << 60}).Draw(h.T, "early")})
		},
		"checker rewards": func() {
			n, at, w := h.pick("node", []string{"k0", "k0", "k1"}).node(), epoch(), rapid.Uint64Range(1, 10).Draw(h.T, "answers")
			h.do(func(b *bed) ([]Event, error) { return nil, b.AddWeight(at, RewardChecker, n, Weight{Capacity: w}) })
			if rapid.Bool().Draw(h.T, "leave") {
				h.block(20_000)  // it is paid for
				h.block(120_000) // and may leave
				h.say(who("k0 owner"), nil, &tx.Claim{Early: rapid.Uint64Range(30*frm, 300*frm).Draw(h.T, "early")})
			}
		},
		"propose": func() {
			name := rapid.SampledFrom([]string{"fee_bps", "tx_fee", "challenge_epochs", "host_vest_epochs", "slash_victim_bps", "max_due_per_block"}).Draw(h.T, "name")
			h.say(h.pick("by", []string{"v1 owner", "v2 owner", "bob"}), nil, &tx.ProposeChange{Parameter: name, Value: rapid.Uint64Range(0, 3_000).Draw(h.T, "value")})
		},
		"approve": func() {
			h.say(h.pick("by", []string{"v1 owner", "v2 owner"}), nil, &tx.ApproveChange{Proposal: rapid.Uint64Range(0, 4).Draw(h.T, "proposal")})
		},
		"weigh": func() {
			class, id, at := RewardClass(rapid.Uint8Range(0, uint8(rewardEnd)-1).Draw(h.T, "class")), h.pick("node", modelNodes).node(), epoch()
			w := Weight{rapid.Uint64Range(0, 100).Draw(h.T, "capacity"), rapid.Uint64Range(0, 100).Draw(h.T, "work"), rapid.Uint64Range(0, frm).Draw(h.T, "fees")}
			h.do(func(b *bed) ([]Event, error) { return nil, b.AddWeight(at, class, id, w) })
		},
		"accuse": func() {
			o := economics.Offence(rapid.SampledFrom([]uint8{1, 2, 2, 3, 4, 5, 7}).Draw(h.T, "offence"))
			id, n, victim := [32]byte{rapid.Byte().Draw(h.T, "id")}, h.pick("node", modelNodes).node(), h.pick("victim", modelPeople).address()
			h.do(func(b *bed) ([]Event, error) { return b.Accuse(id, n, o, victim) })
		},
		"acquit": func() {
			id := [32]byte{rapid.Byte().Draw(h.T, "id")}
			h.do(func(b *bed) ([]Event, error) { events, _, err := b.Acquit(id); return events, err })
		},
		"silent": func() { // through the end of an epoch that had blocks enough
			name := rapid.SampledFrom([]string{"v1", "v2", "k0"}).Draw(h.T, "node")
			h.do(func(b *bed) (all []Event, _ error) {
				for i := range leastBlocks + 1 {
					ms := uint64(1)
					if i == leastBlocks {
						ms = 10_000
					}
					b.missing(ms, name)
					all = append(all, b.seen...)
				}
				return all, nil
			})
		},
		"misbehave": func() {
			if n := rapid.SampledFrom([]string{"v1", "v2", "k0"}).Draw(h.T, "node"); rapid.IntRange(0, 9).Draw(h.T, "really") == 7 {
				h.block(100, Misbehavior{Address: ConsensusAddress(who(n + " consensus").key()), Height: 1, Kind: "duplicate_vote"})
			}
		},
		"epochs": func() { h.block(10_000 * rapid.Uint64Range(1, 4).Draw(h.T, "epochs")) },
		"pause":  func() { h.block(10_000 * rapid.Uint64Range(20, 300).Draw(h.T, "epochs")) },
	}
}

// Whatever is said to the ledger, in whatever order: no money is made or lost, nobody pays
// more than was signed, and the same history gives the same bytes, also to a node that is
// started again after every block.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newRounds(drawn{t, rt}, modelPlan)
		h := &history{T: rt, bed: b, promised: map[string]uint64{}}
		actions := h.actions()
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			actions[rapid.SampledFrom(modelActions).Draw(rt, "action")]()
			// The block ends: its records are added up one by one and must equal the running
			// totals and sum to the supply.
			h.block(500)
		}
		b.end()
		want := b.digest()

		again := newRounds(drawn{t, rt}, modelPlan)
		h.restarts = true
		for i, step := range h.steps {
			if events, err := step(again); outcome(events, err) != h.outcomes[i] {
				rt.Fatalf("step %d of the replay: %s\nwas %s", i, outcome(events, err), h.outcomes[i])
			}
		}
		again.end()
		if again.digest() != want {
			rt.Fatal("the same history gave another state")
		}
		if !reflect.DeepEqual(again.store.writes, b.store.writes) {
			rt.Fatal("the same history was written in another order")
		}
	})
}
