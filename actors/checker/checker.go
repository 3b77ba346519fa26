// Package checker is the role that will judge what containers claim. So far a checker
// joins: it lets itself be found under its role, hears the region's ads and knows
// which containers are alive. It judges nothing.
package checker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Role is the name under which checkers are found.
const Role = "checker"

// ErrOptions says which option of a checker is missing.
var ErrOptions = errors.New("checker: options")

// AdSource hands each new, verified ad of a region to handle, until ctx ends.
type AdSource interface {
	Subscribe(ctx context.Context, region string, handle func(from peer.ID, sealed []byte, ad *wire.Ad)) error
}

// Advertiser makes this node findable under a role until ctx ends.
type Advertiser interface {
	Advertise(ctx context.Context, role, region string) error
}

// Options of a checker. System, Region and Ads are needed.
type Options struct {
	System     *supervise.System
	Region     string
	Ads        AdSource
	Advertiser Advertiser // nil when the node announces its roles itself
	Now        func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Checker is a running checker. Its methods may be called from any goroutine.
type Checker struct {
	o     Options
	ref   supervise.Ref
	leave context.CancelFunc
	seen  *prometheus.GaugeVec
}

// New checks the options; Start brings the checker to life.
func New(o Options) (*Checker, error) {
	if o.System == nil || o.Ads == nil || o.Region == "" {
		return nil, fmt.Errorf("%w: System, Region and Ads are needed", ErrOptions)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Checker{o: o, seen: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "framemesh_checker_containers", Help: "Containers whose ad is alive, as this checker sees it."}, []string{"region"})}
	if o.Registerer != nil {
		if err := o.Registerer.Register(c.seen); err != nil {
			return nil, fmt.Errorf("checker: register metrics: %w", err)
		}
	}
	return c, nil
}

// Start joins the network. ctx bounds the start alone.
func (c *Checker) Start(ctx context.Context) error {
	ref, err := c.o.System.Spawn("checker", func() supervise.Behavior { return newState(c) }, supervise.Mailbox(1024))
	if err != nil {
		return fmt.Errorf("checker: start: %w", err)
	}
	c.ref = ref
	var member context.Context
	member, c.leave = context.WithCancel(context.WithoutCancel(ctx))
	err = c.o.Ads.Subscribe(member, c.o.Region, func(from peer.ID, _ []byte, ad *wire.Ad) {
		// A full mailbox drops an ad; the next one of that container comes within 30 s.
		_ = ref.Tell(heard{from, time.UnixMilli(int64(ad.GetExpiresMs()))})
	})
	if err == nil && c.o.Advertiser != nil {
		err = c.o.Advertiser.Advertise(member, Role, c.o.Region)
	}
	if err != nil {
		c.leave()
		ref.Stop()
		return fmt.Errorf("checker: join region %q: %w", c.o.Region, err)
	}
	return nil
}

// Stop leaves the network. It returns ctx's error when the actor does not end in time.
func (c *Checker) Stop(ctx context.Context) error {
	if c.leave == nil {
		return nil
	}
	c.leave()
	c.ref.Stop()
	if c.o.Registerer != nil {
		c.o.Registerer.Unregister(c.seen)
	}
	select {
	case <-c.ref.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("checker: stop: %w", ctx.Err())
	}
}

// Containers lists the containers whose ads are alive, by peer id.
func (c *Checker) Containers(ctx context.Context) ([]peer.ID, error) {
	return supervise.Ask[[]peer.ID](ctx, c.ref, list{})
}
