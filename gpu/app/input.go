package app

import (
	"encoding/binary"
	"fmt"
)

// MaxSeats is the most players that one game has.
const MaxSeats = 4

// InputSize is the size of the input block in bytes.
const InputSize = 352

// Flags of a Seat.
const (
	SeatConnected uint32 = 1 << iota // a player sits here
	SeatGamepad                      // and holds a gamepad
	SeatPointer                      // and has a mouse or a touch screen
)

// Buttons of the W3C standard gamepad mapping, as bits of Seat.Buttons.
const (
	ButtonA uint32 = 1 << iota // the lower of the four on the right
	ButtonB                    // right
	ButtonX                    // left
	ButtonY                    // upper
	ButtonL1
	ButtonR1
	ButtonL2
	ButtonR2
	ButtonSelect
	ButtonStart
	ButtonL3
	ButtonR3
	ButtonUp
	ButtonDown
	ButtonLeft
	ButtonRight
	ButtonHome
)

// Seat is what one player holds during one tick.
type Seat struct {
	Flags          uint32   // SeatConnected, SeatGamepad, SeatPointer
	Buttons        uint32   // W3C standard gamepad, bit i is button i
	Axes           [4]int16 // left X, left Y, right X, right Y: -32767…32767, right and down positive
	Keys           [32]byte // set of USB HID usage ids, page 7: id n is bit n%8 of byte n/8
	X, Y           uint16   // pointer, 0…65535 across and down the picture
	DX, DY, Wheel  int32    // relative motion in CSS px, since the last tick
	PointerButtons uint8    // bit 0 left, 1 right, 2 middle
}

// Key reports whether the key with this HID usage id is held.
func (s *Seat) Key(usage uint8) bool { return s.Keys[usage/8]>>(usage%8)&1 != 0 }

// SetKey presses or releases a key.
func (s *Seat) SetKey(usage uint8, down bool) {
	s.Keys[usage/8] &^= 1 << (usage % 8)
	if down {
		s.Keys[usage/8] |= 1 << (usage % 8)
	}
}

// Input is all that a game is told for one tick. It is a plain comparable value:
// two equal inputs give the same tick.
type Input struct {
	Tick   uint64 // number of the tick; goes up by one
	WallMS int64  // ms since 1970, for games that ask for it; recorded like any input
	Seats  [MaxSeats]Seat
}

// Mask has bit i set when seat i is connected.
func (in *Input) Mask() uint32 {
	var m uint32
	for i := range in.Seats {
		m |= (in.Seats[i].Flags & SeatConnected) << i
	}
	return m
}

// Offsets in the input block, little-endian.
const (
	offTick = 0
	offWall = 8
	offMask = 16
	offSeat = 32
	seatLen = 80
)

// MarshalTo writes the 352-byte input block of ABI v1 into b, which must be at
// least InputSize long; bytes that carry nothing are set to zero.
func (in *Input) MarshalTo(b []byte) {
	b = b[:InputSize]
	le := binary.LittleEndian
	clear(b[:offSeat])
	le.PutUint64(b[offTick:], in.Tick)
	le.PutUint64(b[offWall:], uint64(in.WallMS))
	le.PutUint32(b[offMask:], in.Mask())
	for i := range in.Seats {
		s, d := &in.Seats[i], b[offSeat+i*seatLen:][:seatLen]
		le.PutUint32(d[0:], s.Flags)
		le.PutUint32(d[4:], s.Buttons)
		for k, a := range s.Axes {
			le.PutUint16(d[8+2*k:], uint16(a))
		}
		copy(d[16:48], s.Keys[:])
		le.PutUint16(d[48:], s.X)
		le.PutUint16(d[50:], s.Y)
		le.PutUint32(d[52:], uint32(s.DX))
		le.PutUint32(d[56:], uint32(s.DY))
		le.PutUint32(d[60:], uint32(s.Wheel))
		d[64] = s.PointerButtons
		clear(d[65:])
	}
}

// UnmarshalInput reads an input block, for those who replay a recording.
func UnmarshalInput(b []byte) (Input, error) {
	var in Input
	if len(b) != InputSize {
		return in, fmt.Errorf("app: an input block of %d bytes; it has %d", len(b), InputSize)
	}
	le := binary.LittleEndian
	in.Tick = le.Uint64(b[offTick:])
	in.WallMS = int64(le.Uint64(b[offWall:]))
	for i := range in.Seats {
		s, d := &in.Seats[i], b[offSeat+i*seatLen:][:seatLen]
		s.Flags, s.Buttons = le.Uint32(d[0:]), le.Uint32(d[4:])
		for k := range s.Axes {
			s.Axes[k] = int16(le.Uint16(d[8+2*k:]))
		}
		copy(s.Keys[:], d[16:48])
		s.X, s.Y = le.Uint16(d[48:]), le.Uint16(d[50:])
		s.DX, s.DY, s.Wheel = int32(le.Uint32(d[52:])), int32(le.Uint32(d[56:])), int32(le.Uint32(d[60:]))
		s.PointerButtons = d[64]
	}
	var again [InputSize]byte
	if in.MarshalTo(again[:]); string(again[:]) != string(b) {
		return in, fmt.Errorf("app: an input block with bytes set that carry nothing, or a wrong seat mask")
	}
	return in, nil
}
