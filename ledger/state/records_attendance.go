package state

import (
	"bytes"
	"slices"

	"github.com/framemesh/framemesh/ledger/key"
)

// Attendance is how the blocks of the current epoch were signed.
type Attendance struct {
	Since  uint64 // height of the epoch's first block
	Absent []Absence
}

// Absence is how often a validator was missing.
type Absence struct {
	Address [20]byte // consensus address
	Blocks  uint32   // that it did not sign
}

// maxSeats is how many validators there can be at all.
const maxSeats = 200

func (a *Attendance) find(address [20]byte) (int, bool) {
	return slices.BinarySearchFunc(a.Absent, address, func(e Absence, want [20]byte) int { return bytes.Compare(e.Address[:], want[:]) })
}

// Of is how many of the epoch's blocks a validator did not sign.
func (a *Attendance) Of(address [20]byte) uint32 {
	if i, ok := a.find(address); ok {
		return a.Absent[i].Blocks
	}
	return 0
}

// miss counts one more block.
func (a *Attendance) miss(address [20]byte) {
	i, ok := a.find(address)
	switch {
	case ok && a.Absent[i].Blocks < 1<<32-1:
		a.Absent[i].Blocks++
	case !ok && len(a.Absent) < maxSeats:
		a.Absent = slices.Insert(a.Absent, i, Absence{address, 1})
	}
}

// Encode writes 11 bytes and 24 for each validator that was missing.
func (a Attendance) Encode() []byte {
	w := newWriter(10 + 24*len(a.Absent))
	w.u64(a.Since)
	w.u16(uint16(len(a.Absent)))
	for _, e := range a.Absent {
		w.bytes(e.Address[:])
		w.u32(e.Blocks)
	}
	return w.b
}

// DecodeAttendance reads what Encode wrote. It wraps ErrRecord.
func DecodeAttendance(b []byte) (a Attendance, err error) {
	r := newReader("attendance", b)
	a.Since = r.u64()
	count := int(r.u16())
	r.check(count <= maxSeats && len(r.b) == 24*count)
	if r.bad {
		return Attendance{}, r.done()
	}
	for i := range count {
		a.Absent = append(a.Absent, Absence{r.b20(), r.u32()})
		r.check(a.Absent[i].Blocks > 0)
		r.check(i == 0 || bytes.Compare(a.Absent[i-1].Address[:], a.Absent[i].Address[:]) < 0)
	}
	return a, r.done()
}

// Away is a node that was missing for most of an epoch and has no seat for some.
type Away struct {
	Node   key.Node
	Until  uint64 // epoch in which it may be elected again
	Missed uint32 // blocks that it did not sign
	Blocks uint32 // of so many
}

// Empty are the seats that are empty, in the order of their nodes. They are one record, so
// that one proof shows them all.
type Empty []Away

// Of is for how long a node has lost its seat; ok is false for one that has not.
func (e Empty) Of(n key.Node) (a Away, ok bool) {
	i, ok := slices.BinarySearchFunc(e, n, func(a Away, want key.Node) int { return bytes.Compare(a.Node[:], want[:]) })
	if !ok {
		return Away{}, false
	}
	return e[i], true
}

// Encode writes 3 bytes and 48 for each node.
func (e Empty) Encode() []byte {
	w := newWriter(2 + 48*len(e))
	w.u16(uint16(len(e)))
	for _, a := range e {
		w.bytes(a.Node[:])
		w.u64(a.Until)
		w.u32(a.Missed)
		w.u32(a.Blocks)
	}
	return w.b
}

// DecodeEmpty reads what Encode wrote. It wraps ErrRecord.
func DecodeEmpty(b []byte) (e Empty, err error) {
	r := newReader("empty seats", b)
	count := int(r.u16())
	r.check(count <= maxSeats && len(r.b) == 48*count)
	if r.bad {
		return nil, r.done()
	}
	for i := range count {
		e = append(e, Away{r.b32(), r.u64(), r.u32(), r.u32()})
		r.check(e[i].Missed <= e[i].Blocks)
		r.check(i == 0 || bytes.Compare(e[i-1].Node[:], e[i].Node[:]) < 0)
	}
	return e, r.done()
}
