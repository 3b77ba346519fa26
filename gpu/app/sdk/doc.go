// Package sdk is the guest library for games that run on the mesh.
//
// A game is a Go program compiled to a WebAssembly reactor that speaks the
// framemesh app ABI v1. It implements [Game], registers itself in an init
// function and draws into a [Canvas] once per tick:
//
//	func init() { sdk.Register(&game{}) }
//	func main() { sdk.Main() }
//
// The library never allocates after Init, reads no clock and no randomness
// of its own: two runs that are given the same seed and the same input
// blocks produce the same pictures and the same sound, which is what
// snapshots, replays and audits of a session rest on. Everything but the
// thin file of exports also compiles natively, so that a game's rules can be
// unit tested with an ordinary go test (see [NewConsole]).
package sdk
