package state

import (
	"bytes"
	"cmp"
	"slices"
)

// Validators that sign nothing weigh on everybody: with more than a third of the power
// silent no block is made. So each block's missing signatures are counted, and at the
// epoch's change those who were missing for most of its blocks lose their seats for a while.
// It costs them nothing else.

// leastBlocks of an epoch say something about who is there; of fewer nothing follows.
const leastBlocks = 20

// ReadEmpty are the nodes that have lost their seats for now.
func ReadEmpty(r Reader) (Empty, error) {
	e, _, err := load(r, EmptyKey(), DecodeEmpty)
	return e, err
}

// attendance is how this epoch's blocks have been signed so far.
func (m *Machine) attendance() (Attendance, error) {
	a, ok, err := load(m.overlay, AttendanceKey(), DecodeAttendance)
	if err == nil && !ok {
		a.Since = 1 // the first epoch of a network
	}
	return a, err
}

// missed counts who did not sign the last block. Addresses of nobody who has a seat, and the
// same twice, count nothing, so the record never holds more than there are seats. It is
// written when somebody was missing, and never else.
func (m *Machine) missed(absent [][20]byte) error {
	if len(absent) == 0 {
		return nil
	}
	a, err := m.attendance()
	if err != nil {
		return err
	}
	absent = slices.Clone(absent)
	slices.SortFunc(absent, func(x, y [20]byte) int { return bytes.Compare(x[:], y[:]) })
	changed := false
	for _, address := range slices.Compact(absent) {
		v, ok, err := ReadValidator(m.overlay, address)
		if err != nil {
			return err
		}
		if ok && v.Power > 0 {
			a.miss(address)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return m.overlay.Set(AttendanceKey(), a.Encode())
}

// seat is a node that would be elected, were everybody there.
type seat struct {
	Validator
	stake  uint64
	until  uint64 // epoch in which it may sit again; 0 = it may now
	before bool   // it was away before this epoch
	missed uint32 // of the last epoch's blocks
}

// emptySeats looks back on the epoch that has ended, of which the block that begins is the
// first after it, and says who sits in the next: of all that qualify, strongest first, those
// who have a seat when nobody is missing, less those who are still away and those who signed
// less than half of the last epoch's blocks; then the strongest of the others, as far as there
// are seats. Those who go never hold more than a third of the power of all who would sit:
// whoever stays although silent is asked again when the next epoch ends.
func (m *Machine) emptySeats(all []seat, epoch uint64) (left []seat, events []Event, err error) {
	before, err := ReadEmpty(m.overlay)
	if err != nil {
		return nil, nil, err
	}
	blocks, err := m.lookBack(all, before, epoch)
	if err != nil {
		return nil, nil, err
	}
	seats := int(min(uint64(len(all)), m.params.MaxValidators))
	empty := slices.DeleteFunc(slices.Clone(before), func(a Away) bool { return a.Until <= epoch })
	out := mayGo(all[:seats])
	for i, s := range all[:seats] {
		switch {
		case !out[i]:
			left = append(left, s)
			// One that was away comes back early: without it too much would be gone.
			empty = slices.DeleteFunc(empty, func(a Away) bool { return a.Node == s.Node })
		case !s.before && len(empty) < maxSeats:
			events = append(events, event("validator_away", "node", s.Node, "missed", s.missed, "blocks", blocks, "until_epoch", s.until))
			empty = append(empty, Away{Node: s.Node, Until: s.until, Missed: s.missed, Blocks: uint32(min(blocks, 1<<32-1))})
		}
	}
	for _, s := range all[seats:] {
		if len(left) < seats && s.until == 0 {
			left = append(left, s)
		}
	}
	slices.SortFunc(empty, func(a, b Away) int { return bytes.Compare(a.Node[:], b.Node[:]) })
	switch {
	case slices.Equal(empty, before):
	case len(empty) == 0:
		err = m.overlay.Delete(EmptyKey())
	default:
		err = m.overlay.Set(EmptyKey(), empty.Encode())
	}
	return left, events, err
}

// lookBack writes into the seats who is away or was missing, and starts the count of the
// epoch that begins. blocks is how many the last epoch had.
func (m *Machine) lookBack(all []seat, before Empty, epoch uint64) (blocks uint64, err error) {
	a, err := m.attendance()
	if err != nil {
		return 0, err
	}
	blocks = m.head.Height - min(a.Since, m.head.Height)
	for i := range all {
		s := &all[i]
		s.missed = a.Of(s.Address())
		if away, ok := before.Of(s.Node); ok && away.Until > epoch {
			s.until, s.before = away.Until, true
		} else if blocks >= leastBlocks && 2*uint64(s.missed) > blocks && m.params.ValidatorAwayEpochs > 0 {
			s.until = epoch + m.params.ValidatorAwayEpochs
		}
	}
	return blocks, m.overlay.Set(AttendanceKey(), Attendance{Since: max(m.head.Height, 1)}.Encode())
}

// mayGo says of each seat whether it stays empty: those that were away before come first,
// then the strongest, each while all that are gone have at most a third of the power.
func mayGo(full []seat) []bool {
	order := make([]int, 0, len(full))
	total := uint64(0) // all stakes of a network in units of power: below 2^60
	for i, s := range full {
		total += s.Power
		if s.until != 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := full[i], full[j]
		switch {
		case a.before && !b.before:
			return -1
		case b.before && !a.before:
			return 1
		case a.Power != b.Power:
			return cmp.Compare(b.Power, a.Power)
		}
		return bytes.Compare(a.Node[:], b.Node[:])
	})
	out, gone := make([]bool, len(full)), uint64(0)
	for _, i := range order {
		if 3*(gone+full[i].Power) <= total {
			gone += full[i].Power
			out[i] = true
		}
	}
	return out
}
