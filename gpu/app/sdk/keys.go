package sdk

// Key is a USB HID usage id of page 0x07: the place of a key on the board,
// whatever the layout prints on it.
type Key uint8

// The keys that games ask for most.
const (
	KeyA          Key = 0x04
	KeyB          Key = 0x05
	KeyC          Key = 0x06
	KeyD          Key = 0x07
	KeyE          Key = 0x08
	KeyF          Key = 0x09
	KeyG          Key = 0x0a
	KeyH          Key = 0x0b
	KeyI          Key = 0x0c
	KeyJ          Key = 0x0d
	KeyK          Key = 0x0e
	KeyL          Key = 0x0f
	KeyM          Key = 0x10
	KeyN          Key = 0x11
	KeyO          Key = 0x12
	KeyP          Key = 0x13
	KeyQ          Key = 0x14
	KeyR          Key = 0x15
	KeyS          Key = 0x16
	KeyT          Key = 0x17
	KeyU          Key = 0x18
	KeyV          Key = 0x19
	KeyW          Key = 0x1a
	KeyX          Key = 0x1b
	KeyY          Key = 0x1c
	KeyZ          Key = 0x1d
	Key1          Key = 0x1e
	Key2          Key = 0x1f
	Key3          Key = 0x20
	Key4          Key = 0x21
	Key5          Key = 0x22
	Key6          Key = 0x23
	Key7          Key = 0x24
	Key8          Key = 0x25
	Key9          Key = 0x26
	Key0          Key = 0x27
	KeyEnter      Key = 0x28
	KeyEscape     Key = 0x29
	KeyBackspace  Key = 0x2a
	KeyTab        Key = 0x2b
	KeySpace      Key = 0x2c
	KeyRight      Key = 0x4f
	KeyLeft       Key = 0x50
	KeyDown       Key = 0x51
	KeyUp         Key = 0x52
	KeyLeftCtrl   Key = 0xe0
	KeyLeftShift  Key = 0xe1
	KeyLeftAlt    Key = 0xe2
	KeyRightCtrl  Key = 0xe4
	KeyRightShift Key = 0xe5
)
