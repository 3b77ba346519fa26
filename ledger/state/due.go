package state

import "fmt"

// Kinds of due work. Their numbers are part of the keys and never change; within a lane and
// an epoch they are worked off in this order.
const (
	dueActivate    dueKind = 1 // a parameter change takes effect; subject: proposal
	dueWithdraw    dueKind = 2 // a proposal that was not approved goes; subject: proposal
	dueUndelegate  dueKind = 3 // a delegation has run out; subject: account ‖ node
	dueSettle      dueKind = 4 // a closing session settles; subject: container ‖ session
	dueExpire      dueKind = 5 // an open session gives its escrow back; subject: container ‖ session
	dueSlash       dueKind = 6 // a slash that could be appealed is final; subject: its number
	dueDistribute  dueKind = 7 // an epoch's emission goes to those who earned it
	dueVoteCleanup dueKind = 8 // votes that nobody needs any more go
	dueForget      dueKind = 9 // the name of a settled session may go; subject: container ‖ session
)

// lane is how urgent a kind of work is, 0 first: however many sessions somebody lets expire
// in one epoch, what governs the network and pays its nodes is done in time, and whoever
// waits for money does not wait until others are tidied up after. Numbers are part of the
// keys.
func (k dueKind) lane() uint8 {
	switch k {
	case dueSettle, dueExpire:
		return 1
	case dueUndelegate, dueVoteCleanup, dueForget:
		return 2 // what is over counts no more, also while it is still there
	}
	return 0
}

// lanes is how many there are.
const lanes = 3

// workOn does one due item. The item is gone from the queue already.
func (m *Machine) workOn(kind dueKind, subject []byte) ([]Event, error) {
	switch kind {
	case dueActivate:
		return m.activate(subject)
	case dueWithdraw:
		return m.withdraw(subject)
	case dueUndelegate:
		return m.undelegate(subject)
	case dueSettle:
		return m.settleDue(subject)
	case dueExpire:
		return m.expireDue(subject)
	case dueSlash:
		return m.slashDue(subject)
	case dueDistribute:
		return m.distributeDue(subject)
	case dueVoteCleanup:
		return m.cleanVotes(subject)
	case dueForget:
		return m.forgetSession(subject)
	}
	return nil, fmt.Errorf("%w: due work of unknown kind %d", ErrRecord, kind)
}
