package player

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/input"
)

// How a page sends input: the state on each change, twice again soon after in case it
// was lost, and now and then while anything is held.
const (
	repeatEvery = 16 * time.Millisecond
	repeats     = 2
	holdEvery   = 100 * time.Millisecond
)

// inputs holds the state of this player's keys and sends it.
type inputs struct {
	dc    *webrtc.DataChannel
	tally *tally
	kick  chan struct{} // a change was made

	witness Witness // nil signs nothing; set before run

	mu    sync.Mutex
	state input.State
}

func newInputs(dc *webrtc.DataChannel, t *tally) *inputs {
	return &inputs{dc: dc, tally: t, kick: make(chan struct{}, 1), state: input.State{Flags: input.FlagConnected}}
}

// change edits the state and sends it at once.
func (in *inputs) change(edit func(*input.State)) {
	in.mu.Lock()
	edit(&in.state)
	in.mu.Unlock()
	select {
	case in.kick <- struct{}{}:
	default:
	}
}

// send sends the state under a new number.
func (in *inputs) send() {
	if in.dc.ReadyState() != webrtc.DataChannelStateOpen {
		return
	}
	in.mu.Lock()
	in.state.Seq++
	b, seq := in.state.Append(nil), in.state.Seq
	in.mu.Unlock()
	if in.witness != nil {
		in.witness.Sent(b)
	}
	in.tally.mu.Lock()
	in.tally.sent[seq%uint32(len(in.tally.sent))] = sending{seq, time.Now()} // its answer may come before Send returns
	in.tally.mu.Unlock()
	if err := in.dc.Send(b); err != nil {
		return
	}
	in.tally.mu.Lock()
	in.tally.r.InputsSent++
	in.tally.mu.Unlock()
}

// run sends until the context ends.
func (in *inputs) run(ctx context.Context, opt Options) {
	opened := make(chan struct{})
	in.dc.OnOpen(func() { close(opened) })
	select {
	case <-opened:
	case <-ctx.Done():
		return
	}
	script := time.NewTimer(time.Hour)
	defer script.Stop()
	rng := rand.New(rand.NewPCG(opt.Seed, 1))
	next := func(s *input.State) time.Duration {
		press(s, rng)
		return time.Duration(80+rng.IntN(220)) * time.Millisecond
	}
	if opt.Discreet {
		next = newPerson(opt.Seed).next
	}
	if opt.RandomInput || opt.Discreet {
		script.Reset(100 * time.Millisecond)
	}
	again := time.NewTimer(0) // says that somebody is there
	defer again.Stop()
	left := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-script.C:
			var wait time.Duration
			in.change(func(s *input.State) { wait = next(s) })
			script.Reset(wait)
		case <-in.kick:
			if opt.OnInput != nil {
				opt.OnInput(time.Now())
			}
			in.send()
			left = repeats
			again.Reset(repeatEvery)
		case <-again.C:
			in.send()
			in.mu.Lock()
			idle := in.state.Idle()
			in.mu.Unlock()
			if left--; left > 0 {
				again.Reset(repeatEvery)
			} else if !idle {
				again.Reset(holdEvery)
			}
		}
	}
}

// keys that most games know: arrows, space, Z, X, enter.
var scriptKeys = []uint8{0x4F, 0x50, 0x51, 0x52, 0x2C, 0x1D, 0x1B, 0x28}

// press changes one key and lets go of most others.
func press(s *input.State, rng *rand.Rand) {
	for _, k := range scriptKeys {
		if s.Held(k) && rng.IntN(3) > 0 {
			s.Hold(k, false)
		}
	}
	k := scriptKeys[rng.IntN(len(scriptKeys))]
	s.Hold(k, !s.Held(k))
}

// Press holds the key with this HID usage of page 0x07, such as 0x1D for Z.
func (p *Player) Press(usage uint8) { p.hold(usage, true) }

// Release lets go of it.
func (p *Player) Release(usage uint8) { p.hold(usage, false) }

func (p *Player) hold(usage uint8, down bool) {
	if p.inputs != nil {
		p.inputs.change(func(s *input.State) { s.Hold(usage, down) })
	}
}
