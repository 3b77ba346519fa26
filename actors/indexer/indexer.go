// Package indexer is the role of an indexer: it holds the ads of its region's
// containers and answers match requests with certificates that anyone can check.
//
// One actor owns the table and decides in Receive, which takes well under a
// millisecond; beacon, signature and network stay outside of it. It never talks to
// containers, and it has no say beyond the rules of package match: a wrong answer is
// provable.
package indexer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Protocol is the name of the RPC that an indexer answers.
const Protocol = "match"

// limits of the match protocol. A certificate holds at most three sealed ads of
// 8 KiB.
var limits = rpc.Limits{
	MaxRequest: 4 << 10, MaxResponse: match.MaxCertificateBytes,
	Timeout: 5 * time.Second, PerPeerRate: 20, Burst: 60, MaxConcurrent: 64, MaxPerPeer: 16,
}

const (
	mailbox    = 2048             // messages; beyond it an ad is dropped and a request gets BUSY
	expireTime = time.Second      // between two removals of expired ads
	findTime   = 30 * time.Second // between two looks for other indexers
	findYoung  = 2 * time.Second  // the same while none is known
	maxPeers   = 64               // other indexers remembered
	busyWait   = 250 * time.Millisecond
	slotWait   = 2 * time.Second // to try again when only a slot was missing
)

// AdSource hands each new, verified ad of a region to handle, until ctx ends.
type AdSource interface {
	Subscribe(ctx context.Context, region string, handle func(from peer.ID, sealed []byte, ad *wire.Ad)) error
}

// Finder finds the peers of a role in a region.
type Finder interface {
	Find(ctx context.Context, role, region string, limit int) ([]peer.AddrInfo, error)
}

// Options of an Indexer.
type Options struct {
	System *supervise.System
	RPC    *rpc.Server // where match and account are answered; nil = nowhere, the methods alone
	Ads    AdSource
	Finder Finder // of other indexers, to record the draw; nil = this one alone
	Beacon match.Lottery
	// Stake is what the ledger knows a container to have at stake, in base units, from
	// memory: an ad that claims more is refused. nil = there is no ledger, and no ad may
	// claim any.
	Stake func(peer.ID) uint64
	// Doubt is told of a container whose ad claims more than Stake says: it may have added
	// to its stake since it was looked up. It must not block; nil = nobody is told.
	Doubt func(peer.ID)
	// Elsewhere says whether a container is met, or its ad sends players, outside of where it
	// declared to live: such an ad is refused. It must not block; nil = nobody is.
	Elsewhere func(from peer.ID, ad *wire.Ad) bool
	// Figures is where the ledger's measurements are read; nil = there is no ledger, and
	// what containers claim is believed.
	Figures Figures
	// Double changes certificates before they are signed: an indexer that lies, in tests and
	// demos. nil = it does not.
	Double        func(*wire.Certificate)
	Key           crypto.PrivKey // signs the certificates; the node key
	Network       string
	Region        string // whose ads to take
	MaxContainers int    // 0 = match.DefaultMaxContainers
	Now           func() time.Time
	Log           *slog.Logger
	Registerer    prometheus.Registerer // nil = metrics are kept but not registered
}

