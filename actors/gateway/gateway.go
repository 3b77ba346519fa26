package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/blob"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Caller makes one stream RPC; *rpc.Client is the real one.
type Caller interface {
	Call(ctx context.Context, to peer.ID, name string, req, resp proto.Message) error
}

// Finder finds peers by role and region; *discovery.Discovery is the real one.
type Finder interface {
	Find(ctx context.Context, role, region string, limit int) ([]peer.AddrInfo, error)
}

// Network is the libp2p host as the gateway needs it.
type Network interface {
	ID() peer.ID
	// Remember keeps the addresses of a peer for later calls.
	Remember(peer.AddrInfo)
	// Peers counts the connected peers.
	Peers() int
}

// AdSource hands every verified ad of a region to handle until ctx ends; gossip.Ads
// is the real one.
type AdSource interface {
	Subscribe(ctx context.Context, region string, handle func(from peer.ID, sealed []byte, ad *wire.Ad)) error
}

// Options are what a gateway is made of. All fields but Figures and Accuse are needed.
type Options struct {
	System *supervise.System
	Net    Network
	Calls  Caller
	Finder Finder
	Ads    AdSource
	Beacon match.Lottery // draws the indexers, and judges their certificates
	// Figures is the ledger, where what certificates say was measured is looked up; nil = there
	// is none. The player's page cannot do that: it relies on its gateway.
	Figures match.Figures
	// Accuse is given each sealed certificate that is not believed, whatever the reason; it
	// must not block. nil = nobody is.
	Accuse  func(sealed []byte)
	Network string
	Region  string
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

// Gateway implements Mesh over the peer-to-peer network.
type Gateway struct {
	o       Options
	ref     supervise.Ref
	started time.Time
	stopAds context.CancelFunc
}

var _ Mesh = (*Gateway)(nil)

// New makes a gateway; Start brings it to life.
func New(o Options) (*Gateway, error) {
	if o.System == nil || o.Net == nil || o.Calls == nil || o.Finder == nil || o.Ads == nil || o.Beacon == nil || o.Now == nil || o.Log == nil {
		return nil, errors.New("gateway: an option is missing")
	}
	return &Gateway{o: o}, nil
}

// Start subscribes to ads and begins to look for indexers.
func (g *Gateway) Start(ctx context.Context) error {
	g.started = g.o.Now()
	ref, err := g.o.System.Spawn("gateway", func() supervise.Behavior { return newState(g.o) }, supervise.Mailbox(8192))
	if err != nil {
		return err
	}
	g.ref = ref
	ads, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.stopAds = stop
	err = g.o.Ads.Subscribe(ads, g.o.Region, func(from peer.ID, _ []byte, ad *wire.Ad) {
		_ = ref.Tell(adSeen{from, ad}) // a full mailbox drops an ad; the next one comes within 30 s
	})
	if err != nil {
		stop()
		ref.Stop()
		return fmt.Errorf("gateway: ads of region %q: %w", g.o.Region, err)
	}
	return nil
}

// Stop ends the subscription; sessions go on, they do not pass through here.
func (g *Gateway) Stop() {
	if g.stopAds != nil {
		g.stopAds()
	}
}

// askTimeout bounds a question to the gateway's own actor.
const askTimeout = 2 * time.Second

func ask[T any](ctx context.Context, g *Gateway, msg any) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	v, err := supervise.Ask[T](ctx, g.ref, msg)
	switch {
	case errors.Is(err, supervise.ErrBusy):
		err = &Refused{Code: "busy", Text: "This gateway has more requests than it can take.", Try: "again in a moment", RetryAfter: time.Second}
	case errors.Is(err, supervise.ErrStopped):
		err = &Refused{Code: "busy", Text: "This gateway is going down.", Try: "again when it is back, or use another one", RetryAfter: 5 * time.Second}
	}
	return v, err
}

// Node says what this gateway is and sees.
func (g *Gateway) Node() Node {
	n := Node{Network: g.o.Network, PeerID: g.o.Net.ID().String(), Version: g.o.Version, Region: g.o.Region,
		Peers: g.o.Net.Peers(), UptimeMS: g.o.Now().Sub(g.started).Milliseconds()}
	if c, err := ask[counts](context.Background(), g, getCounts{}); err == nil {
		n.Containers, n.Indexers = c.containers, c.indexers
	}
	return n
}

// Apps lists what can be played now.
func (g *Gateway) Apps(ctx context.Context) ([]App, error) {
	return ask[[]App](ctx, g, getApps{})
}

// A picture is worth this much asking.
const (
	pictureTries   = 4 // containers
	pictureTimeout = time.Second
)

func (g *Gateway) askApp(ctx context.Context, id peer.ID, app sha, resp *wire.AppResponse) error {
	ctx, cancel := context.WithTimeout(ctx, pictureTimeout)
	defer cancel()
	return g.o.Calls.Call(ctx, id, "app", &wire.AppRequest{Sha256: app[:]}, resp)
}

// Picture fetches an app's catalogue picture from a container that has it.
func (g *Gateway) Picture(ctx context.Context, app string) ([]byte, error) {
	if p, err := ask[picture](ctx, g, getPicture{app}); err != nil || p.png != nil {
		return p.png, err
	}
	t, err := ask[target](ctx, g, resolveApp{app})
	if err != nil {
		return nil, err
	}
	if !t.found {
		return nil, &Refused{Code: "no-app", Text: "No container offers this app.", Try: "choose one from the catalogue"}
	}
	for _, id := range t.holders[:min(len(t.holders), pictureTries)] {
		var resp wire.AppResponse
		if err := g.askApp(ctx, id, t.app, &resp); err == nil && len(resp.Picture) > 0 && len(resp.Picture) <= blob.MaxPicture {
			_ = g.ref.Tell(picture{t.app, resp.Picture})
			return resp.Picture, nil
		}
	}
	return nil, &Refused{Code: "no-picture", Text: "No container has a picture of this app.", Try: "play it anyway"}
}
