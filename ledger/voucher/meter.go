package voucher

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
)

// Credit is how many seconds a container plays without a voucher that covers them.
const Credit = 3

// Reason says why the app runs or not.
type Reason string

// Reasons. The words are those of the pay message on the control channel.
const (
	OK      Reason = "ok"      // paid, or within the credit
	Waiting Reason = "waiting" // the escrow is not on the ledger yet
	Unpaid  Reason = "unpaid"  // the credit is used up: a voucher is missing
	Empty   Reason = "empty"   // all that the escrow pays for has been played
)

// State is where a session stands.
type State struct {
	Served  uint32 // whole seconds of play given
	Covered uint32 // seconds that vouchers and escrow cover
	Paid    uint64 // base units of the last good voucher; it is what would be settled now
	Owed    uint64 // base units that the seconds beyond Covered are worth
	Run     bool   // one more second may be given
	Reason  Reason
}

// Meter counts what a container gives and what it is paid. The rule: one more second is
// given while
//
//	served < covered + credit, and served < the escrow's seconds once it is locked,
//
// where covered is what the last good voucher covers, at most what the escrow holds, and 0
// as long as the escrow is not locked on the ledger. So a container never gives more than
// credit seconds for nothing, and none that the escrow cannot pay.
//
// The zero value is of no use. A Meter belongs to one session; it is not for use from
// several goroutines at once.
type Meter struct {
	terms  Terms
	credit uint32
	player *key.Expanded

	served uint32
	locked bool
	escrow uint32 // seconds on the ledger, when locked
	seq    uint64 // highest that was taken
	last   *Voucher
}

// NewMeter starts a session: nothing served, nothing locked. credit is in seconds. It
// returns ErrAmount for terms that no escrow could hold and key.ErrKey for a player whose
// signatures cannot be right.
func NewMeter(t Terms, credit uint32) (*Meter, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	player, err := key.Expand(t.Player[:])
	if err != nil {
		return nil, fmt.Errorf("voucher: the player: %w", err)
	}
	return &Meter{terms: t, credit: credit, player: player}, nil
}

// Terms are those the Meter was made with.
func (m *Meter) Terms() Terms { return m.terms }

// Escrow tells the meter what the ledger holds for the session: whether it is locked (open,
// not settled or expired), and for how many seconds, top-ups included. A last voucher that
// promises more than is locked is dropped, because the ledger would not settle it; the
// player has to send one that fits.
func (m *Meter) Escrow(locked bool, seconds uint32) State {
	m.locked, m.escrow = locked, seconds
	if locked && m.last != nil && m.last.Seconds > seconds {
		m.last = nil
	}
	return m.State()
}

// Second counts one second of play that was given, and says whether the next may be. A
// second in which the app did not run is not play: while State().Run is false the call
// changes nothing.
func (m *Meter) Second() State {
	if s := m.State(); !s.Run {
		return s
	}
	m.served++
	return m.State()
}

// Add takes a voucher or says why not; a refused one changes nothing. Cheap questions come
// before the signature. Numbers may leave gaps; seconds may run ahead of what was served.
func (m *Meter) Add(v Voucher) error {
	switch {
	case v.Seq == m.seq || v.Seq == 0:
		return fmt.Errorf("%w: %d", ErrReplay, v.Seq)
	case v.Seq < m.seq:
		return fmt.Errorf("%w: number %d after %d", ErrOlder, v.Seq, m.seq)
	case v.Seconds == 0 || (m.last != nil && v.Seconds <= m.last.Seconds):
		return fmt.Errorf("%w: %d seconds", ErrOutOfOrder, v.Seconds)
	case v.Seconds > m.limit():
		return fmt.Errorf("%w: %d seconds, it holds %d", ErrOverdrawn, v.Seconds, m.limit())
	case v.Paid != m.terms.Owed(v.Seconds):
		return fmt.Errorf("%w: %d base units for %d seconds at %d", ErrAmount, v.Paid, v.Seconds, m.terms.PerSecond)
	case !m.player.Verify(m.terms.Chain, key.KindVoucher, v.payload(m.terms), v.Signature[:]):
		return ErrForged
	}
	m.seq, m.last = v.Seq, &v
	return nil
}

// limit is how many seconds a voucher may promise: what is locked, or what was planned as
// long as nothing is.
func (m *Meter) limit() uint32 {
	if m.locked {
		return m.escrow
	}
	return m.terms.Seconds
}

// State says where the session stands.
func (m *Meter) State() State {
	s := State{Served: m.served, Reason: OK}
	if m.last != nil {
		s.Paid = m.last.Paid
		if m.locked {
			s.Covered = min(m.last.Seconds, m.escrow)
		}
	}
	if s.Served > s.Covered {
		s.Owed = m.terms.Owed(s.Served - s.Covered)
	}
	inCredit := uint64(s.Served) < uint64(s.Covered)+uint64(m.credit)
	switch {
	case !m.locked:
		// The planned seconds bound the credit of a session shorter than it.
		s.Reason, s.Run = Waiting, inCredit && s.Served < m.terms.Seconds
	case s.Served >= m.escrow:
		s.Reason = Empty
	case !inCredit:
		s.Reason = Unpaid
	default:
		s.Run = true
	}
	return s
}

// Last is the voucher to settle with; nil when there is none.
func (m *Meter) Last() *Voucher {
	if m.last == nil {
		return nil
	}
	v := *m.last
	return &v
}