func (o *Options) validate() error {
	switch {
	case o.System == nil:
		return errors.New("indexer: no actor system given")
	case o.Ads == nil:
		return errors.New("indexer: no source of ads given")
	case o.Beacon == nil:
		return errors.New("indexer: no beacon given")
	case o.Key == nil:
		return errors.New("indexer: no key given")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Indexer is a running indexer. Its methods are safe for concurrent use.
type Indexer struct {
	opts    Options
	id      peer.ID
	metrics *metrics
	ref     supervise.Ref
	unsub   context.CancelFunc
}

// New returns an indexer that Start brings to life.
func New(o Options) (*Indexer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(o.Key)
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	return &Indexer{opts: o, id: id, metrics: newMetrics(o.Registerer)}, nil
}

// Start spawns the actor, takes ads and answers the match protocol. It is called
// once; ctx bounds the start alone.
func (ix *Indexer) Start(ctx context.Context) error {
	ref, err := ix.opts.System.Spawn("indexer", func() supervise.Behavior { return newState(ix) }, supervise.Mailbox(mailbox))
	if err != nil {
		return fmt.Errorf("indexer: %w", err)
	}
	ix.ref = ref
	ads, unsub := context.WithCancel(context.WithoutCancel(ctx))
	ix.unsub = unsub
	if err := ix.opts.Ads.Subscribe(ads, ix.opts.Region, ix.take); err != nil {
		unsub()
		ref.Stop()
		return fmt.Errorf("indexer: ads of region %q: %w", ix.opts.Region, err)
	}
	if ix.opts.RPC != nil {
		rpc.Handle(ix.opts.RPC, Protocol, limits, ix.Match)
		rpc.Handle(ix.opts.RPC, AccountProtocol, accountLimits, ix.Account)
	}
	return nil
}

// Stop ends the subscription and the actor; match requests are then UNAVAILABLE. It
// returns ctx's error when the actor does not end in time.
func (ix *Indexer) Stop(ctx context.Context) error {
	if ix.unsub == nil {
		return nil
	}
	ix.unsub()
	ix.ref.Stop()
	select {
	case <-ix.ref.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("indexer: stop: %w", ctx.Err())
	}
}

// take gives an ad to the actor. An ad that finds the mailbox full is dropped: the
// next one of that container comes within 30 s.
func (ix *Indexer) take(from peer.ID, sealed []byte, ad *wire.Ad) {
	if ix.overstated(from, ad) {
		ix.metrics.ads.WithLabelValues("stake").Inc()
		ix.opts.Log.Debug("indexer: an ad claims more stake than the ledger knows", "container", from.String(), "stake", ad.GetStake())
		_ = ix.ref.Tell(adRefused{from, "it claims more stake than the ledger knows of; the record is being read again, and the next ad counts if it is right"})
		return
	}
	if ix.opts.Elsewhere != nil && ix.opts.Elsewhere(from, ad) {
		ix.metrics.ads.WithLabelValues("elsewhere").Inc()
		ix.opts.Log.Debug("indexer: an ad comes from outside of the subnets that its container declared", "container", from.String())
		return
	}
	if err := ix.ref.Tell(adCame{from, sealed, ad}); err != nil {
		ix.metrics.ads.WithLabelValues("dropped").Inc()
	}
}

// overstated says whether an ad claims more stake than there is. What is scored is what the
// ad says, so that everybody can recompute it; so it must be true.
func (ix *Indexer) overstated(from peer.ID, ad *wire.Ad) bool {
	switch {
	case ad.GetStake() == 0:
		return false
	case ix.opts.Stake == nil:
		return true
	}
	over := ad.GetStake() > ix.opts.Stake(from)
	if over && ix.opts.Doubt != nil {
		ix.opts.Doubt(from)
	}
	return over
}

// Ads returns how many containers' ads are held; 0 when the actor does not answer.
func (ix *Indexer) Ads() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := supervise.Ask[int](ctx, ix.ref, countAds{})
	if err != nil {
		return 0
	}
	return n
}

// Match answers one match request; it is the handler of the match protocol. Errors
// are *rpc.Error: INVALID for a request that breaks a rule, NO_MATCH with a
// wire.MatchRefusal, BUSY when the mailbox is full.
func (ix *Indexer) Match(ctx context.Context, _ peer.ID, req *wire.MatchRequest) (*wire.MatchResponse, error) {
	if _, err := ix.opts.Beacon.Beacon(ctx); err != nil {
		return nil, fmt.Errorf("indexer: beacon: %w", err)
	}
	began := time.Now()
	out, err := supervise.Ask[outcome](ctx, ix.ref, matchAsked{req})
	if err != nil {
		return nil, ix.refusal(err)
	}
	raw := rpc.RawRequest(ctx)
	if raw == nil { // not asked over the network
		if raw, err = proto.Marshal(req); err != nil {
			return nil, fmt.Errorf("indexer: %w", err)
		}
	}
	beacon, indexers, err := ix.lot(ctx, out.indexers)
	if err != nil {
		return nil, err
	}
	if len(indexers) == 0 || indexers[0] != ix.id {
		return nil, rpc.Errorf(wire.Code_UNAVAILABLE, "this indexer is not on the ledger's list of this epoch; ask the next one")
	}
	cert := out.result.Certificate(ix.id, raw, req.GetRequestId(), beacon, indexers)
	if ix.opts.Double != nil {
		ix.opts.Double(cert)
	}
	sealed, err := match.Sign(cert, ix.opts.Network, ix.opts.Key)
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	ix.metrics.matches.Inc()
	ix.metrics.duration.Observe(time.Since(began).Seconds())
	return &wire.MatchResponse{Certificate: sealed}, nil
}

// lot is the beacon in force, and who of the indexers may be drawn with it. A certificate
// says both, and stake answers for it: so the one is asked for before and after the other.
func (ix *Indexer) lot(ctx context.Context, indexers []peer.ID) (beacon [32]byte, eligible []peer.ID, err error) {
	for range lots {
		if beacon, err = ix.opts.Beacon.Beacon(ctx); err != nil {
			return beacon, nil, fmt.Errorf("indexer: beacon: %w", err)
		}
		if eligible, err = match.Eligible(ctx, ix.opts.Beacon, indexers); err != nil {
			return beacon, nil, fmt.Errorf("indexer: %w", err)
		}
		if again, err := ix.opts.Beacon.Beacon(ctx); err == nil && again == beacon {
			return beacon, eligible, nil
		}
	}
	return beacon, nil, rpc.Errorf(wire.Code_UNAVAILABLE, "an epoch began while this indexer matched; ask again")
}

// lots is how often an indexer asks for a beacon that stays the same.
const lots = 3

// refusal turns the reason why there is no match into what the player is told.
func (ix *Indexer) refusal(err error) error {
	var none *match.NoMatch
	switch {
	case errors.As(err, &none):
		for _, name := range match.Filters {
			if n := none.Failed(name); n > 0 {
				ix.metrics.refusals.WithLabelValues(name).Add(float64(n))
			}
		}
		if none.Candidates == 0 {
			ix.metrics.refusals.WithLabelValues("empty").Inc()
		}
		return noMatch(none)
	case errors.Is(err, match.ErrRequest):
		return rpc.Errorf(wire.Code_INVALID, "%v; update framemesh", err)
	case errors.Is(err, supervise.ErrBusy):
		return &rpc.Error{Code: wire.Code_BUSY, RetryAfter: busyWait, Message: "this indexer has too many requests; ask the next one"}
	case errors.Is(err, supervise.ErrStopped):
		return rpc.Errorf(wire.Code_UNAVAILABLE, "this indexer is going down; ask the next one")
	}
	return err
}

func noMatch(none *match.NoMatch) error {
	detail, err := proto.Marshal(none.Refusal())
	if err != nil {
		return fmt.Errorf("indexer: %w", err)
	}
	out := &rpc.Error{Code: wire.Code_NO_MATCH, Message: none.Error(), Detail: detail}
	if none.Failed("slot") > 0 {
		out.RetryAfter = slotWait
	}
	return out
}
