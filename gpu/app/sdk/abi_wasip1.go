//go:build wasip1

package sdk

import "unsafe"

// console is the one console of a built module; Register fills it.
var console *Console

// Register makes g the game of this module. Call it once, from an init
// function: a reactor's main never runs.
func Register(g Game) { console = NewConsole(g) }

// Main is what a game's main calls. A reactor's main never runs; built for
// anything else it says how to build.
func Main() {}

//go:wasmimport framemesh log
func hostLog(p unsafe.Pointer, n uint32)

//go:wasmimport framemesh load
func hostLoad(p unsafe.Pointer, n uint32) int32

//go:wasmimport framemesh save
func hostSave(p unsafe.Pointer, n uint32) int32

// Log writes one line to the host's log: at most 1 KiB, rate limited there.
func Log(line string) {
	if len(line) > 1024 {
		line = line[:1024]
	}
	if line != "" {
		hostLog(unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
	}
}

// Load fills b with this app's save and returns how many bytes it got; 0
// means that there is none.
func Load(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return max(0, min(int(hostLoad(unsafe.Pointer(&b[0]), uint32(len(b)))), len(b)))
}

// Save replaces this app's save, at most MaxSave bytes, and reports whether
// the host took it.
func Save(b []byte) bool {
	if len(b) == 0 || len(b) > MaxSave {
		return false
	}
	return hostSave(unsafe.Pointer(&b[0]), uint32(len(b))) >= 0
}

//go:wasmexport fm_abi
func fmABI() int32 { return 1 }

//go:wasmexport fm_init
func fmInit(seed int64) { console.Init(uint64(seed)) }

//go:wasmexport fm_info
func fmInfo() int32 { return int32(uintptr(unsafe.Pointer(&console.words))) }

//go:wasmexport fm_input
func fmInput() int32 { return int32(uintptr(unsafe.Pointer(&console.block))) }

//go:wasmexport fm_tick
func fmTick() { console.Tick() }

//go:wasmexport fm_frame
func fmFrame() int32 { return int32(uintptr(unsafe.Pointer(&console.pic.Pix[0]))) }

//go:wasmexport fm_audio
func fmAudio() int32 { return int32(uintptr(unsafe.Pointer(&console.audio[0]))) }
