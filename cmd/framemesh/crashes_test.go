package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node/why"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

var quiet = slog.New(slog.DiscardHandler)

// drafts are the members of an epoch's only committee in the order in which they draft.
func (v *village) drafts(epoch uint64) (names []string) {
	v.Helper()
	var a *judge.Assignment
	v.until(fmt.Sprintf("the draw of epoch %d is known", epoch), patience, func() (known bool) {
		var err error
		if a, _, err = v.watch.assignment(v.ctx, epoch); err != nil {
			v.Logf("no draw yet: %v", err)
		}
		return err == nil
	})
	members := a.Batches[0].Committee
	names = make([]string, len(members))
	for name, h := range v.nodes {
		if slices.Contains(members, h.id) {
			names[judge.Rank(a.Seed, 0, 0, members, h.id)] = name
		}
	}
	return names
}

// customer plays through the gateway and pays from an account of its own.
func (v *village) customer(k ed25519.PrivateKey) (*player.Player, *purse.Purse) {
	v.Helper()
	url := v.nodes[door].URL
	address := key.Address(k[ed25519.SeedSize:])
	money, err := purse.New(purse.Options{Key: k, Network: "village", Chain: "village", TxFee: v.doc.Params.TxFee,
		Account: func(context.Context) (a purse.Account, err error) {
			var said struct{ Balance, Nonce string }
			get(v.T, url+"api/ledger/account/"+address.String(), &said)
			if a.Balance, err = strconv.ParseUint(said.Balance, 10, 64); err == nil {
				a.Nonce, err = strconv.ParseUint(said.Nonce, 10, 64)
			}
			return a, err
		}})
	if err != nil {
		v.Fatal(err)
	}
	witness, err := purse.NewWitness("village", k)
	if err != nil {
		v.Fatal(err)
	}
	var p *player.Player
	why := error(nil)
	v.until("a session begins", patience, func() bool {
		ctx, cancel := context.WithTimeout(v.ctx, patience)
		defer cancel()
		if err != nil && (why == nil || err.Error() != why.Error()) {
			v.Logf("no session yet: %v", err)
			why = err
		}
		p, err = player.Play(ctx, player.Options{URL: url + "whep/novareef", Payer: money, Witness: witness, Key: money.PlayerKey(), RandomInput: true, Seed: 1})
		return err == nil
	})
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	if err := p.FirstFrame(ctx); err != nil {
		v.Fatal(err)
	}
	return p, money
}

// pays waits until a purse has signed for so many seconds.
func (v *village) pays(p *player.Player, money *purse.Purse, seconds uint32) {
	v.Helper()
	v.until(fmt.Sprintf("%d s are paid", seconds), patience, func() bool {
		if r := p.Report(); r.Bye != nil {
			v.Fatalf("the session ended: %+v; %+v", r.Bye, money.Report())
		}
		m := money.Report()
		return m.Seconds >= seconds && m.State == control.PayOK
	})
}

