package worker

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/framemesh/framemesh/gpu/segment"
)

// control is what the parent told the child and the tick loop has not acted on yet.
// The goroutine that reads the pipe writes it, the tick loop takes it once a tick;
// what comes twice in between counts once.
type control struct {
	wake chan struct{} // has an element after anything changed

	mu      sync.Mutex
	events  []segment.Event // since the last tick, in order
	spare   []segment.Event // what take returned the time before
	orders  orders
	running bool
	paused  bool
	stopped bool
}

// orders are the commands for one tick.
type orders struct {
	bitrate int // bit/s, 0 for no change
	key     bool
	shift   time.Duration
	cell    uint32 // of a strip, if there is one
	celled  bool
}

func newControl() *control { return &control{wake: make(chan struct{}, 1)} }

// readAll applies messages until the pipe ends. A parent that is gone ends it with
// nil, as does a broken message with an error: in both cases there is nothing left
// to work for.
func (c *control) readAll(r *reader) error {
	for {
		typ, body, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.apply(typ, body); err != nil {
			return err
		}
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// apply takes one message.
func (c *control) apply(typ byte, body []byte) error {
	if want, ok := toChild[typ]; !ok || typ == msgConfig || len(body) != want {
		return fmt.Errorf("%w: %d bytes of type %q", ErrWire, len(body), typ)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch typ {
	case msgRun:
		c.running = true
	case msgStop:
		c.stopped = true
	case msgPause:
		c.paused = body[0] != 0
		c.push(segment.Event{Kind: segment.EventRelease})
	case msgKey:
		c.orders.key = true
	case msgBitrate:
		c.orders.bitrate = int(binary.LittleEndian.Uint32(body))
	case msgCell:
		c.orders.cell, c.orders.celled = binary.LittleEndian.Uint32(body), true
	case msgShift:
		// Bounded before adding up: only the phase counts, and sums must not overflow.
		c.orders.shift += time.Duration(int64(binary.LittleEndian.Uint64(body))) % time.Minute
		c.orders.shift %= time.Minute
	case msgSeat:
		if body[0] >= Seats {
			return fmt.Errorf("%w: seat %d", ErrWire, body[0])
		}
		kind := segment.EventLeave
		if body[1] != 0 {
			kind = segment.EventSit
		}
		c.push(segment.Event{Seat: body[0], Kind: kind})
	case msgInput:
		if body[0] >= Seats || body[1] != stateKind {
			return fmt.Errorf("%w: input", ErrWire)
		}
		c.push(segment.Event{Seat: body[0], Kind: segment.EventState, State: [stateLen]byte(body[1:])})
	}
	return nil
}

// mode is what the tick loop shall do now.
type mode int

const (
	waiting mode = iota // for Run, or paused
	playing
	stopping
)

func (c *control) mode() mode {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped:
		return stopping
	case c.running && !c.paused:
		return playing
	default:
		return waiting
	}
}

// maxWaiting is how many events may wait for a tick. States come at most about 20 to
// a tick from a page; while no tick runs the newest say all that counts.
const maxWaiting = 256

// push adds an event. When too many wait, the oldest state goes.
func (c *control) push(e segment.Event) {
	if len(c.events) >= maxWaiting {
		i := slices.IndexFunc(c.events, func(e segment.Event) bool { return e.Kind == segment.EventState })
		c.events = slices.Delete(c.events, max(i, 0), max(i, 0)+1)
	}
	c.events = append(c.events, e)
}

// take returns what reached the seats since the last tick, valid until the next call,
// and what the parent asked for.
func (c *control) take() ([]segment.Event, orders) {
	c.mu.Lock()
	defer c.mu.Unlock()
	events, o := c.events, c.orders
	c.events, c.spare, c.orders = c.spare[:0], events, orders{}
	return events, o
}

// stop is a stop from within: the parent is gone.
func (c *control) stop() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
