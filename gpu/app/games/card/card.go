// Package card draws the latency test card: a moving gradient that carries
// the wall clock as a bar of black and white cells and a patch that is white
// while KeyZ is held. A probe that reads the picture where it is shown knows
// how old it is and how long a key press took to come back.
//
// At 1280 pixels of width a cell is 24×24 px with the first at (32, 16) and
// the patch is 64×64 px at (32, 80); all of it scales with width/1280.
package card

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

// Cells is the length of the bar: 40 bits of wall-clock ms, then 8 bits of
// checksum, each most significant bit first.
const Cells = 48

const (
	black = sdk.Color(0xff000000)
	white = sdk.Color(0xffffffff)
)

// Card is the test card at one size and rate.
type Card struct {
	Width, Height, FPS int

	// gradient is Width×(Height+1) pixels; the picture slides over it.
	gradient []uint32
	hum      sdk.Sound
	beep     sdk.Sound
}

var _ sdk.Game = (*Card)(nil)

// Info asks for the wall clock: it reaches the card as an input of the tick.
func (c *Card) Info() sdk.Info {
	return sdk.Info{Width: c.Width, Height: c.Height, FPS: c.FPS, Seats: 1, WallClock: true}
}

// Init paints the gradient.
func (c *Card) Init(uint64) {
	c.gradient = make([]uint32, c.Width*(c.Height+1))
	for i := range c.gradient {
		x := float64(i%c.Width) / float64(c.Width)
		y := float64(i/c.Width) / float64(c.Height)
		// Each channel turns a whole number of times across the width, so the
		// picture closes on itself.
		wave := func(turns, phase float64) uint8 {
			return uint8(96 + 80*math.Sin(2*math.Pi*(turns*x+phase)))
		}
		c.gradient[i] = uint32(sdk.RGB(wave(1, 0.3*y), wave(2, 0.33+0.2*y), wave(1, 0.66-0.4*y)))
	}
	c.hum = sdk.Sound{Wave: sdk.Sine, Freq: 220, Attack: 40, Hold: 900, Release: 60, Volume: 0.05}
	c.beep = sdk.Sound{Wave: sdk.Triangle, Freq: 880, Attack: 1, Hold: 40, Release: 30, Volume: 0.4}
}

// Tick draws one card.
func (c *Card) Tick(in *sdk.Input, pic *sdk.Canvas, snd *sdk.Synth) {
	// Three pixels a tick at 60 fps and 1280 wide; the same speed elsewhere.
	step := max(1, 180*c.Width/1280/c.FPS)
	pic.Scroll(c.gradient, int(in.Tick%uint64(c.Width))*step%c.Width)

	size := c.scale(24)
	bits := Word(in.WallMS)
	for i := range Cells {
		col := black
		if bits>>(Cells-1-i)&1 != 0 {
			col = white
		}
		x := c.scale(32 + 24*i)
		pic.Rect(x, c.scale(16), c.scale(32+24*(i+1))-x, size, col)
	}
	seat := &in.Seats[0]
	col := black
	if seat.Held(sdk.KeyZ) {
		col = white
		if in.Tick%uint64(max(1, c.FPS/15)) == 0 || seat.Pressed(sdk.KeyZ) {
			snd.Play(&c.beep)
		}
	}
	pic.Rect(c.scale(32), c.scale(80), c.scale(64), c.scale(64), col)
	if in.Tick%uint64(c.FPS) == 0 {
		snd.Play(&c.hum)
	}
}

// scale turns a length at 1280 pixels of width into one of this card.
func (c *Card) scale(v int) int { return v * c.Width / 1280 }

// Word is the 48 bits of the bar: the low 40 bits of the clock in ms, then
// the XOR of those five bytes and 0xA5.
func Word(wallMS int64) uint64 {
	low := uint64(wallMS) & (1<<40 - 1)
	sum := uint64(0xa5)
	for s := 0; s < 40; s += 8 {
		sum ^= low >> s & 0xff
	}
	return low<<8 | sum
}
