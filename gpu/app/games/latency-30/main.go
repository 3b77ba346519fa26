// Command latency-30 is the latency test card at 640×360 and 30 frames per second.
package main

import (
	"github.com/framemesh/framemesh/gpu/app/games/card"
	"github.com/framemesh/framemesh/gpu/app/sdk"
)

func init() { sdk.Register(&card.Card{Width: 640, Height: 360, FPS: 30}) }

func main() { sdk.Main() }
