package probe

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Duty is what a checker votes on in an epoch.
type Duty struct {
	Epoch      uint64
	Containers []key.Node
	VoteMS     uint64 // when votes begin to be bound, unix ms
}

// Plan is one session to come.
type Plan struct {
	Length time.Duration
	// Avoid are containers that the match shall leave out, as a page asks for after one
	// failed it: at most maxAvoid.
	Avoid []key.Node
	// FirstCell is in how long after the first picture challenge cells are asked for; 0 = as
	// pages do.
	FirstCell time.Duration
}

// Visit is a session that was played.
type Visit struct {
	Container key.Node
	Sample    *proof.Sample
	Paid      uint64 // base units
}

// Visitor plays; *Guest is the real one.
type Visitor interface {
	Visit(ctx context.Context, p Plan) (*Visit, error)
}

// Options of a prober. Duties, EpochStart, Deliver and Visitor are needed.
type Options struct {
	// Duties is what the checker votes on in the epoch that runs.
	Duties func(ctx context.Context) (Duty, error)
	// EpochStart is when an epoch begins, in ms of unix time.
	EpochStart func(epoch uint64) uint64
	// Deliver adds a sample to what the checker votes on in the epoch that runs.
	Deliver func(container key.Node, s *proof.Sample)
	Visitor Visitor
	// Every is in how many epochs one is played, on average; 0 = 4.
	Every uint64
	// Rand makes tests repeatable; nil is seeded anew.
	Rand       *rand.Rand
	Now        func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// How long a session lasts, and what is left free before votes.
const (
	shortest, longestPlay = 30 * time.Second, 60 * time.Second
	least                 = 5 * time.Second // in epochs of seconds
	launching             = 3 * time.Second
	ending                = 15 * time.Second // a session that hangs is given up

	maxAvoid   = 3
	maxShelf   = 64
	shelfLife  = 8 // epochs that a sample waits for its container to be on duty again
	askDuties  = 500 * time.Millisecond
	shortEpoch = 5 * time.Minute // below it, sessions are shorter and challenges early
)

// Prober decides when a checker plays, and where what it saw goes.
type Prober struct {
	o      Options
	cancel context.CancelFunc
	done   chan struct{}
	visits *prometheus.CounterVec
	paid   prometheus.Counter
}

// kept is a sample that waits.
type kept struct {
	visit *Visit
	epoch uint64
}

// New checks the options; Start begins.
func New(o Options) (*Prober, error) {
	if o.Duties == nil || o.EpochStart == nil || o.Deliver == nil || o.Visitor == nil {
		return nil, fmt.Errorf("%w: Duties, EpochStart, Deliver and Visitor are needed", ErrOptions)
	}
	if o.Every == 0 {
		o.Every = 4
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Prober{o: o, done: make(chan struct{}),
		visits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_probe_visits_total",
			Help: "Sessions that this checker played to measure them, by how they ended: measured, late (kept for another epoch), foreign (of a container that it does not vote on), refused."}, []string{"result"}),
		paid: prometheus.NewCounter(prometheus.CounterOpts{Name: "framemesh_probe_paid_base_units_total", Help: "What these sessions cost."})}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{p.visits, p.paid} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("probe: register metrics: %w", err)
			}
		}
	}
	return p, nil
}

// Start begins to play now and then, until Stop.
func (p *Prober) Start(ctx context.Context) error {
	ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(p.done)
		p.run(ctx)
	}()
	return nil
}

// Stop leaves a session that runs. It returns ctx's error when that takes too long.
func (p *Prober) Stop(ctx context.Context) error {
	if p.cancel == nil {
		return nil
	}
	p.cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("probe: stop: %w", ctx.Err())
	}
	if p.o.Registerer != nil {
		p.o.Registerer.Unregister(p.visits)
		p.o.Registerer.Unregister(p.paid)
	}
	return nil
}