// Every node of a network is a process of its own. In the middle of rounds, and of a session
// that is paid, processes are killed with kill -9 and started again: containers, checkers, the
// one that is the first to aggregate, and the one that makes the blocks. Every round ends in
// time, nobody honest is punished, the others are proven and paid, the votes can be counted
// again, and the ledger adds up.
func TestKilledProcessesInsideRounds(t *testing.T) {
	realEpochs(t)
	_, payer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	who := key.Address(payer[ed25519.SeedSize:])
	v := newVillage(t, 2, 5, nil, who)
	v.startAll()
	first := v.epoch() + 1
	v.Logf("all is up in epoch %d", first-1)

	// Between the phases of the round: the window is 3.4 s, nonces show at 4.4 s, votes are
	// bound by 8.25 s, shown from 8.6 s on, drafted from 9.9 s on.
	v.at(first, 1_500) // while it renders
	v.kill("container-1")
	v.restart("container-1")
	v.at(first, 4_100) // between commitments and nonces
	v.kill("checker-2")
	v.restart("checker-2")

	v.at(first+1, 3_500) // the draw is known
	members := slices.DeleteFunc(v.drafts(first+1), func(name string) bool { return name == hall })
	aggregator, binder, asker := members[0], members[len(members)-1], members[len(members)-2]
	v.at(first+1, 4_700) // after the nonces, when it asks for tiles
	v.kill(asker)
	v.restart(asker)
	v.at(first+1, 8_400) // between the vote that is bound and the one that is shown
	v.kill(binder)
	ready := v.launch(binder)
	v.at(first+1, 9_850) // who aggregates first
	v.kill(aggregator)
	again := v.launch(aggregator)
	ready()
	again()

	// The node that makes the blocks, in a round and in a session. The containers have been
	// measured by now, so that players are matched.
	p, money := v.customer(payer)
	serving := p.Header().Get(whep.HeaderContainer)
	v.pays(p, money, 2)
	v.at(first+2, 6_000)
	before := v.watch.Head()
	v.kill(hall)
	paid := money.Report().Seconds
	v.at(first+2, 8_000)
	v.restart(hall)
	v.until("the light client goes on", patience, func() bool { return v.watch.Head().Height > before.Height+2 })
	var now struct{ Height uint64 }
	v.until("the gateway's does", patience, func() bool {
		get(t, v.nodes[door].URL+"api/ledger", &now)
		return now.Height > before.Height+2
	})
	block := asked[blockRow](v, "ledger", "block", strconv.FormatUint(before.Height, 10))
	if block.Hash != fmt.Sprintf("%x", before.Hash) {
		t.Errorf("block %d was %x and is %s", before.Height, before.Hash, block.Hash)
	}
	v.pays(p, money, paid+3)

	// Before a round begins.
	other := "container-1"
	if v.nodes[other].Peer == serving {
		other = "container-2"
	}
	v.at(first+2, villageEpoch*1000-700)
	v.kill(other)
	v.restart(other)
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
	played := money.Report()

	v.judged(first, first+3, 3)
	short := uint64(0)
	if played.Taken < played.Vouchers { // the container did not get to the last one
		short = 3
	}
	v.settled(who, played, short)

	// What a checker had on its disk is not lost: killed before it voted, it votes all the same.
	// Where a busy machine had it up again too late for that, the next round shows it.
	for e, tries := first+1, 1; !v.voted(e, asker); tries++ {
		if tries == 6 {
			t.Fatalf("killed before they voted in %d rounds, checkers never voted", tries)
		}
		e = v.next(v.epoch(), 3_500)
		v.at(e, 3_500)
		asker = slices.DeleteFunc(v.drafts(e), func(name string) bool { return name == hall })[0]
		v.at(e, 4_700)
		v.kill(asker)
		v.restart(asker)
		v.counted(e)
	}
}

// voted says whether a checker's vote counts in the certificate of a round.
func (v *village) voted(epoch uint64, name string) bool {
	v.Helper()
	c := asked[certificateWhy](v, "why", fmt.Sprintf("%d/0", epoch))
	v.Logf("%s was killed in epoch %d; of the committee it says %+v", name, epoch, c.Members)
	return slices.Contains(c.Members, memberWhy{v.peer(name), "correct"})
}

// roundsMore are waited for where a machine that is busy missed some. Nobody is harmed by that.
const roundsMore = 10

// judged waits until the rounds from first to last are over, so many of them or of those after
// them are certified, and every container was paid for one. It checks what the ledger says of
// rounds in which honest nodes were killed.
func (v *village) judged(first, last uint64, certified int) {
	v.Helper()
	had, end := 0, last+roundsMore
	for e := first; e <= last; e++ {
		if v.counted(e) {
			had++
		}
		if e == last && e < end && (had < certified || v.unpaid(first, last) != "") {
			last++
		}
	}
	if had < certified {
		v.Errorf("%d of %d rounds have a certificate", had, last-first+1)
	}
	if name := v.unpaid(first, last); name != "" {
		v.Errorf("%s is paid for none of %d rounds", name, last-first+1)
	}
	for _, name := range v.order {
		v.Logf("%s: %d MiB resident", name, resident(v.T, v.nodes[name].cmd.Process.Pid))
		if name == door {
			continue
		}
		r := asked[why.Report](v, "why", v.peer(name))
		for _, x := range r.Verdicts {
			if slices.Contains([]string{"bad", "convicted", "accused", "banned", "refused"}, x.Verdict) && x.Name != notOpened {
				v.Errorf("%s: %+v", name, x)
			}
		}
		for _, f := range r.Findings {
			if slices.Contains([]string{"slashed", "jailed", "tombstoned", "banned", "wrong_answers", "accused", "convicted"}, f.Code) {
				v.Errorf("%s: %+v", name, f)
			}
		}
	}
	if s := v.says("ledger", "supply", "--data-dir", v.dir, "--genesis", v.genesis, "--peer", v.nodes[hall].Addr[0], "--config", v.plain()); s["supply_ok"] != true {
		v.Errorf("%v", s)
	}
}

// notOpened is the reason of a container that stands still, or is killed, after its commitment.
const notOpened = "not_opened"

