package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/tx"
)

// whereabouts keeps what this node declares of where it lives true: others tell it where they
// see it, and when that is not what is registered for some minutes it registers itself anew,
// with the node's key, where its owner has delegated to it. One run loop owns all of it.
type whereabouts struct {
	log     *slog.Logger
	now     func() time.Time
	tick    <-chan time.Time
	told    <-chan any            // of event.EvtPeerIdentificationCompleted
	addrs   func() []ma.Multiaddr // those of the machine itself, none that others told it
	entry   func() (state.Node, bool)
	declare func(ctx context.Context, e state.Node, list []subnet.Subnet) error

	seen  sightings
	drift drift

	declaring bool
	declared  chan declaration // of one that was under way
}

// declaration is what came of registering anew.
type declaration struct {
	want, before []subnet.Subnet
	err          error
}

func (w *whereabouts) run(ctx context.Context) {
	w.declared = make(chan declaration, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if w.declaring {
			<-w.declared
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.told:
			if !ok {
				return
			}
			if id, ok := e.(event.EvtPeerIdentificationCompleted); ok {
				w.hear(id)
			}
		case <-w.tick:
			w.look(ctx)
		case d := <-w.declared:
			w.tell(d)
		}
	}
}

// hear remembers where a peer sees this node, when both have a public address.
func (w *whereabouts) hear(e event.EvtPeerIdentificationCompleted) {
	if e.Conn == nil {
		return
	}
	where, ok := subnetOf(e.ObservedAddr)
	by, theirs := subnetOf(e.Conn.RemoteMultiaddr())
	if ok && theirs {
		w.seen.saw(w.now(), where, by)
	}
}

// public are the subnets where this node is: those of the machine's own public addresses, and those
// in which others see it.
func (w *whereabouts) public() []subnet.Subnet {
	out := subnetsOf(w.addrs())
	for _, s := range w.seen.believed(w.now()) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out[:min(len(out), subnet.Max)]
}

// look compares where the node is with what it declared. Registering anew takes some blocks,
// and peers must not wait to be heard for so long.
func (w *whereabouts) look(ctx context.Context) {
	e, ok := w.entry()
	if !ok || w.declaring {
		return
	}
	want, due := w.drift.due(w.now(), w.public(), e.Subnets)
	if !due {
		return
	}
	w.declaring = true
	go func() {
		ctx, cancel := context.WithTimeout(ctx, settledTime)
		defer cancel()
		w.declared <- declaration{want, e.Subnets, w.declare(ctx, e, want)}
	}()
}

// tell says what came of a declaration, and what to do where the node cannot help itself.
func (w *whereabouts) tell(d declaration) {
	w.declaring = false
	switch {
	case d.err == nil:
		w.log.Info("this node's public address has changed; it is registered where it lives now", "subnets", textOf(d.want), "before", textOf(d.before))
	case errors.Is(d.err, state.ErrMoved):
		w.log.Warn("this node's public address has changed again; until it may be registered anew, what it answers from there counts for nothing", "subnets", textOf(d.want), "err", d.err)
	default:
		w.log.Warn(fmt.Sprintf("others see this node where it is not registered, so what it answers there counts for nothing; run `framemesh register%s`, or `framemesh delegate` so that it can do so itself", flagsOf(d.want)), "registered", textOf(d.before), "err", d.err)
	}
}

func textOf(list []subnet.Subnet) string {
	var out []string
	for _, s := range list {
		out = append(out, s.String())
	}
	return strings.Join(out, " ")
}

func flagsOf(list []subnet.Subnet) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(" --subnet " + s.String())
	}
	return b.String()
}

// moved is the registration of a node that changes nothing but where it lives.
func moved(id key.Node, e state.Node, list []subnet.Subnet) *tx.Register {
	r := &tx.Register{Node: id[:], Roles: uint32(e.Roles), Region: e.Region, PriceMicroUsdPerHour: e.Price,
		HardwareClass: uint32(e.Class), ClaimRpMilli: e.Claim, Subnets: subnet.Bytes(list)}
	keys := e.Keys
	if e.NextFrom != 0 {
		keys = e.Next
	}
	if keys != (state.Keys{}) {
		r.ConsensusKey, r.VrfKey = keys.Consensus[:], keys.VRF[:]
	}
	return r
}

// interfaceAddrs are a host's addresses on this machine. The host's own list has what four peers
// told it besides, which are counted here.
func interfaceAddrs(h host.Host) []ma.Multiaddr {
	all, err := h.Network().InterfaceListenAddresses()
	if err != nil {
		return nil // others see where it is
	}
	return all
}

// startWhereabouts watches where this node lives, where there is a ledger to say it to.
func (n *Node) startWhereabouts(context.Context) (func(context.Context) error, error) {
	l := n.Ledger()
	if l == nil {
		return nil, nil
	}
	self, err := key.NodeOf(n.ID())
	if err != nil {
		return nil, err
	}
	b, _, err := n.book()
	if err != nil {
		return nil, err
	}
	h := n.p2p.Host()
	sub, err := h.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return nil, fmt.Errorf("node: hearing where others see this node: %w", err)
	}
	ticker := time.NewTicker(lookAroundGap)
	w := &whereabouts{log: n.log, now: n.o.Now, tick: ticker.C, told: sub.Out(), addrs: func() []ma.Multiaddr { return interfaceAddrs(h) },
		entry: func() (state.Node, bool) { return l.Entry(n.ID()) },
		declare: func(ctx context.Context, e state.Node, list []subnet.Subnet) error {
			err := b.Send(ctx, &tx.Body{Op: &tx.Body_Register{Register: moved(self, e, list)}})
			l.ReadAgain(n.ID())
			return err
		}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	return func(stop context.Context) error {
		cancel()
		ticker.Stop()
		err := sub.Close()
		select {
		case <-done:
			return err
		case <-stop.Done():
			return fmt.Errorf("node: looking around: %w", stop.Err())
		}
	}, nil
}
