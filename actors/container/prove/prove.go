package prove

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Errors of a Prover.
var (
	ErrSetup    = errors.New("prove: setup")
	ErrAsker    = errors.New("prove: not a checker of this container")
	ErrQuestion = errors.New("prove: that cannot be asked")
	ErrAsked    = errors.New("prove: asked before")
	ErrNoCommit = errors.New("prove: nothing is committed in this epoch")
	ErrSaved    = errors.New("prove: saved state")
)

// Rendering is what a Renderer made in one round.
type Rendering interface {
	// Roots are those of the whole frames, in order. The caller does not change them.
	Roots() [][32]byte
	// Open shows the tiles, in the order of the picks, all of which lie inside the
	// rendering. It may render frames again and runs off the Prover's goroutine.
	Open(ctx context.Context, picks []proof.Pick) ([]*proof.Opening, error)
}

// Renderer is what renders: the kernel on this machine's device.
type Renderer interface {
	// Render renders the chain of a task and a container until a moment of this machine's
	// clock, unix ms, at most frames whole frames, or until ctx ends, which is no error.
	Render(ctx context.Context, r Render) (Rendering, error)
	// Reopen is the rendering of a chain that was committed before a restart: it renders
	// again what it is asked to open.
	Reopen(r Render, roots [][32]byte) Rendering
}

// Setup is what a Prover is told of its epoch. Times are unix milliseconds.
type Setup struct {
	Chain    string
	Key      ed25519.PrivateKey // the container's node key
	Epoch    uint64
	Task     [32]byte
	Checkers []key.Node // committee and reserve of the container's batch
	Kernel   proof.Kernel
	Picks    int // tiles a checker may ask for

	T0, Until uint64 // the window: the chain begins in it and ends with it
	CommitBy  uint64 // checkers take the commitment as in time
	Close     uint64 // nobody asks any more

	// Ahead is by how much the checkers' clocks are ahead of this machine's, ms: what the
	// last round's Prover.Ahead says. Times of this machine are moved by it.
	Ahead           int64
	Rate            uint64 // samples/s of this device when last measured, 0 = unknown
	Backend, Device string // told with the commitment; at most 64 and 128 bytes count
}

// Action is something to be carried out: Render, Stop, Send or Wake.
type Action interface{ action() }

// Render starts the renderer; its end comes back as Rendered.
type Render struct {
	Task, Container [32]byte
	Size            uint32 // index into the kernel's table of sizes
	UntilMS         uint64 // by this machine's clock
	Frames          int    // at most
}

// Stop ends the renderer early; what it made is not needed.
type Stop struct{}

// Send brings the commitment to a checker. Its answer comes back as Answered, its silence
// as Failed.
type Send struct {
	To     key.Node
	Commit *proof.Opened
}

// Wake asks for At at this moment.
type Wake struct{ AtMS uint64 }

func (Render) action() {}
func (Stop) action()   {}
func (Send) action()   {}
func (Wake) action()   {}

type stage uint8

const (
	waiting stage = iota
	rendering
	committed
	out // of this epoch: nothing to show
)

// Prover is one container in one epoch.
type Prover struct {
	s     Setup
	me    key.Node
	stage stage
	size  uint32

	busy   *proof.Busy // what to answer instead of rendering
	commit *proof.Opened
	roots  [][32]byte
	work   Rendering
	err    error // why there is no commitment

	checkers []*checker // as in Setup.Checkers
}

// checker is how things stand with one of the checkers.
type checker struct {
	node    key.Node
	told    bool   // it has the commitment
	again   uint64 // when to send next, unix ms
	tries   int
	asked   [32]byte // digest of its question
	answers int
	clock   bool  // its clock is known
	ahead   int64 // of this machine's, ms
}

// sends is how often a commitment is sent to a checker that does not answer; answers is
// how often the same question is answered, for answers that got lost.
const (
	sends   = 8
	answers = 3
)

// New begins an epoch. It returns ErrSetup for what cannot be.
func New(s Setup) (*Prover, error) {
	if len(s.Key) != ed25519.PrivateKeySize || s.Kernel == nil || s.Chain == "" {
		return nil, fmt.Errorf("%w: Chain, Key and Kernel are needed", ErrSetup)
	}
	if s.T0 >= s.Until || s.Until > s.CommitBy || s.CommitBy > s.Close {
		return nil, fmt.Errorf("%w: times %d, %d, %d, %d do not rise", ErrSetup, s.T0, s.Until, s.CommitBy, s.Close)
	}
	p := &Prover{s: s, me: key.Node(s.Key[ed25519.SeedSize:]), size: Class(s.Kernel, s.Rate, s.Until-s.T0)}
	for _, n := range s.Checkers {
		p.checkers = append(p.checkers, &checker{node: n})
	}
	return p, nil
}