// counted waits until a round is certified or can no longer be, and checks the certificate and
// the votes behind it.
func (v *village) counted(e uint64) bool {
	v.Helper()
	v.at(e+1, 500)
	var c certificateWhy
	v.until(fmt.Sprintf("the round of epoch %d is over", e), patience, func() bool {
		c = asked[certificateWhy](v, "why", fmt.Sprintf("%d/0", e))
		return c.Certified || v.watch.epoch() > e+1
	})
	v.Logf("epoch %d: certified %t in block %d, attempt %d", e, c.Certified, c.Height, c.Attempt)
	for _, m := range c.Members {
		if m.Was == "wrong" {
			v.Errorf("epoch %d: %s is called wrong", e, m.Node)
		}
	}
	for _, x := range c.Containers {
		v.Logf("  %s: %s %s", v.name(x.Node), x.Verdict, x.Name)
		if !slices.Contains([]string{"ok", "busy", "absent", "late", "none"}, x.Verdict) && x.Name != notOpened {
			v.Errorf("epoch %d: %s is found %s: %s", e, v.name(x.Node), x.Verdict, x.Text)
		}
	}
	if !c.Certified {
		return false
	}
	if b := asked[blockRow](v, "ledger", "block", strconv.FormatUint(c.Height, 10)); b.Epoch > e+1 {
		v.Errorf("the certificate of epoch %d is in a block of epoch %d", e, b.Epoch)
	}
	// whoever was restarted has the votes, too
	if p := asked[proven](v, "proof", "verify", fmt.Sprintf("%d/0", e)); !p.Proven || p.SeedFrom != seedLedger || len(p.Warnings) != 0 {
		v.Errorf("epoch %d: the votes, counted again: %+v", e, p)
	}
	return true
}

// unpaid is a container that was paid for none of some rounds; "" for none.
func (v *village) unpaid(first, last uint64) string {
	v.Helper()
	for _, name := range v.order {
		if !strings.HasPrefix(name, "container-") {
			continue
		}
		r := asked[why.Report](v, "why", v.peer(name))
		if !slices.ContainsFunc(r.Verdicts, func(x why.Verdict) bool {
			return x.Role == "container" && x.Weight > 0 && x.Epoch >= first && x.Epoch <= last
		}) {
			return name
		}
	}
	return ""
}

// settled checks that a session was paid for what was played, but for at most so many seconds,
// and nothing else.
func (v *village) settled(who key.Address, played purse.Report, short uint64) {
	v.Helper()
	begin := 1_000*uint64(amount.FRM) - v.doc.Params.TxFee
	var paid uint64
	v.until("the session is settled", patience, func() bool {
		a, ok, err := read(v.ctx, v.watch, state.AccountKey(who), state.DecodeAccount)
		if err != nil || !ok {
			v.Logf("account: %t, %v", ok, err)
			return false
		}
		paid = begin - a.Balance
		return paid <= played.Paid && paid+short*played.PerSecond >= played.Paid
	})
	v.Logf("%d s were signed for, %d base units; %d are paid", played.Seconds, played.Paid, paid)
}

func (v *village) peer(name string) string { return v.nodes[name].id.String() }

func (v *village) name(peer string) string {
	for name, h := range v.nodes {
		if h.id.String() == peer {
			return name
		}
	}
	return peer
}

// The node that makes the blocks is gone from the middle of one epoch to the middle of the next,
// while a session is played and paid. The chain goes on where it was, light clients go on, the
// rounds are certified or come to nothing, and the session is settled for what was played, though
// its container is killed, too.
func TestALedgerThatMissesTheBeginningOfAnEpoch(t *testing.T) {
	realEpochs(t)
	_, payer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	who := key.Address(payer[ed25519.SeedSize:])
	v := newVillage(t, 2, 2, []string{"proof_n=1"}, who)
	v.startAll()
	first := v.epoch() + 1
	v.at(first, 12_000) // both containers are measured, and one can be matched
	p, money := v.customer(payer)
	v.pays(p, money, 2)
	gone := v.next(first+1, 9_000)
	v.at(gone, 9_000)
	before := v.watch.Head()
	v.kill(hall)
	v.at(gone, 10_500)
	paid := money.Report().Seconds
	v.pays(p, money, paid+3) // whoever plays notices nothing
	v.at(gone+1, 5_000)
	v.restart(hall)
	v.until("the light client goes on", patience, func() bool { return v.watch.Head().Height > before.Height+2 })
	if b := asked[blockRow](v, "ledger", "block", strconv.FormatUint(before.Height, 10)); b.Hash != fmt.Sprintf("%x", before.Hash) {
		t.Errorf("block %d was %x and is %s", before.Height, before.Hash, b.Hash)
	}
	v.pays(p, money, money.Report().Seconds+2)

	// The container that is played on is killed, too: once it is back it settles what its disk
	// has, which is at most three seconds less than what was signed for.
	serving := v.name(p.Header().Get(whep.HeaderContainer))
	v.kill(serving)
	v.restart(serving)
	played := money.Report()
	v.settled(who, played, 3)
	v.judged(first, gone+2, 2)
}
