package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/gpu/app"
)

// stateKind is the first byte of a message of the input data channel.
const stateKind = 1

// SeatsSize is the length of the encoding of Seats, in bytes.
const SeatsSize = app.MaxSeats * seatSize

// Seats turn the messages of the players' pages into what each tick is told. They
// are part of the recorded state: whoever has them and the events since knows every
// input. The zero value has nobody in it.
//
// The rules of a seat: the newest sequence number wins; a press that ended before
// the tick is still seen by one tick; relative motion adds up, starting from the
// first message of a connection.
type Seats struct{ seat [app.MaxSeats]seat }

// Apply takes an event; those that Second could not hold are ignored.
func (s *Seats) Apply(e *Event) {
	if !e.valid() {
		return
	}
	switch e.Kind {
	case EventSit, EventLeave:
		// All is released, and sequence numbers start anew.
		s.seat[e.Seat] = seat{present: e.Kind == EventSit}
	case EventRelease:
		for i := range s.seat {
			s.seat[i].release()
		}
	case EventState:
		s.seat[e.Seat].put(parseState(&e.State))
	}
}

// Tick returns what the next tick sees and starts gathering for the one after.
func (s *Seats) Tick() (in [app.MaxSeats]app.Seat) {
	for i := range s.seat {
		in[i] = s.seat[i].tick()
	}
	return in
}

// Acked is the newest sequence number by seat, which the last tick has seen; 0 where
// there was none.
func (s *Seats) Acked() (seq [app.MaxSeats]uint32) {
	for i := range s.seat {
		if s.seat[i].started {
			seq[i] = s.seat[i].now.seq
		}
	}
	return seq
}

// Present says whether somebody sits at a seat.
func (s *Seats) Present(i int) bool { return s.seat[i].present }

// heldState is one message of the input data channel: all that a player holds.
type heldState struct {
	flags          uint16 // bit 0 connected, 1 gamepad, 2 pointer: those of app.Seat
	seq            uint32
	buttons        uint32 // W3C standard gamepad
	axes           [4]int16
	keys           [32]byte // USB HID usages, bit n is byte n/8, bit n%8
	px, py         uint16   // across the picture
	dx, dy, wheel  int32    // cumulative, wrapping
	pointerButtons uint8
}

// parseState reads a message whose kind is known to be right; every value of its
// fields means something.
func parseState(b *[StateSize]byte) heldState {
	le := binary.LittleEndian
	s := heldState{
		flags: le.Uint16(b[2:]), seq: le.Uint32(b[4:]), buttons: le.Uint32(b[8:]),
		px: le.Uint16(b[52:]), py: le.Uint16(b[54:]),
		dx: int32(le.Uint32(b[56:])), dy: int32(le.Uint32(b[60:])), wheel: int32(le.Uint32(b[64:])),
		pointerButtons: b[68],
	}
	for i := range s.axes {
		s.axes[i] = max(int16(le.Uint16(b[12+2*i:])), -32767)
	}
	copy(s.keys[:], b[20:52])
	return s
}

// seat gathers one player's messages between two ticks.
type seat struct {
	present bool // a player sits here
	started bool // a message came since they sat down
	now     heldState
	// seen by the next tick even if released since
	tapButtons uint32
	tapKeys    [32]byte
	tapPointer uint8
	// base of the relative motion: what the last tick has seen
	dx, dy, wheel int32
}

// release lets go of everything held and keeps the connection, its sequence
// numbers and the pointer's place.
func (s *seat) release() {
	s.now.buttons, s.now.axes, s.now.keys, s.now.pointerButtons = 0, [4]int16{}, [32]byte{}, 0
	s.tapButtons, s.tapKeys, s.tapPointer = 0, [32]byte{}, 0
	s.dx, s.dy, s.wheel = s.now.dx, s.now.dy, s.now.wheel
}

// put takes a message. Older ones than the newest are left out; sequence numbers
// wrap around.
func (s *seat) put(m heldState) {
	if !s.present || s.started && int32(m.seq-s.now.seq) <= 0 {
		return
	}
	if !s.started {
		s.started = true
		s.dx, s.dy, s.wheel = m.dx, m.dy, m.wheel
	}
	// What is down now was pressed since the last tick or before it; either way this
	// tick shall see it.
	s.tapButtons |= m.buttons
	for i, k := range m.keys {
		s.tapKeys[i] |= k
	}
	s.tapPointer |= m.pointerButtons
	s.now = m
}

