package container

import (
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/worker"
)

// double is the module that a cheating container runs in place of the one it was asked
// for: another one that it has.
func (c *Container) double(app App) App {
	if c.o.Segments == nil || c.o.Segments.Double() != segments.Module {
		return app
	}
	for _, other := range c.o.Apps.List() {
		if other.SHA256 != app.SHA256 {
			return other
		}
	}
	return app
}

// inventing is the slot of a container that tells the game inputs which nobody sent, if
// that is how it cheats.
func (c *Container) inventing(s session.Slot) session.Slot {
	if c.o.Segments == nil || c.o.Segments.Double() != segments.Invent {
		return s
	}
	return inventingSlot{s}
}

type inventingSlot struct{ session.Slot }

// Open implements session.Slot.
func (s inventingSlot) Open(sink worker.Sink, save []byte) (gpu.Process, bool, error) {
	p, warm, err := s.Slot.Open(sink, save)
	if p != nil {
		p = inventor{p}
	}
	return p, warm, err
}

// inventor holds the space bar for its player, always.
type inventor struct{ gpu.Process }

// The space bar in a message of the input data channel: HID usage 0x2C.
const (
	keysAt   = 20
	spaceBar = 0x2c
)

// Input implements gpu.Process.
func (p inventor) Input(seat int, state []byte) {
	if len(state) > keysAt+spaceBar/8 {
		state[keysAt+spaceBar/8] |= 1 << (spaceBar % 8)
	}
	p.Process.Input(seat, state)
}
