package player

import (
	"context"
	"net/http"
	"time"

	"github.com/framemesh/framemesh/stream/control"
)

// Payer pays for a session as the page in a browser does. Its methods are called one at a
// time and must not block for long, but for Run.
type Payer interface {
	// Terms reads the headers of a verified answer. paid is false for a free session, of
	// which nothing more is said. An error refuses the session.
	Terms(header http.Header) (paid bool, err error)
	// Run opens the escrow and adds to it until the context ends. It is called once the
	// control channel is open; say sends a message there, from any goroutine.
	Run(ctx context.Context, say func(control.Message))
	// Heard takes a control.Escrow or a control.Pay of the container.
	Heard(m control.Message)
	// Second says that for one more second pictures came.
	Second()
	// Square says whether the container has acknowledged all that was promised.
	Square() bool
}

// squareWait is for how long a player that stops waits for the container's word on its last
// voucher: the container speaks each second. One that is stopped before it read the voucher
// would be paid a second less than it was promised.
const squareWait = 1500 * time.Millisecond

// settleUp promises nothing more and waits until the container has what was promised.
func (p *Player) settleUp(ctx context.Context) {
	if !p.paid.Load() {
		return
	}
	p.leaving.Store(true)
	// In looks and not by the clock: on a machine that stood still for longer, the word that
	// lies there already is read all the same.
	const every = 20 * time.Millisecond
	look := time.NewTicker(every)
	defer look.Stop()
	for n := 0; n < int(squareWait/every) && !p.opt.Payer.Square(); n++ {
		select {
		case <-look.C:
		case <-p.ctx.Done(): // the session is over
			return
		case <-ctx.Done():
			return
		}
	}
}

// pay runs the payer of a paid session until the player stops.
func (p *Player) pay() {
	select {
	case <-p.talking:
	case <-p.ctx.Done():
		return
	}
	p.wg.Go(func() { p.opt.Payer.Run(p.ctx, p.say) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seen uint64
	for {
		select {
		case <-p.ctx.Done():
			return
		case m := <-p.bills:
			p.opt.Payer.Heard(m)
		case <-tick.C:
			if n := p.tally.pictures(); n != seen && !p.leaving.Load() {
				seen = n
				p.opt.Payer.Second()
			}
		}
	}
}

// bill hands a message about money to the payer; one that does not keep up misses some,
// and is told again within a second.
func (p *Player) bill(m control.Message) {
	if !p.paid.Load() {
		return
	}
	select {
	case p.bills <- m:
	default:
	}
}
