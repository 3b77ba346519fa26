//go:build !wasip1

package sdk

import "os"

// saved stands in for the host's save when a game runs natively in a test.
var saved []byte

// Register makes g the game of this module. Natively there is no host, so
// it does nothing; tests use [NewConsole].
func Register(Game) {}

// Main is what a game's main calls. A reactor's main never runs; built for
// anything else it says how to build.
func Main() {
	os.Stderr.WriteString("this is a framemesh app: build it with\n" +
		"  GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w -buildid=' -o module.wasm .\n" +
		"and add it with: framemesh apps add\n")
	os.Exit(2)
}

// Log writes one line to the host's log: at most 1 KiB, rate limited there.
func Log(string) {}

// Load fills b with this app's save and returns how many bytes it got; 0
// means that there is none.
func Load(b []byte) int { return copy(b, saved) }

// Save replaces this app's save, at most MaxSave bytes, and reports whether
// the host took it.
func Save(b []byte) bool {
	if len(b) == 0 || len(b) > MaxSave {
		return false
	}
	saved = append(saved[:0], b...)
	return true
}
