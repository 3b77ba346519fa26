// Command novareef is Nova Reef, a side-scrolling shooter through four
// glowing reefs in deep space, each with its own leviathan at the end; after
// the fourth they begin again, harder.
//
// The rules live in files of one thing each: ship, shots, enemies, waves,
// boss. game.go ties them together; art.go, sky.go and sound.go make
// everything that is seen and heard at start, from formulas.
package main

import "github.com/framemesh/framemesh/gpu/app/sdk"

func init() { sdk.Register(newGame()) }

func main() { sdk.Main() }
