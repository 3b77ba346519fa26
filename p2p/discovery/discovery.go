package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	corediscovery "github.com/libp2p/go-libp2p/core/discovery"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	drouting "github.com/libp2p/go-libp2p/p2p/discovery/routing"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Errors of this package beside ErrRecord, ErrPeersFile and ErrStoreFull.
var (
	// ErrName: a network, role or region is not 1 to 32 of a-z, 0-9 and -.
	ErrName = errors.New("discovery: names are 1 to 32 of a-z, 0-9 and -")
	// ErrLimit: a lookup without a sensible limit.
	ErrLimit = errors.New("discovery: limit of a lookup must be 1 to 1000")
	// ErrNotFound: nobody has the record.
	ErrNotFound = errors.New("discovery: no such node record")
	// ErrClosed: the Discovery was closed.
	ErrClosed = errors.New("discovery: closed")
)

// MaxFind is the highest limit of a lookup.
const MaxFind = 1000

// recordTTL is how long a node record put by Announce is valid; it is put again at
// every readvertisement.
const recordTTL = time.Hour

// recordQuorum is how many copies of a record a lookup compares before it answers.
const recordQuorum = 4

// anyRegion stands for the region in the rendezvous that all of a role join. It is no
// valid region name.
const anyRegion = "*"

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Rendezvous is the DHT namespace under which a role of a region advertises; an empty
// region gives the namespace of the role in all regions.
func Rendezvous(network, role, region string) string {
	if region == "" {
		region = anyRegion
	}
	return "framemesh/" + network + "/" + role + "/" + region
}

// Config says what a Discovery works with. Host, DHT, Network and Key are required.
type Config struct {
	Host      host.Host
	DHT       *dht.IpfsDHT
	Network   string
	Key       crypto.PrivKey  // of the host; seals its node record
	Bootstrap []peer.AddrInfo // peers to meet first
	PeersFile string          // "" remembers nobody
	Agent     string          // told in the node record
	Log       *slog.Logger    // nil logs nothing
}

// Discovery finds peers and lets this node be found. Its methods may be called at
// the same time from many goroutines.
type Discovery struct {
	cfg     Config
	self    peer.ID
	routing *drouting.RoutingDiscovery
	log     *slog.Logger

	ctx  context.Context
	stop context.CancelFunc

	mu         sync.Mutex // guards the three below
	closed     bool
	remembered []Remembered
	spaces     map[string]int // rendezvous this node advertises itself under now, by how often
	running    sync.WaitGroup

	tellAlone sync.Once
}

// New starts looking for peers: it dials the bootstrap peers and those remembered
// from before, and keeps doing so while the node knows too few. A file of remembered
// peers that cannot be used is logged and ignored. Close ends it.
func New(c Config) (*Discovery, error) {
	if !nameRule.MatchString(c.Network) {
		return nil, fmt.Errorf("%w: network %.40q", ErrName, c.Network)
	}
	if c.Host == nil || c.DHT == nil || c.Key == nil {
		return nil, errors.New("discovery: host, DHT and key are required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	d := &Discovery{cfg: c, self: c.Host.ID(), routing: drouting.NewRoutingDiscovery(c.DHT), log: c.Log, spaces: map[string]int{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	if c.PeersFile != "" {
		list, err := readPeers(c.PeersFile)
		if err != nil {
			d.log.Warn("remembered peers are ignored; a new file will be written", "file", c.PeersFile, "err", err)
		}
		d.remembered = list
	}
	d.running.Go(d.keepConnected)
	return d, nil
}

// Close stops all loops, Advertise's and Announce's too, and writes the remembered
// peers to the disk.
func (d *Discovery) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	err := d.Save(time.Now(), 0)
	d.stop()
	d.running.Wait()
	return err
}

// Advertise makes this node findable as one of a role, in a region and among all. It
// returns at once; until ctx ends or Close, a loop tries until it worked and then
// repeats it, so that the others' 30-minute memory never runs out. An empty region
// means no region in particular. This node's own Find knows of it at once.
func (d *Discovery) Advertise(ctx context.Context, role, region string) error {
	if !nameRule.MatchString(role) || (region != "" && !nameRule.MatchString(region)) {
		return fmt.Errorf("%w: role %.40q, region %.40q", ErrName, role, region)
	}
	spaces := []string{Rendezvous(d.cfg.Network, role, "")}
	if region != "" {
		spaces = append(spaces, Rendezvous(d.cfg.Network, role, region))
	}
	for _, ns := range spaces {
		err := d.keep(ctx, "advertise "+ns, func(ctx context.Context) error {
			_, err := d.routing.Advertise(ctx, ns)
			return err
		})
		if err != nil {
			return err
		}
		d.join(ctx, ns)
	}
	return nil
}

// join remembers, until ctx ends, that this node is among those of a rendezvous.
func (d *Discovery) join(ctx context.Context, ns string) {
	d.count(ns, 1)
	context.AfterFunc(ctx, func() { d.count(ns, -1) })
}

func (d *Discovery) count(ns string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spaces[ns] += n
}

func (d *Discovery) joined(ns string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed && d.spaces[ns] > 0
}

