package app

import "github.com/framemesh/framemesh/gpu/app/wasm4"

// USB HID usage ids of the keys that play WASM-4 carts.
const (
	keyA, keyC, keyD, keyE, keyF, keyN, keyQ        = 0x04, 0x06, 0x07, 0x08, 0x09, 0x11, 0x14
	keyS, keyV, keyW, keyX, keyZ                    = 0x16, 0x19, 0x1a, 0x1b, 0x1d
	keyTab, keySpace, keyComma, keyPeriod           = 0x2b, 0x2c, 0x36, 0x37
	keyRight, keyLeft, keyDown, keyUp, keyLeftShift = 0x4f, 0x50, 0x51, 0x52, 0xe1
)

// binding is a key and what it presses.
type binding struct{ key, button byte }

var (
	// ownKeys play a seat's own gamepad.
	ownKeys = []binding{{keyUp, wasm4.Up}, {keyDown, wasm4.Down}, {keyLeft, wasm4.Left}, {keyRight, wasm4.Right},
		{keyX, wasm4.Button1}, {keyV, wasm4.Button1}, {keySpace, wasm4.Button1}, {keyPeriod, wasm4.Button1},
		{keyZ, wasm4.Button2}, {keyC, wasm4.Button2}, {keyN, wasm4.Button2}, {keyComma, wasm4.Button2}}
	// secondKeys play the second gamepad while one player is alone, as on the
	// console itself.
	secondKeys = []binding{{keyE, wasm4.Up}, {keyD, wasm4.Down}, {keyS, wasm4.Left}, {keyF, wasm4.Right},
		{keyA, wasm4.Button1}, {keyQ, wasm4.Button1}, {keyLeftShift, wasm4.Button2}, {keyTab, wasm4.Button2}}
	// roomKeys are more keys for one's own gamepad where nobody else sits at the
	// keyboard.
	roomKeys = []binding{{keyW, wasm4.Up}, {keyS, wasm4.Down}, {keyA, wasm4.Left}, {keyD, wasm4.Right}}
	// padButtons are the buttons of a standard gamepad.
	padButtons = []struct {
		mask   uint32
		button byte
	}{{ButtonA | ButtonY, wasm4.Button1}, {ButtonB | ButtonX, wasm4.Button2}, {ButtonUp, wasm4.Up},
		{ButtonDown, wasm4.Down}, {ButtonLeft, wasm4.Left}, {ButtonRight, wasm4.Right}}
)

// stickEdge is how far a stick must be pushed to count as a direction.
const stickEdge = 16384

func pressed(s *Seat, keys []binding) (b byte) {
	for _, k := range keys {
		if s.Key(k.key) {
			b |= k.button
		}
	}
	return b
}

// cartGamepads turns what the players hold into the console's four gamepads.
func cartGamepads(in *Input) (pads [MaxSeats]byte) {
	mask := in.Mask()
	for i := range in.Seats {
		s := &in.Seats[i]
		if s.Flags&SeatConnected == 0 {
			continue
		}
		b := pressed(s, ownKeys)
		if mask&(mask-1) != 0 { // several seats, each with a keyboard
			b |= pressed(s, roomKeys)
		}
		for _, p := range padButtons {
			if s.Buttons&p.mask != 0 {
				b |= p.button
			}
		}
		switch {
		case s.Axes[0] < -stickEdge:
			b |= wasm4.Left
		case s.Axes[0] > stickEdge:
			b |= wasm4.Right
		}
		switch {
		case s.Axes[1] < -stickEdge:
			b |= wasm4.Up
		case s.Axes[1] > stickEdge:
			b |= wasm4.Down
		}
		pads[i] |= b
	}
	if mask == 1 {
		pads[1] |= pressed(&in.Seats[0], secondKeys)
	}
	return pads
}

// cartMouse is the pointer of the first seat that has one, in px of the console's
// screen; without one it is far off the screen, as on the console.
func cartMouse(in *Input) (x, y int16, buttons byte) {
	for i := range in.Seats {
		s := &in.Seats[i]
		if s.Flags&SeatConnected == 0 || s.Flags&SeatPointer == 0 {
			continue
		}
		return int16(uint32(s.X) * wasm4.Width >> 16), int16(uint32(s.Y) * wasm4.Height >> 16), s.PointerButtons & 7
	}
	return 0x7fff, 0x7fff, 0
}
