package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Proposals that are open or wait for their epoch at once, of all and of one account: no
// single validator can keep the others from proposing.
const (
	maxProposals    = 64
	maxOwnProposals = 4
)

// encodeParams writes the layout and the JSON of the parameters in the order of the
// genesis file: explorers and light clients read it without a list of fields.
func encodeParams(p economics.Params) ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("state: writing parameters: %w", err)
	}
	return append([]byte{layout}, b...), nil
}

// DecodeParams reads the parameters in force. It wraps ErrRecord, also for parameters that
// break their bounds.
func DecodeParams(b []byte) (p economics.Params, err error) {
	if len(b) == 0 || b[0] != layout || json.Unmarshal(b[1:], &p) != nil || p.Validate() != nil {
		return economics.Params{}, fmt.Errorf("%w: parameters", ErrRecord)
	}
	if again, err := encodeParams(p); err != nil || !bytes.Equal(again, b) {
		return economics.Params{}, fmt.Errorf("%w: parameters", ErrRecord)
	}
	return p, nil
}

// ReadProposal is a proposal that is open or waits for its epoch.
func ReadProposal(r Reader, id uint64) (p Proposal, ok bool, err error) {
	return load(r, ProposalKey(id), DecodeProposal)
}

// seats are the validators' nodes that a transaction speaks for, in the order of their
// keys: all of the account, or the delegate's own.
func (m *Machine) seats(c *txContext) ([]key.Node, error) {
	all, err := ReadValidators(m.overlay)
	if err != nil {
		return nil, err
	}
	var nodes []key.Node
	for _, v := range all {
		if c.actsFor(v.Node, v.Owner) {
			nodes = append(nodes, v.Node)
		}
	}
	if len(nodes) == 0 {
		return nil, refuse(ErrValidator, "%s owns none that is one now; ask a validator", c.Account)
	}
	slices.SortFunc(nodes, func(a, b key.Node) int { return bytes.Compare(a[:], b[:]) })
	return nodes, nil
}

func (m *Machine) applyPropose(c *txContext, op *tx.ProposeChange) error {
	seats, err := m.seats(c)
	if err != nil {
		return err
	}
	if _, err := m.changed(op.GetParameter(), op.GetValue()); err != nil {
		return refuse(ErrParameter, "%v", err)
	}
	if err := m.roomToPropose(c.Account); err != nil {
		return err
	}
	id := m.head.Proposal
	m.head.Proposal++
	p := Proposal{
		Parameter: op.GetParameter(), Value: op.GetValue(), Proposer: c.Account,
		Closes: m.head.Epoch + m.params.ParamWindowEpochs,
	}
	if err := m.schedule(p.Closes, dueWithdraw, u64(id)); err != nil {
		return err
	}
	c.emit("propose", "proposal", id, "parameter", p.Parameter, "value", p.Value, "by", c.Account, "closes_epoch", p.Closes)
	return m.approve(c, id, p, seats)
}

func (m *Machine) roomToPropose(by key.Address) error {
	var open, own int
	var bad error
	err := m.overlay.Range([]byte(prefixProposal), prefixEnd([]byte(prefixProposal)), func(_, v []byte) bool {
		var p Proposal
		if p, bad = DecodeProposal(v); bad != nil {
			return false
		}
		open++
		if p.Proposer == by {
			own++
		}
		return true
	})
	if err == nil {
		err = bad
	}
	if err == nil && (open >= maxProposals || own >= maxOwnProposals) {
		err = refuse(ErrProposals, "%d wait for approval or their epoch, %d of them yours; at most %d and %d, so wait until one is done",
			open, own, maxProposals, maxOwnProposals)
	}
	return err
}

// changed are the parameters with another value of one, given all others now. Beyond their
// own bounds, no vote may ask for more quotes of each price than there are oracles, or no
// session could ever be opened again.
func (m *Machine) changed(name string, value uint64) (economics.Params, error) {
	p, err := m.params.With(name, value)
	if err != nil {
		return p, err
	}
	if n := uint64(len(m.network.Oracles)); p.OracleMin > n && p.OracleMin > m.params.OracleMin {
		return p, fmt.Errorf("%w: oracle_min cannot be %d with the %d oracles of the genesis file; choose at most that",
			economics.ErrBounds, p.OracleMin, n)
	}
	return p, nil
}

