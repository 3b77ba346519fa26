package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestParameterChange(t *testing.T) {
	b := newBed(t) // v1 has two thirds of the power exactly: not more
	v1, v2 := who("v1 owner"), who("v2 owner")
	b.must(b.do(v1, &tx.ProposeChange{Parameter: "fee_bps", Value: 1_500}))
	if e := b.event("approve"); e["power"] != "20000" || e["of"] != "30000" {
		t.Errorf("the proposer's own power: %v", e)
	}
	if b.event("approved") != nil {
		t.Error("two thirds are not more than two thirds")
	}
	b.refused(b.do(v1, &tx.ApproveChange{Proposal: 0}), ErrApproved)
	b.refused(b.do(who("alice"), &tx.ApproveChange{Proposal: 0}), ErrValidator)
	b.refused(b.do(v2, &tx.ApproveChange{Proposal: 1}), ErrProposal)
	b.pass(2)
	b.must(b.doFor(v2, who("v2"), &tx.ApproveChange{Proposal: 0})) // a node for its owner
	if e := b.event("approved"); e["activates_epoch"] != "5" {
		t.Errorf("%v", e)
	}
	b.refused(b.do(v2, &tx.ApproveChange{Proposal: 0}), ErrProposal)
	b.pass(2)
	if b.Params().FeeBps != 2_000 {
		t.Error("in force too early")
	}
	b.pass(1)
	if p := b.Params(); p.FeeBps != 1_500 || b.event("param")["value"] != "1500" {
		t.Errorf("not in force: %d", p.FeeBps)
	}
	b.end()
	again, err := Open(b.store)
	if err != nil || again.Params() != b.Params() {
		t.Errorf("after a restart: %+v %v", again.Params(), err)
	}
	if _, ok, _ := ReadProposal(b.store, 0); ok {
		t.Error("the proposal is still there")
	}
}

func TestProposalsThatFail(t *testing.T) {
	b := newBed(t)
	v1 := who("v1 owner")
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"fee_bps", 5_001}, {"no_such", 1}, {"epoch_seconds", 60}, {"power_unit", 100_000 * frm}, {"", 0},
	} {
		_, err := b.Apply(func() *tx.Tx {
			a, _ := b.account(v1.address())
			op := &tx.ProposeChange{Parameter: c.name, Value: c.value}
			return &tx.Tx{Body: &tx.Body{Nonce: a.Nonce, Op: &tx.Body_Propose{Propose: op}}, Signer: v1.address(), Account: v1.address()}
		}())
		b.refused(err, ErrParameter)
	}
	b.refused(b.do(who("alice"), &tx.ProposeChange{Parameter: "fee_bps", Value: 1}), ErrValidator)

	t.Run("not approved in time", func(t *testing.T) {
		b.must(b.do(v1, &tx.ProposeChange{Parameter: "fee_bps", Value: 1}))
		b.pass(5)
		if b.event("withdrawn") == nil {
			t.Error("nobody is told")
		}
		b.refused(b.do(who("v2 owner"), &tx.ApproveChange{Proposal: 0}), ErrProposal)
	})
	t.Run("too many", func(t *testing.T) {
		for range maxOwnProposals {
			b.must(b.do(v1, &tx.ProposeChange{Parameter: "fee_bps", Value: 1}))
		}
		b.refused(b.do(v1, &tx.ProposeChange{Parameter: "fee_bps", Value: 1}), ErrProposals)
		if got := b.Head().Proposal; got != 1+maxOwnProposals {
			t.Errorf("a refused proposal took number %d", got)
		}
		b.must(b.do(who("v2 owner"), &tx.ProposeChange{Parameter: "fee_bps", Value: 1}))
		for i := range uint64(maxProposals - maxOwnProposals - 1) {
			p := Proposal{Parameter: "fee_bps", Proposer: who("another").address()}
			b.must(b.overlay.Set(ProposalKey(1000+i), p.Encode()))
		}
		b.refused(b.do(who("v2 owner"), &tx.ProposeChange{Parameter: "fee_bps", Value: 1}), ErrProposals)
	})
	b.end()
}

// TestBoundsHoldAtActivation: two changes that are each allowed and contradict each other:
// the second finds the parameters as the first left them, and is dropped.
func TestBoundsHoldAtActivation(t *testing.T) {
	b := newBed(t)
	v1, v2 := who("v1 owner"), who("v2 owner")
	b.must(b.do(v1, &tx.ProposeChange{Parameter: "checker_stake", Value: 9_000 * frm}))
	b.must(b.do(v1, &tx.ProposeChange{Parameter: "validator_min_stake", Value: 8_000 * frm}))
	b.must(b.do(v2, &tx.ApproveChange{Proposal: 0}))
	b.must(b.do(v2, &tx.ApproveChange{Proposal: 1}))
	b.pass(3)
	if p := b.Params(); p.CheckerStake != 9_000*frm || p.ValidatorMinStake != 10_000*frm {
		t.Errorf("checker %d, validator %d", p.CheckerStake, p.ValidatorMinStake)
	}
	if e := b.event("param_refused"); e["parameter"] != "validator_min_stake" || e["why"] == "" {
		t.Errorf("event %v", e)
	}
	b.end()
}

// TestVotesOfThoseWhoLeft: power counts as it is when the last vote comes, and a vote of a
// node that validates no longer counts for nothing.
func TestVotesOfThoseWhoLeft(t *testing.T) {
	b := newBed(t, func(p *genesis.Plan) {
		p.Nodes = append(p.Nodes, validatorNode("v3", 25_000*frm))
		p.Accounts = append(p.Accounts, genesis.Account{Address: who("v3 owner").address(), Amount: frm})
	})
	b.must(b.do(who("v3 owner"), &tx.ProposeChange{Parameter: "tx_fee", Value: 7}))
	b.must(b.do(who("v3 owner"), unbondAll(b, who("v3"))))
	b.pass(1)
	b.must(b.do(who("v2 owner"), &tx.ApproveChange{Proposal: 0}))
	if e := b.event("approve"); e["power"] != "10000" || e["of"] != "30000" {
		t.Errorf("%v", e)
	}
	b.must(b.do(who("v1 owner"), &tx.ApproveChange{Proposal: 0}))
	if b.event("approved") == nil {
		t.Error("all of the power is enough")
	}
}

// TestPricesStayPossible: a vote cannot ask for more quotes than there are oracles.
func TestPricesStayPossible(t *testing.T) {
	b := newPlay(t) // with three oracles
	owner := who("v1 owner")
	b.refused(b.do(owner, &tx.ProposeChange{Parameter: "oracle_min", Value: 4}), ErrParameter)
	b.must(b.do(owner, &tx.ProposeChange{Parameter: "oracle_min", Value: 3}))
	b.end()
}
