// Package cabinet plays a built game the way a test or a photographer wants
// to: press this key, run so many ticks, look at the picture. Underneath is
// the runtime that nodes use.
package cabinet

import (
	"context"
	"fmt"
	"image"

	"github.com/framemesh/framemesh/gpu/app"
)

// Cabinet is one running game and the hands on it.
type Cabinet struct {
	app.Runtime
	// In is what the players hold in the next tick.
	In app.Input

	frame app.Frame
	sound []int16
}

// Open starts a module with the given options.
func Open(ctx context.Context, module []byte, o app.Options) (*Cabinet, error) {
	r, err := app.Open(ctx, module, o)
	if err != nil {
		return nil, fmt.Errorf("cabinet: %w", err)
	}
	return &Cabinet{Runtime: r}, nil
}

// Run plays n ticks with In as it stands.
func (c *Cabinet) Run(ctx context.Context, n int) error {
	for range n {
		c.In.Tick = c.NextTick()
		var err error
		if c.frame, c.sound, err = c.Tick(ctx, &c.In); err != nil {
			return fmt.Errorf("cabinet: tick %d: %w", c.In.Tick, err)
		}
	}
	return nil
}

// Picture is the frame of the last tick; it aliases the game's memory.
func (c *Cabinet) Picture() *image.RGBA {
	return &image.RGBA{Pix: c.frame.Pix, Stride: c.frame.Stride, Rect: image.Rect(0, 0, c.frame.Width, c.frame.Height)}
}

// Sound is the sound of the last tick, interleaved stereo.
func (c *Cabinet) Sound() []int16 { return c.sound }

// Sit puts a player on a seat.
func (c *Cabinet) Sit(seat int) { c.In.Seats[seat].Flags |= app.SeatConnected }

// Key presses or releases a key (USB HID usage) of a seat.
func (c *Cabinet) Key(seat int, usage uint8, down bool) { c.In.Seats[seat].SetKey(usage, down) }
