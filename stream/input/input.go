// Package input is the wire format of the data channel "input": the state of one
// seat's keyboard, gamepad and pointer, and the report that locks the app's tick to
// a display. Little-endian, fixed length, newest sequence number wins; a lost
// message needs no repeat, because the next one carries the whole state.
//
// It only codes and checks; it knows no clock and no connection.
package input

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Sizes and kinds of the two messages.
const (
	KindState = 1
	KindSlack = 2
	StateSize = 72 // bytes
	SlackSize = 12 // bytes
	MaxPad    = 3
)

// Flags of a state.
const (
	FlagConnected = 1 << iota // somebody holds this seat
	FlagGamepad               // Buttons and Axes come from a gamepad
	FlagPointer               // X and Y mean something

	flagsKnown = FlagConnected | FlagGamepad | FlagPointer
)

const (
	buttonsKnown        = 1<<17 - 1
	pointerButtonsKnown = 1<<3 - 1

	offFlags, offSeq, offButtons, offAxes, offKeys = 2, 4, 8, 12, 20
	offX, offY, offDX, offDY, offWheel, offPointer = 52, 54, 56, 60, 64, 68
)

// Errors of the decoders.
var (
	ErrSize  = errors.New("input: message has the wrong length")
	ErrKind  = errors.New("input: unknown kind of message")
	ErrValue = errors.New("input: field out of range")
)

// State is all that is held at one seat at one moment.
type State struct {
	Pad     uint8    // local player of the page, 0..3
	Flags   uint16   // Flag…
	Seq     uint32   // grows by 1 per message of a peer connection, wraps
	Buttons uint32   // W3C standard gamepad: bit i is button i, 0..16
	Axes    [4]int16 // left x, left y, right x, right y; -32767..32767, y down
	Keys    [32]byte // bit n is HID usage n of page 0x07
	X, Y    uint16   // pointer across the picture, 0..65535
	DX, DY  int32    // relative motion since the connection began, CSS px, wraps
	Wheel   int32    // since the connection began, wraps
	Pointer uint8    // bit 0 left, 1 right, 2 middle
}

// Held reports whether the key with this HID usage is down.
func (s *State) Held(usage uint8) bool { return s.Keys[usage/8]&(1<<(usage%8)) != 0 }

// Hold presses or releases the key with this HID usage.
func (s *State) Hold(usage uint8, down bool) {
	if down {
		s.Keys[usage/8] |= 1 << (usage % 8)
	} else {
		s.Keys[usage/8] &^= 1 << (usage % 8)
	}
}

// Idle reports whether nothing is held: no key, no button, no stick off centre.
func (s *State) Idle() bool {
	return s.Buttons == 0 && s.Pointer == 0 && s.Axes == [4]int16{} && s.Keys == [32]byte{}
}

// Append appends the 72 bytes of s to b.
func (s *State) Append(b []byte) []byte {
	n := len(b)
	b = append(b, make([]byte, StateSize)...)
	m := b[n:]
	m[0], m[1] = KindState, s.Pad
	binary.LittleEndian.PutUint16(m[offFlags:], s.Flags)
	binary.LittleEndian.PutUint32(m[offSeq:], s.Seq)
	binary.LittleEndian.PutUint32(m[offButtons:], s.Buttons)
	for i, a := range s.Axes {
		binary.LittleEndian.PutUint16(m[offAxes+2*i:], uint16(a))
	}
	copy(m[offKeys:], s.Keys[:])
	binary.LittleEndian.PutUint16(m[offX:], s.X)
	binary.LittleEndian.PutUint16(m[offY:], s.Y)
	binary.LittleEndian.PutUint32(m[offDX:], uint32(s.DX))
	binary.LittleEndian.PutUint32(m[offDY:], uint32(s.DY))
	binary.LittleEndian.PutUint32(m[offWheel:], uint32(s.Wheel))
	m[offPointer] = s.Pointer
	return b
}

