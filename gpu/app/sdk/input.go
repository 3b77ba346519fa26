package sdk

// Input is what the players did, as one tick sees it.
type Input struct {
	Tick   uint64 // number of this tick, from 0
	WallMS int64  // wall clock in ms since 1970; 0 unless Info.WallClock
	Seats  [4]Seat
}

// Seat is one player's devices. Held state is that of this tick; Pressed and
// Released compare with the tick before.
type Seat struct {
	Connected  bool // somebody sits here
	Gamepad    bool // with a gamepad
	HasPointer bool // with a mouse or a touch screen

	Buttons uint32    // gamepad buttons in the W3C standard mapping
	Axes    [4]int16  // LX LY RX RY, -32767..32767
	Keys    [4]uint64 // bitset over USB HID usage ids, page 7
	X, Y    int       // pointer, 0..65535 across the picture
	DX, DY  int       // relative pointer motion since the last tick, CSS px
	Wheel   int       // wheel motion since the last tick
	Mouse   uint8     // pointer buttons: bit 0 left or touch, 1 right, 2 middle

	lastButtons uint32
	lastKeys    [4]uint64
	lastMouse   uint8
}

// Button is a gamepad button in the W3C standard mapping.
type Button uint8

// Gamepad buttons by their place on the pad.
const (
	PadA Button = iota // bottom of the right cluster
	PadB
	PadX
	PadY
	PadLB
	PadRB
	PadLT
	PadRT
	PadBack
	PadStart
	PadLS
	PadRS
	PadUp
	PadDown
	PadLeft
	PadRight
	PadHome
)

func (in *Input) decode(b *[inputBytes]byte) {
	in.Tick = le64(b[0:])
	in.WallMS = int64(le64(b[8:]))
	mask := le32(b[16:])
	for i := range in.Seats {
		in.Seats[i].decode(b[seatOffset+i*seatBytes:][:seatBytes], mask>>i&1 != 0)
	}
}

func (s *Seat) decode(b []byte, present bool) {
	s.lastButtons, s.lastKeys, s.lastMouse = s.Buttons, s.Keys, s.Mouse
	flags := le32(b)
	s.Connected = present || flags&1 != 0
	s.Gamepad = flags&2 != 0
	s.HasPointer = flags&4 != 0
	s.Buttons = le32(b[4:])
	for i := range s.Axes {
		s.Axes[i] = int16(le16(b[8+2*i:]))
	}
	for i := range s.Keys {
		s.Keys[i] = le64(b[16+8*i:])
	}
	s.X, s.Y = int(le16(b[48:])), int(le16(b[50:]))
	s.DX, s.DY = int(int32(le32(b[52:]))), int(int32(le32(b[56:])))
	s.Wheel = int(int32(le32(b[60:])))
	s.Mouse = b[64]
}

// Held reports whether a key is down.
func (s *Seat) Held(k Key) bool { return s.Keys[k>>6]>>(k&63)&1 != 0 }

// Pressed reports whether a key went down with this tick.
func (s *Seat) Pressed(k Key) bool { return s.Held(k) && s.lastKeys[k>>6]>>(k&63)&1 == 0 }

// Released reports whether a key went up with this tick.
func (s *Seat) Released(k Key) bool { return !s.Held(k) && s.lastKeys[k>>6]>>(k&63)&1 != 0 }

// AnyHeld reports whether one of the keys is down.
func (s *Seat) AnyHeld(keys ...Key) bool {
	for _, k := range keys {
		if s.Held(k) {
			return true
		}
	}
	return false
}

// AnyPressed reports whether one of the keys went down with this tick.
func (s *Seat) AnyPressed(keys ...Key) bool {
	for _, k := range keys {
		if s.Pressed(k) {
			return true
		}
	}
	return false
}

// Anything reports whether any key, button or pointer button went down with
// this tick: "press any key".
func (s *Seat) Anything() bool {
	for i := range s.Keys {
		if s.Keys[i]&^s.lastKeys[i] != 0 {
			return true
		}
	}
	return s.Buttons&^s.lastButtons != 0 || s.Mouse&^s.lastMouse != 0
}

// PadHeld reports whether a gamepad button is down.
func (s *Seat) PadHeld(b Button) bool { return s.Buttons>>b&1 != 0 }

// PadPressed reports whether a gamepad button went down with this tick.
func (s *Seat) PadPressed(b Button) bool { return (s.Buttons&^s.lastButtons)>>b&1 != 0 }

// MouseHeld reports whether pointer button i (0 left or touch, 1 right,
// 2 middle) is down.
func (s *Seat) MouseHeld(i int) bool { return s.Mouse>>i&1 != 0 }

// MousePressed reports whether pointer button i went down with this tick.
func (s *Seat) MousePressed(i int) bool { return (s.Mouse&^s.lastMouse)>>i&1 != 0 }

// Pointer returns the pointer in pixels of a w×h picture.
func (s *Seat) Pointer(w, h int) (x, y int) {
	return s.X * (w - 1) / 65535, s.Y * (h - 1) / 65535
}

// deadZone is where a resting stick lies, in axis units (about 18 %).
const deadZone = 6000

func axis(v int16) float64 {
	switch {
	case v > deadZone:
		return float64(int(v)-deadZone) / (32767 - deadZone)
	case v < -deadZone:
		return max(-1, float64(int(v)+deadZone)/(32767-deadZone))
	}
	return 0
}

// Stick merges the left stick, the d-pad and, if wanted, arrow keys and WASD
// into one direction; each part is in -1..1, down is positive.
func (s *Seat) Stick(arrows, wasd bool) (x, y float64) {
	x, y = axis(s.Axes[0]), axis(s.Axes[1])
	if s.PadHeld(PadLeft) || arrows && s.Held(KeyLeft) || wasd && s.Held(KeyA) {
		x--
	}
	if s.PadHeld(PadRight) || arrows && s.Held(KeyRight) || wasd && s.Held(KeyD) {
		x++
	}
	if s.PadHeld(PadUp) || arrows && s.Held(KeyUp) || wasd && s.Held(KeyW) {
		y--
	}
	if s.PadHeld(PadDown) || arrows && s.Held(KeyDown) || wasd && s.Held(KeyS) {
		y++
	}
	return min(max(x, -1), 1), min(max(y, -1), 1)
}

// The three readers spare every game the reflection that encoding/binary
// would link in.
func le16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }

func le32(b []byte) uint32 { return uint32(le16(b)) | uint32(le16(b[2:]))<<16 }

func le64(b []byte) uint64 { return uint64(le32(b)) | uint64(le32(b[4:]))<<32 }
