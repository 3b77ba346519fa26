// Package wasm4 is a WASM-4 fantasy console without the WebAssembly: the memory
// map, the drawing, the font and the sound chip. It works on a byte slice that
// is the cart's memory, and uses integers only, so that every machine draws and
// sounds alike. It starts nothing, reads no time and never fails: a cart that
// draws outside the screen or points outside its memory draws nothing there.
//
// docs/spec/wasm4.md describes the console as it is implemented here.
package wasm4

import "encoding/binary"

// Size of the screen in px, ticks per second, and bytes of a cart's memory and disk.
const (
	Width, Height = 160, 160
	FPS           = 60
	MemorySize    = 64 << 10
	DiskSize      = 1024
)

// The memory map.
const (
	offPalette      = 0x04 // 4 × u32, 0xRRGGBB
	offDrawColors   = 0x14 // u16: 4 draw colours of 4 bits; 0 is transparent
	offGamepads     = 0x16 // 4 × u8
	offMouseX       = 0x1a // i16
	offMouseY       = 0x1c // i16
	offMouseButtons = 0x1e // u8
	offFlags        = 0x1f // u8
	offNetplay      = 0x20 // u8
	offFramebuffer  = 0xa0 // 160×160, 2 bits per pixel, lowest bits leftmost
	framebufferSize = Width * Height / 4
	rowSize         = Width / 4
)

// Bits of a gamepad.
const (
	Button1 = 1 << 0
	Button2 = 1 << 1
	Left    = 1 << 4
	Right   = 1 << 5
	Up      = 1 << 6
	Down    = 1 << 7
)

const flagPreserve = 1 // keep the framebuffer from one tick to the next

// Memory is a cart's memory, MemorySize bytes.
type Memory []byte

// Reset writes what a cart finds when it starts.
func (m Memory) Reset() {
	for i, c := range [4]uint32{0xe0f8cf, 0x86c06c, 0x306850, 0x071821} {
		binary.LittleEndian.PutUint32(m[offPalette+4*i:], c)
	}
	binary.LittleEndian.PutUint16(m[offDrawColors:], 0x1203)
	m.SetMouse(0x7fff, 0x7fff, 0)
}

// BeginTick clears the screen, unless the cart wants to keep it.
func (m Memory) BeginTick() {
	if m[offFlags]&flagPreserve == 0 {
		clear(m[offFramebuffer : offFramebuffer+framebufferSize])
	}
}

// SetGamepad sets one of the four gamepads.
func (m Memory) SetGamepad(i int, buttons byte) { m[offGamepads+i] = buttons }

// SetMouse sets the mouse: px of the screen, and buttons (1 left, 2 right, 4 middle).
func (m Memory) SetMouse(x, y int16, buttons byte) {
	binary.LittleEndian.PutUint16(m[offMouseX:], uint16(x))
	binary.LittleEndian.PutUint16(m[offMouseY:], uint16(y))
	m[offMouseButtons] = buttons
}

// color returns draw colour i as 1…4, or 0 for transparent.
func (m Memory) color(i uint) byte {
	c := byte(binary.LittleEndian.Uint16(m[offDrawColors:])>>(4*i)) & 15
	if c == 0 {
		return 0
	}
	return (c-1)&3 + 1
}
