package worker

import (
	"encoding/binary"

	"github.com/framemesh/framemesh/gpu/app"
)

const (
	stateLen  = 72 // bytes of a seat state on the input data channel
	stateKind = 1
)

// seatState is one message of the input data channel: all that a player holds.
type seatState struct {
	flags          uint16 // bit 0 connected, 1 gamepad, 2 pointer: those of app.Seat
	seq            uint32
	buttons        uint32 // W3C standard gamepad
	axes           [4]int16
	keys           [32]byte // USB HID usages, bit n is byte n/8, bit n%8
	px, py         uint16   // across the picture
	dx, dy, wheel  int32    // cumulative, wrapping
	pointerButtons uint8
}

// parseState reads the 72 bytes of a seat state. It is false for anything else.
func parseState(b []byte) (seatState, bool) {
	if len(b) != stateLen || b[0] != stateKind {
		return seatState{}, false
	}
	le := binary.LittleEndian
	s := seatState{
		flags: le.Uint16(b[2:]), seq: le.Uint32(b[4:]), buttons: le.Uint32(b[8:]),
		px: le.Uint16(b[52:]), py: le.Uint16(b[54:]),
		dx: int32(le.Uint32(b[56:])), dy: int32(le.Uint32(b[60:])), wheel: int32(le.Uint32(b[64:])),
		pointerButtons: b[68],
	}
	for i := range s.axes {
		s.axes[i] = max(int16(le.Uint16(b[12+2*i:])), -32767)
	}
	copy(s.keys[:], b[20:52])
	return s, true
}

// seatInput gathers a seat's messages between two ticks. Its rules: the newest
// sequence number wins; a press that ended before the tick is still seen by one
// tick; relative motion adds up, starting from the first message of a connection.
type seatInput struct {
	present bool // a player sits here
	started bool // a message came since they sat down
	now     seatState
	// seen by the next tick even if released since
	tapButtons uint32
	tapKeys    [32]byte
	tapPointer uint8
	// base of the relative motion: what the last tick has seen
	dx, dy, wheel int32
}

// seat notes that a player sat down or left: all is released, sequence numbers
// start anew.
func (s *seatInput) seat(connected bool) { *s = seatInput{present: connected} }

// release lets go of everything held and keeps the connection, its sequence
// numbers and the pointer's place.
func (s *seatInput) release() {
	s.now.buttons, s.now.axes, s.now.keys, s.now.pointerButtons = 0, [4]int16{}, [32]byte{}, 0
	s.tapButtons, s.tapKeys, s.tapPointer = 0, [32]byte{}, 0
	s.dx, s.dy, s.wheel = s.now.dx, s.now.dy, s.now.wheel
}

// put takes a message. Older ones than the newest are left out; sequence numbers
// wrap around.
func (s *seatInput) put(m seatState) {
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

// tick returns what the next tick sees and starts gathering for the one after.
func (s *seatInput) tick() app.Seat {
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

// acked is the newest sequence number, which the tick has seen.
func (s *seatInput) acked() uint32 {
	if !s.started {
		return 0
	}
	return s.now.seq
}