// run owns all state of the prober.
func (p *Prober) run(ctx context.Context) {
	var (
		shelf []kept
		avoid []key.Node // newest last
		epoch uint64
		begun bool
	)
	for ctx.Err() == nil {
		d, err := p.o.Duties(ctx)
		if err != nil || begun && d.Epoch <= epoch || len(d.Containers) == 0 {
			if !sleep(ctx, askDuties) {
				return
			}
			continue
		}
		epoch, begun = d.Epoch, true
		shelf = p.deliver(d, shelf)
		if p.o.Rand.Uint64N(p.o.Every) == 0 {
			v := p.play(ctx, d, avoid)
			if v == nil {
				continue
			}
			avoid = append(slices.DeleteFunc(avoid, func(n key.Node) bool { return n == v.Container }), v.Container)
			avoid = avoid[max(0, len(avoid)-maxAvoid):]
			shelf = p.take(ctx, d, v, shelf)
		}
	}
}

// deliver hands over what waits for the containers of a duty.
func (p *Prober) deliver(d Duty, shelf []kept) []kept {
	return slices.DeleteFunc(shelf, func(k kept) bool {
		if slices.Contains(d.Containers, k.visit.Container) {
			p.o.Deliver(k.visit.Container, k.visit.Sample)
			p.visits.WithLabelValues("measured").Inc()
			return true
		}
		if d.Epoch > k.epoch+shelfLife {
			p.visits.WithLabelValues("foreign").Inc()
			return true
		}
		return false
	})
}

// take hands a visit over at once when votes are still open, else keeps it.
func (p *Prober) take(ctx context.Context, d Duty, v *Visit, shelf []kept) []kept {
	p.paid.Add(float64(v.Paid))
	now, err := p.o.Duties(ctx)
	if err == nil && now.Epoch == d.Epoch && uint64(p.o.Now().UnixMilli()) < d.VoteMS && slices.Contains(d.Containers, v.Container) {
		p.o.Deliver(v.Container, v.Sample)
		p.visits.WithLabelValues("measured").Inc()
		return shelf
	}
	p.visits.WithLabelValues("late").Inc()
	shelf = append(shelf, kept{v, d.Epoch})
	return shelf[max(0, len(shelf)-maxShelf):]
}

// play waits for a random moment of the epoch and plays; nil without a session.
func (p *Prober) play(ctx context.Context, d Duty, avoid []key.Node) *Visit {
	wait, plan := p.plan(d)
	if p.o.Rand.IntN(2) == 0 {
		plan.Avoid = avoid
	}
	if !sleep(ctx, wait) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, plan.Length+ending+longestPlay)
	defer cancel()
	v, err := p.o.Visitor.Visit(ctx, plan)
	if err != nil {
		p.visits.WithLabelValues("refused").Inc()
		p.o.Log.Warn("a container was not measured by playing", "epoch", d.Epoch, "err", err)
		return nil
	}
	p.o.Log.Info("a session was measured", "epoch", d.Epoch, "container", v.Container, "seconds", v.Sample.GetSeconds(),
		"fps_milli", v.Sample.GetFpsMilli(), "p50_ms", v.Sample.GetP50Ms(), "cells", fmt.Sprintf("%d/%d", v.Sample.GetCellsSeen(), v.Sample.GetCellsAsked()), "paid", v.Paid)
	return v
}

// plan draws when to play and for how long: uniformly over what is left of the epoch before
// votes, or over all of it where that is too short. Epochs of seconds, as demos have them,
// get sessions of seconds; nobody hides in those.
func (p *Prober) plan(d Duty) (wait time.Duration, plan Plan) {
	now := time.Duration(p.o.Now().UnixMilli()) * time.Millisecond
	left := time.Duration(d.VoteMS)*time.Millisecond - now
	whole := time.Duration(p.o.EpochStart(d.Epoch+1)-p.o.EpochStart(d.Epoch)) * time.Millisecond
	plan.Length = shortest + time.Duration(p.o.Rand.Int64N(int64(longestPlay-shortest)))
	if whole < shortEpoch {
		plan.Length = max(min(plan.Length, left/2), least)
		plan.FirstCell = plan.Length / 3
	}
	if room := left - plan.Length - launching; room > 0 {
		wait = time.Duration(p.o.Rand.Int64N(int64(room)))
	}
	return wait, plan
}

// sleep reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
