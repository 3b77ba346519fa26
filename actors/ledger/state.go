package ledger

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Messages of the actor.
type (
	headCame  struct{}
	sendAsked struct {
		ctx  context.Context
		s    Signer
		body *tx.Body
	}
	sent struct {
		receipt Receipt
		err     error
	}
	delivered struct{ a key.Address }
	lookUp    struct {
		id    peer.ID
		again bool // although it is known
	}
	lookedUp struct {
		lookUp
		err error
	}
	epochRead struct {
		epoch uint64
		err   error
	}
	rollDrawn struct{ epoch uint64 }
	told      struct{}
	quoteTime struct{}
	closeTime struct{ key closeKey }
)

// behavior is the actor's state; see Ledger.
type behavior struct {
	l       *Ledger
	lanes   map[key.Address]*lane
	looking map[peer.ID]bool   // questions for the registry on their way
	wanted  map[peer.ID]lookUp // that wait to be asked; at most maxWanted
	spare   *rate.Limiter      // of such questions: any stranger's message raises one
	epoch   uint64             // whose parameters and seed have been read, plus one; 0 = none
	reading bool
	telling bool
	closes  map[closeKey]*batch
}

func newState(l *Ledger) *behavior {
	return &behavior{l: l, lanes: map[key.Address]*lane{}, looking: map[peer.ID]bool{}, wanted: map[peer.ID]lookUp{},
		spare: rate.NewLimiter(rate.Every(lookGap), lookBurst), closes: map[closeKey]*batch{}}
}

// Receive implements supervise.Behavior.
func (b *behavior) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		if b.l.o.Oracle != nil {
			b.quote(c)
		}
		b.head(c)
	case headCame:
		b.head(c)
	case sendAsked:
		b.send(c, m)
	case delivered:
		b.delivered(c, m.a)
	case lookUp:
		b.look(c, m)
	case lookedUp:
		b.looked(c, m)
	case epochRead:
		b.reading = false
		if m.err == nil {
			b.epoch = m.epoch + 1
		} else {
			c.Log().Debug("the new epoch cannot be read yet", "err", m.err)
		}
	case rollDrawn:
		c.Go(func(ctx context.Context) any { b.l.readAhead(ctx, m.epoch+1); return nil })
	case told:
		b.telling = false
		b.head(c) // a newer one may have come meanwhile
	case quoteTime:
		b.quote(c)
	case closeAsked:
		b.close(c, m)
	case closeTime:
		b.flush(c, m.key)
	case supervise.Stopping:
		for _, n := range b.lanes {
			for _, o := range n.waiting {
				o.reply(supervise.ErrStopped)
			}
		}
		for _, p := range b.closes {
			p.answer(supervise.ErrStopped)
		}
	}
}

// head goes with a new block: it is told to others, and a new epoch is read.
func (b *behavior) head(c *supervise.Ctx) {
	l := b.l
	h := l.heads.get()
	l.metrics.head(h, l.Epoch())
	if h.Height == 0 {
		return
	}
	if h.Full && !h.CatchingUp && l.o.Topic != nil && !b.telling {
		switch tell, later := l.teller.worth(h, l.o.Now()); {
		case tell:
			b.telling = true
			c.Go(func(ctx context.Context) any { l.tell(ctx, h); return told{} })
		case later > 0: // blocks come faster than the topic takes: the newest is told then
			b.telling = true
			c.After(later, told{})
		}
	}
	b.lookWanted(c)
	if epoch := l.Epoch(); !b.reading && b.epoch != epoch+1 {
		b.reading = true
		c.Go(func(ctx context.Context) any {
			ctx, cancel := context.WithTimeout(ctx, readTime)
			defer cancel()
			err := l.readParams(ctx)
			if err == nil {
				_, err = l.Beacon(ctx)
			}
			if err == nil {
				_, err = l.indexers(ctx, epoch)
			}
			if err == nil && !l.beacons.covers(epoch) {
				err = errNotYet // the state of the epoch's first block is readable with the next head
			}
			return epochRead{epoch, err}
		})
	}
}

// send queues a transaction of a key and starts it when none is on its way.
func (b *behavior) send(c *supervise.Ctx, m sendAsked) {
	if len(m.s.Key) == 0 || m.body == nil {
		c.Reply(&Refused{state.ErrField.Code, "nothing to sign, or no key to sign with"})
		return
	}
	a := m.s.Address()
	n := b.lanes[a]
	if n == nil {
		n = &lane{}
		b.lanes[a] = n
	}
	if len(n.waiting) >= maxWaiting {
		c.Reply(supervise.ErrBusy)
		return
	}
	n.waiting = append(n.waiting, order{m, c.Later()})
	if !n.busy {
		b.start(c, a, n)
	}
}

// start takes the first order of a lane that somebody still waits for.
func (b *behavior) start(c *supervise.Ctx, a key.Address, n *lane) {
	for len(n.waiting) > 0 {
		o := n.waiting[0]
		n.waiting = n.waiting[1:]
		if o.ctx.Err() != nil {
			continue
		}
		n.busy = true
		c.Go(func(life context.Context) any {
			ctx, cancel := context.WithCancel(o.ctx)
			defer cancel()
			defer context.AfterFunc(life, cancel)()
			r, err := b.l.deliver(ctx, n, o.s, o.body)
			b.l.metrics.sent.WithLabelValues(outcome(err)).Inc()
			o.reply(sent{r, err})
			return delivered{a}
		})
		return
	}
}

func (b *behavior) delivered(c *supervise.Ctx, a key.Address) {
	n := b.lanes[a]
	n.busy = false
	b.start(c, a, n)
	if !n.busy {
		delete(b.lanes, a) // the nonce is read again: others may use the key meanwhile
	}
}
