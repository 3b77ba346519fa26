package state

import (
	"errors"
	"fmt"
	"slices"
)

// Errors that are no refusal: the state cannot be trusted any more and the node must stop.
var (
	ErrInvariant = errors.New("state: money was created or lost")
	ErrBlock     = errors.New("state: block out of order")
	ErrState     = errors.New("state: not the state of a network; start from a genesis file or a snapshot")
)

// Rule is one reason to refuse a transaction. Its code is part of what blocks commit to
// and never changes its meaning.
type Rule struct {
	Code uint32
	Name string // for events, metrics and JSON
	text string
}

// Error implements error.
func (r *Rule) Error() string { return "state: " + r.text }

var rules []*Rule

func rule(code uint32, name, text string) *Rule {
	r := &Rule{code, name, text}
	rules = append(rules, r)
	return r
}

// Rules lists all reasons in the order of their codes.
func Rules() []*Rule {
	all := slices.Clone(rules)
	slices.SortFunc(all, func(a, b *Rule) int { return int(a.Code) - int(b.Code) })
	return all
}

// Codes from 1: what holds for every transaction.
var (
	ErrNonce      = rule(1, "nonce", "not the signer's next transaction")
	ErrExpired    = rule(2, "expired", "the transaction's time has passed")
	ErrDelegation = rule(3, "delegation", "the key may not do this for the account")
	ErrFee        = rule(4, "fee", "the account cannot pay the fee")
	ErrFunds      = rule(5, "funds", "the account does not have that much")
	ErrOperation  = rule(6, "operation", "no such operation")
	ErrEvidence   = rule(7, "evidence", "a signature inside the transaction is wrong")
	ErrField      = rule(8, "field", "a field is out of range")
)

// Codes from 20: registry, stakes, delegations, parameters.
var (
	ErrNoNode       = rule(20, "no_node", "the node is not registered")
	ErrOwner        = rule(21, "owner", "the node belongs to another account")
	ErrKeyTaken     = rule(22, "key_taken", "another node has this key")
	ErrRetire       = rule(23, "retire", "the node still has stake, or is accused")
	ErrTooMany      = rule(24, "too_many", "one account has too many nodes")
	ErrStake        = rule(25, "stake", "stake below what the roles need")
	ErrTombstoned   = rule(26, "tombstoned", "the node is out for good")
	ErrNoDelegation = rule(27, "no_delegation", "no such delegation")
	ErrValidator    = rule(28, "not_validator", "only validators decide on parameters")
	ErrProposal     = rule(29, "proposal", "no such proposal is open")
	ErrApproved     = rule(30, "approved", "already approved")
	ErrParameter    = rule(31, "parameter", "the parameter cannot have that value")
	ErrProposals    = rule(32, "proposals", "too many open proposals")
	ErrUnproven     = rule(33, "key_unproven", "nothing shows that the node holds the key")
	ErrMoved        = rule(34, "moved", "the node's subnets changed too recently")
)

// Error refuses a transaction. Its text is for people and ends in what to try.
type Error struct {
	Code uint32
	Err  error // a *Rule
	Text string
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() + ": " + e.Text }

// Unwrap gives the Rule.
func (e *Error) Unwrap() error { return e.Err }

func refuse(r *Rule, format string, args ...any) error {
	return &Error{Code: r.Code, Err: r, Text: fmt.Sprintf(format, args...)}
}