// Class is the largest of the kernel's sizes whose frame takes a device of rate samples/s
// at most 200 ms and at most a sixteenth of a round of ms milliseconds: a frame that the
// end cuts off counts nothing, and small frames cost more hashing. 0 for an unknown rate:
// a first round says little more than that, the next one everything.
func Class(k proof.Kernel, rate, ms uint64) uint32 {
	limit := min(200, ms/16)
	best := uint32(0)
	for size := uint32(0); size < 32; size++ {
		_, samples, ok := k.Shape(size)
		if !ok {
			break
		}
		if rate > 0 && samples <= rate/1000*limit {
			best = size
		}
	}
	return best
}

// local turns a moment of the checkers' clocks into one of this machine's.
func (p *Prover) local(at uint64) uint64 { return uint64(max(0, int64(at)-p.s.Ahead)) }

// theirs turns a moment of this machine's clock into one of the checkers'.
func (p *Prover) theirs(now uint64) uint64 { return uint64(max(0, int64(now)+p.s.Ahead)) }

// At is told the time, at the moments that Wake named or at others.
func (p *Prover) At(now uint64) []Action { return p.at(p.theirs(now)) }

func (p *Prover) at(now uint64) []Action {
	switch {
	case p.stage == waiting && now < p.s.T0:
		return []Action{Wake{p.local(p.s.T0)}}
	case p.stage == waiting && p.busy != nil:
		// Checkers may not know yet that they are drawn, and a session may end soon.
		if middle := p.s.T0 + (p.s.Until-p.s.T0)/2; now < middle {
			return []Action{Wake{p.local(middle)}}
		}
		return p.committed(now, &proof.CapCommit{Epoch: p.s.Epoch, Kernel: p.s.Kernel.Version(), Busy: p.busy}, nil)
	case p.stage == waiting && now+(p.s.Until-p.s.T0)/3 > p.s.Until:
		// Told of the task in the last third of the window: so little of what the device
		// can would look like a slow device, and being absent costs no more than this round.
		p.stage = out
		return nil
	case p.stage == waiting:
		p.stage = rendering
		return []Action{Render{p.s.Task, p.me, p.size, p.local(p.s.Until), proof.MaxFrames}}
	case p.stage == committed:
		return p.send(now)
	}
	return nil
}

// Busy says that a session runs, its newest segment commitment or nil with it, or that
// none runs any more (session nil). What is committed stays so.
func (p *Prover) Busy(now uint64, session []byte, segment *proof.Signed) []Action {
	if p.stage == committed || p.stage == out {
		return nil
	}
	if session == nil {
		was := p.busy
		if p.busy = nil; was == nil || p.stage != waiting {
			return nil
		}
		return p.at(p.theirs(now)) // what is left of the window may be enough
	}
	p.busy = &proof.Busy{Session: append([]byte(nil), session...), Segment: segment}
	if p.stage != rendering {
		return nil
	}
	p.stage = waiting
	return append([]Action{Stop{}}, p.at(p.theirs(now))...)
}

// Rendered is the end of a rendering that nobody stopped. Without a whole frame there is
// nothing to commit to.
func (p *Prover) Rendered(now uint64, work Rendering) []Action {
	if p.stage != rendering {
		return nil
	}
	if work == nil || len(work.Roots()) == 0 {
		p.stage = out
		return nil
	}
	roots := work.Roots()
	root := p.s.Kernel.RootsRoot(roots)
	p.work = work
	return p.committed(p.theirs(now), &proof.CapCommit{Epoch: p.s.Epoch, Size: p.size, Frames: uint32(len(roots)), Roots: root[:],
		Kernel: p.s.Kernel.Version(), Backend: clip(p.s.Backend, 64), Device: clip(p.s.Device, 128)}, roots)
}

func (p *Prover) committed(now uint64, c *proof.CapCommit, roots [][32]byte) []Action {
	o, err := proof.Sign(p.s.Chain, p.s.Key, &proof.Statement{Says: &proof.Statement_Commit{Commit: c}})
	if err != nil {
		// A session or a segment that is none: what cannot be said is not said.
		p.stage, p.err = out, fmt.Errorf("prove: commit: %w", err)
		return nil
	}
	p.commit, p.roots, p.stage = o, roots, committed
	return p.send(now)
}

// clip keeps printable ASCII, at most n bytes: what a driver calls itself is not ours.
func clip(s string, n int) string {
	b := make([]byte, 0, min(n, len(s)))
	for i := 0; i < len(s) && len(b) < n; i++ {
		if s[i] >= ' ' && s[i] < 0x7f {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// Committed is the container's commitment of this epoch, nil before there is one.
func (p *Prover) Committed() *proof.Opened { return p.commit }

// Err says why the container stays out of the epoch, nil while it does not or where there
// was nothing to render.
func (p *Prover) Err() error { return p.err }

// Samples is what the commitment claims, 0 before there is one and for a busy container.
func (p *Prover) Samples() uint64 {
	_, samples, _ := p.s.Kernel.Shape(p.size)
	return uint64(len(p.roots)) * samples
}