func (s *seat) tick() app.Seat {
	if !s.present {
		return app.Seat{}
	}
	in := app.Seat{
		Flags:   app.SeatConnected | uint32(s.now.flags)&(app.SeatGamepad|app.SeatPointer),
		Buttons: s.now.buttons | s.tapButtons, Axes: s.now.axes, Keys: s.now.keys,
		X: s.now.px, Y: s.now.py,
		DX: s.now.dx - s.dx, DY: s.now.dy - s.dy, Wheel: s.now.wheel - s.wheel,
		PointerButtons: s.now.pointerButtons | s.tapPointer,
	}
	for i, k := range s.tapKeys {
		in.Keys[i] |= k
	}
	s.tapButtons, s.tapKeys, s.tapPointer = 0, [32]byte{}, 0
	s.dx, s.dy, s.wheel = s.now.dx, s.now.dy, s.now.wheel
	return in
}

// Lengths in the encoding of a seat.
const (
	heldSize = 2 + 4 + 4 + 8 + 32 + 4 + 12 + 1
	seatSize = 1 + heldSize + 4 + 32 + 1 + 12
)

const (
	seatPresent = 1 << 0
	seatStarted = 1 << 1
)

// Append appends the SeatsSize bytes of the encoding of s to b.
func (s *Seats) Append(b []byte) []byte {
	le := binary.LittleEndian
	for i := range s.seat {
		s := &s.seat[i]
		var flags byte
		if s.present {
			flags |= seatPresent
		}
		if s.started {
			flags |= seatStarted
		}
		b = append(b, flags)
		b = le.AppendUint16(b, s.now.flags)
		b = le.AppendUint32(b, s.now.seq)
		b = le.AppendUint32(b, s.now.buttons)
		for _, a := range s.now.axes {
			b = le.AppendUint16(b, uint16(a))
		}
		b = append(b, s.now.keys[:]...)
		b = le.AppendUint16(b, s.now.px)
		b = le.AppendUint16(b, s.now.py)
		for _, v := range [...]int32{s.now.dx, s.now.dy, s.now.wheel} {
			b = le.AppendUint32(b, uint32(v))
		}
		b = append(b, s.now.pointerButtons)
		b = le.AppendUint32(b, s.tapButtons)
		b = append(b, s.tapKeys[:]...)
		b = append(b, s.tapPointer)
		for _, v := range [...]int32{s.dx, s.dy, s.wheel} {
			b = le.AppendUint32(b, uint32(v))
		}
	}
	return b
}

// ParseSeats reads what Append wrote. Errors wrap ErrMalformed.
func ParseSeats(b []byte) (Seats, error) {
	var out Seats
	if len(b) != SeatsSize {
		return out, fmt.Errorf("%w: seats of %d bytes, not %d", ErrMalformed, len(b), SeatsSize)
	}
	r := fields{b: b}
	for i := range out.seat {
		s := &out.seat[i]
		flags := r.u8()
		if flags&^(seatPresent|seatStarted) != 0 {
			return Seats{}, fmt.Errorf("%w: seat %d with flags %#x", ErrMalformed, i, flags)
		}
		s.present, s.started = flags&seatPresent != 0, flags&seatStarted != 0
		s.now.flags, s.now.seq, s.now.buttons = r.u16(), r.u32(), r.u32()
		for k := range s.now.axes {
			s.now.axes[k] = int16(r.u16())
		}
		copy(s.now.keys[:], r.bytes(32))
		s.now.px, s.now.py = r.u16(), r.u16()
		s.now.dx, s.now.dy, s.now.wheel = int32(r.u32()), int32(r.u32()), int32(r.u32())
		s.now.pointerButtons = r.u8()
		s.tapButtons = r.u32()
		copy(s.tapKeys[:], r.bytes(32))
		s.tapPointer = r.u8()
		s.dx, s.dy, s.wheel = int32(r.u32()), int32(r.u32()), int32(r.u32())
	}
	return out, nil
}