// Check reports whether b is a well-formed state, without decoding it: the hot
// path of a container, which hands the bytes on as they are.
func Check(b []byte) error {
	if len(b) != StateSize {
		return fmt.Errorf("%w: a state has %d bytes, not %d", ErrSize, StateSize, len(b))
	}
	switch {
	case b[0] != KindState:
		return fmt.Errorf("%w: %d", ErrKind, b[0])
	case b[1] > MaxPad:
		return fmt.Errorf("%w: local player %d", ErrValue, b[1])
	case binary.LittleEndian.Uint16(b[offFlags:])&^flagsKnown != 0:
		return fmt.Errorf("%w: unknown flag", ErrValue)
	case binary.LittleEndian.Uint32(b[offButtons:])&^buttonsKnown != 0:
		return fmt.Errorf("%w: unknown gamepad button", ErrValue)
	case b[offPointer]&^pointerButtonsKnown != 0:
		return fmt.Errorf("%w: unknown pointer button", ErrValue)
	case b[69]|b[70]|b[71] != 0:
		return fmt.Errorf("%w: bytes 69 to 71 must be zero", ErrValue)
	}
	for i := range 4 {
		if int16(binary.LittleEndian.Uint16(b[offAxes+2*i:])) == math.MinInt16 {
			return fmt.Errorf("%w: axis %d", ErrValue, i)
		}
	}
	return nil
}

// Decode reads a state. Every state it accepts is coded back to the same bytes.
func Decode(b []byte) (State, error) {
	if err := Check(b); err != nil {
		return State{}, err
	}
	s := State{
		Pad:     b[1],
		Flags:   binary.LittleEndian.Uint16(b[offFlags:]),
		Seq:     Seq(b),
		Buttons: binary.LittleEndian.Uint32(b[offButtons:]),
		Keys:    [32]byte(b[offKeys:offX]),
		X:       binary.LittleEndian.Uint16(b[offX:]),
		Y:       binary.LittleEndian.Uint16(b[offY:]),
		DX:      int32(binary.LittleEndian.Uint32(b[offDX:])),
		DY:      int32(binary.LittleEndian.Uint32(b[offDY:])),
		Wheel:   int32(binary.LittleEndian.Uint32(b[offWheel:])),
		Pointer: b[offPointer],
	}
	for i := range s.Axes {
		s.Axes[i] = int16(binary.LittleEndian.Uint16(b[offAxes+2*i:]))
	}
	return s, nil
}

// Seq reads the sequence number of a state that passed [Check].
func Seq(b []byte) uint32 { return binary.LittleEndian.Uint32(b[offSeq:]) }

// SetSeq overwrites the sequence number of a state.
func SetSeq(b []byte, seq uint32) { binary.LittleEndian.PutUint32(b[offSeq:], seq) }

// Newer reports whether sequence number a comes after b on the circle of 2³².
func Newer(a, b uint32) bool { return int32(a-b) > 0 }

// Slack reports how long frames waited for the display.
type Slack struct {
	Samples  uint16  // frames averaged
	MS       float32 // circular mean, ms: display tick − presentation time
	PeriodMS float32 // of the display, ms, 2..50
}

// Append appends the 12 bytes of s to b.
func (s Slack) Append(b []byte) []byte {
	b = append(b, KindSlack, 0)
	b = binary.LittleEndian.AppendUint16(b, s.Samples)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(s.MS))
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(s.PeriodMS))
}

// DecodeSlack reads a report. The period is 2 to 50 ms (20 to 500 Hz) and the
// slack within one second of zero, so that nothing behind it meets an infinity.
func DecodeSlack(b []byte) (Slack, error) {
	if len(b) != SlackSize {
		return Slack{}, fmt.Errorf("%w: a slack report has %d bytes, not %d", ErrSize, SlackSize, len(b))
	}
	if b[0] != KindSlack {
		return Slack{}, fmt.Errorf("%w: %d", ErrKind, b[0])
	}
	s := Slack{
		Samples:  binary.LittleEndian.Uint16(b[2:]),
		MS:       math.Float32frombits(binary.LittleEndian.Uint32(b[4:])),
		PeriodMS: math.Float32frombits(binary.LittleEndian.Uint32(b[8:])),
	}
	// Written so that NaN fails too.
	if b[1] != 0 || !(s.PeriodMS >= 2 && s.PeriodMS <= 50) || !(s.MS >= -1000 && s.MS <= 1000) {
		return Slack{}, fmt.Errorf("%w: slack report", ErrValue)
	}
	return s, nil
}
