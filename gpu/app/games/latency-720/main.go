// Command latency-720 is the latency test card at 1280×720 and 60 frames per second.
package main

import (
	"github.com/framemesh/framemesh/gpu/app/games/card"
	"github.com/framemesh/framemesh/gpu/app/sdk"
)

func init() { sdk.Register(&card.Card{Width: 1280, Height: 720, FPS: 60}) }

func main() { sdk.Main() }