// Announce advertises every role and keeps this node's sealed record in the DHT,
// until ctx ends or Close. It returns at once.
func (d *Discovery) Announce(ctx context.Context, roles []string, region string) error {
	for _, role := range roles {
		if err := d.Advertise(ctx, role, region); err != nil {
			return err
		}
	}
	return d.keep(ctx, "put the node record", func(ctx context.Context) error {
		return d.PutRecord(ctx, &wire.NodeRecord{Roles: roles, Region: region, Agent: d.cfg.Agent})
	})
}

// keep runs do until it worked, and then again and again.
func (d *Discovery) keep(ctx context.Context, what string, do func(context.Context) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.running.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(d.ctx, cancel)()
		failures, successes := 0, 0
		for {
			err := do(ctx)
			var wait time.Duration
			if err != nil {
				failures++
				wait = retryAfter(failures)
				switch {
				case failures != 6: // about half a minute: no longer the usual race at the start
				case d.alone():
					d.tellAlone.Do(func() { d.log.Info("no other peer is known; name one in p2p.bootstrap to join others") })
				default:
					d.log.Warn("discovery does not get through; is a bootstrap peer reachable?", "what", what, "err", err)
				}
			} else {
				failures, successes = 0, successes+1
				wait = repeatAfter(successes, d.cfg.DHT.RoutingTable().Size())
			}
			if !sleep(ctx, jittered(wait, rand.Float64())) {
				return
			}
		}
	})
	return nil
}

// alone says whether nobody is there and nobody was named: a network of one, or its first.
func (d *Discovery) alone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.cfg.Bootstrap) == 0 && len(d.remembered) == 0 && d.cfg.DHT.RoutingTable().Size() == 0
}

// sleep waits; false means that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Find looks for up to limit (1 to MaxFind) peers of a role in a region, or in any
// region if it is empty. It returns when the limit is reached, the search is
// exhausted or ctx ends: what was found by then is the answer, and an empty answer
// is not an error. The node itself is the first of it when it advertises the role, and
// else never in it. An entry may lack addresses; the host's Connect then looks them up.
func (d *Discovery) Find(ctx context.Context, role, region string, limit int) ([]peer.AddrInfo, error) {
	if !nameRule.MatchString(role) || (region != "" && !nameRule.MatchString(region)) {
		return nil, fmt.Errorf("%w: role %.40q, region %.40q", ErrName, role, region)
	}
	if limit < 1 || limit > MaxFind {
		return nil, fmt.Errorf("%w: %d", ErrLimit, limit)
	}
	ns := Rendezvous(d.cfg.Network, role, region)
	var out []peer.AddrInfo
	if d.joined(ns) {
		out = append(out, peer.AddrInfo{ID: d.self, Addrs: d.cfg.Host.Addrs()})
		if len(out) == limit {
			return out, nil
		}
	}
	// one more, because the others may have this node among them
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found, err := d.routing.FindPeers(ctx, ns, corediscovery.Limit(limit+1))
	if err != nil {
		return nil, fmt.Errorf("discovery: find %s in %q: %w", role, region, err)
	}
	seen := map[peer.ID]bool{d.self: true}
	for p := range found {
		if seen[p.ID] || p.ID.Validate() != nil {
			continue
		}
		seen[p.ID] = true
		if out = append(out, p); len(out) == limit {
			break
		}
	}
	return out, nil
}

// PutRecord seals a node record with this node's key and stores it in the DHT. Peer
// id and address are this node's; a zero seq becomes the time in ms, a zero expiry
// one hour from now.
func (d *Discovery) PutRecord(ctx context.Context, rec *wire.NodeRecord) error {
	now := uint64(time.Now().UnixMilli())
	rec.PeerId = []byte(d.self)
	if rec.Seq == 0 {
		rec.Seq = now
	}
	if rec.ExpiresMs == 0 {
		rec.ExpiresMs = now + uint64(recordTTL.Milliseconds())
	}
	if rec.Addrs == nil {
		for _, a := range d.cfg.Host.Addrs() {
			if len(rec.Addrs) < maxAddrs && len(a.Bytes()) <= maxAddr {
				rec.Addrs = append(rec.Addrs, a.Bytes())
			}
		}
	}
	sealed, err := seal.Seal(d.cfg.Network, seal.TypeNode, rec, d.cfg.Key)
	if err != nil {
		return err
	}
	if err := d.cfg.DHT.PutValue(ctx, RecordKey(d.self), sealed); err != nil {
		return fmt.Errorf("discovery: put node record: %w", err)
	}
	return nil
}

// GetRecord fetches a peer's newest node record and checks it. It returns
// ErrNotFound if nobody has one.
func (d *Discovery) GetRecord(ctx context.Context, id peer.ID) (*wire.NodeRecord, error) {
	value, err := d.cfg.DHT.GetValue(ctx, RecordKey(id), dht.Quorum(recordQuorum))
	if errors.Is(err, routing.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("discovery: get node record of %s: %w", id, err)
	}
	return CheckRecord(d.cfg.Network, RecordKey(id), value, time.Now())
}