func (m *Machine) applyApprove(c *txContext, op *tx.ApproveChange) error {
	seats, err := m.seats(c)
	if err != nil {
		return err
	}
	id := op.GetProposal()
	p, ok, err := ReadProposal(m.overlay, id)
	switch {
	case err != nil:
		return err
	case !ok || p.Activates != 0 || m.head.Epoch >= p.Closes:
		return refuse(ErrProposal, "number %d; look at the open ones, or propose it anew", id)
	}
	seats = slices.DeleteFunc(seats, func(n key.Node) bool {
		_, has := slices.BinarySearchFunc(p.Approvals, n, compareNodes)
		return has
	})
	if len(seats) == 0 {
		return refuse(ErrApproved, "%s has approved number %d before; wait for the others", c.Account, id)
	}
	return m.approve(c, id, p, seats)
}

func compareNodes(a, b key.Node) int { return bytes.Compare(a[:], b[:]) }

// approve adds the votes of some nodes, none of which has voted, and passes the proposal
// when more than two thirds of the power of today's validators stand behind it. Votes of
// nodes that are validators no longer stay written and do not count.
func (m *Machine) approve(c *txContext, id uint64, p Proposal, seats []key.Node) error {
	all, err := ReadValidators(m.overlay)
	if err != nil {
		return err
	}
	// Those who left make room: there are never more votes than seats.
	p.Approvals = slices.DeleteFunc(p.Approvals, func(n key.Node) bool {
		return !slices.ContainsFunc(all, func(v Validator) bool { return v.Node == n })
	})
	p.Approvals = append(p.Approvals, seats...)
	slices.SortFunc(p.Approvals, compareNodes)
	var power, yes uint64
	for _, v := range all {
		power += v.Power
		if _, has := slices.BinarySearchFunc(p.Approvals, v.Node, compareNodes); has {
			yes += v.Power
		}
	}
	c.emit("approve", "proposal", id, "by", c.Account, "power", yes, "of", power)
	if economics.Passed(yes, power) {
		p.Activates = m.head.Epoch + m.params.ParamDelayEpochs
		if err := m.unschedule(p.Closes, dueWithdraw, u64(id)); err != nil {
			return err
		}
		if err := m.schedule(p.Activates, dueActivate, u64(id)); err != nil {
			return err
		}
		c.emit("approved", "proposal", id, "parameter", p.Parameter, "value", p.Value, "activates_epoch", p.Activates)
	}
	return m.overlay.Set(ProposalKey(id), p.Encode())
}

// activate puts an approved change in force. The hard bounds are looked at once more,
// with the parameters as they are by now; a change that breaks them is dropped.
func (m *Machine) activate(subject []byte) ([]Event, error) {
	id, p, ok, err := m.dueProposal(subject)
	if err != nil || !ok {
		return nil, err
	}
	if err := m.overlay.Delete(ProposalKey(id)); err != nil {
		return nil, err
	}
	next, err := m.changed(p.Parameter, p.Value)
	if err != nil {
		return []Event{event("param_refused", "proposal", id, "parameter", p.Parameter, "value", p.Value, "why", err.Error())}, nil
	}
	b, err := encodeParams(next)
	if err != nil {
		return nil, err
	}
	m.params = next
	return []Event{event("param", "proposal", id, "parameter", p.Parameter, "value", p.Value)}, m.overlay.Set(ParamsKey(), b)
}

// withdraw forgets a proposal that was not approved in time.
func (m *Machine) withdraw(subject []byte) ([]Event, error) {
	id, p, ok, err := m.dueProposal(subject)
	if err != nil || !ok || p.Activates != 0 {
		return nil, err
	}
	return []Event{event("withdrawn", "proposal", id, "parameter", p.Parameter, "value", p.Value)}, m.overlay.Delete(ProposalKey(id))
}

func (m *Machine) dueProposal(subject []byte) (id uint64, p Proposal, ok bool, err error) {
	if len(subject) != 8 {
		return 0, p, false, fmt.Errorf("%w: proposal that is due", ErrRecord)
	}
	id = binary.BigEndian.Uint64(subject)
	p, ok, err = ReadProposal(m.overlay, id)
	return id, p, ok, err
}
