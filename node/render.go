package node

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/container"
	"github.com/framemesh/framemesh/actors/container/segments"
	gpuactor "github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/app/games"
	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/p2p/blob"
	"github.com/framemesh/framemesh/stream"
)

// maxFetch bounds an app fetched from other peers, in bytes.
const maxFetch = 64 << 20

// OpenStore opens the app store of a data directory.
func OpenStore(dir string, builtin bool) (*store.Store, error) {
	var inside fs.FS
	if builtin {
		inside = games.FS
	}
	return store.Open(filepath.Join(dir, "apps"), inside)
}

// apps shows the store to the container. Modules that were checked once are not read
// and hashed again for each session.
type apps struct {
	*store.Store
	mu   sync.Mutex
	path map[[32]byte]container.App
}

var _ container.Apps = (*apps)(nil)

func (a *apps) describe(m store.App) (container.App, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.path[m.SHA]; ok {
		return known, nil
	}
	p, err := a.Store.Path(m.SHA)
	if err != nil {
		return container.App{}, err
	}
	c := container.App{App: gpuactor.App{SHA256: m.SHA, Name: m.Manifest.Name, Module: p}, Title: m.Manifest.Title}
	a.path[m.SHA] = c
	return c, nil
}

// List returns the installed apps, those that people play before the test cards.
func (a *apps) List() []container.App {
	var out []container.App
	list, _ := a.Store.List()
	for _, m := range list {
		if c, err := a.describe(m); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// Get returns one installed app.
func (a *apps) Get(sha [32]byte) (container.App, bool) {
	list, _ := a.Store.List()
	for _, m := range list {
		if m.SHA == sha {
			c, err := a.describe(m)
			return c, err == nil
		}
	}
	return container.App{}, false
}

func (n *Node) startContainer(ctx context.Context) (stop func(context.Context) error, err error) {
	st, err := OpenStore(n.dir, n.cfg.Container.Builtin)
	if err != nil {
		return nil, err
	}
	installed := &apps{Store: st, path: map[[32]byte]container.App{}}
	_, problems := st.List()
	for _, p := range problems {
		n.log.Warn("an app cannot be used; remove it and add it again", "app", p.Entry, "err", p.Err)
	}
	capacity, err := device.Measure(ctx, device.Options{CacheDir: n.o.CacheDir})
	if err != nil {
		return nil, err
	}
	slots := n.cfg.Container.Slots
	if slots == 0 {
		slots = max(1, capacity.Slots/max(1, n.o.ShareMachine))
	}
	n.engine, err = stream.NewEngine(n.streamConfig())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil { // its port is for the next try
			err = errors.Join(err, n.engine.Close(ctx))
		}
	}()
	compiled := filepath.Join(n.o.CacheDir, "compiled")
	if err := os.MkdirAll(compiled, 0o700); err != nil {
		return nil, err
	}
	dev, err := gpuactor.New(gpuactor.Options{System: n.system, Slots: slots, Standby: 1, Start: n.startWorkers(),
		CacheDir: compiled, MemoryLimit: uint32(n.cfg.Container.MemoryMiB) << 20, Encoder: n.cfg.Container.Encoder,
		Bitrate: n.cfg.Media.StartKbps * 1000, FreeMemory: freeMemory,
		Installed: func() []gpuactor.App {
			var out []gpuactor.App
			for _, a := range installed.List() {
				out = append(out, a.App)
			}
			return out
		},
		Changed: func() {
			if c := n.rendering(); c != nil {
				c.Changed()
			}
		}, Log: n.log})
	if err != nil {
		return nil, err
	}
	o := container.Options{System: n.system, Key: n.key, Network: n.cfg.Network, Region: n.cfg.Region,
		Apps: installed, Device: container.OnDevice(dev), Stream: container.OnEngine(n.engine),
		Publish: n.gossip.Ads().Publish, Server: n.server, Addrs: n.binaryAddrs,
		SaveDir: filepath.Join(n.dir, "saves"), Score: uint32(capacity.ScoreMilli), Encoders: []string{capacity.Encoder}, Price: n.cfg.Container.Price,
		Session: session.Options{Grace: time.Duration(n.cfg.Media.GraceSecs) * time.Second,
			IdleEnd: time.Duration(n.cfg.Media.IdleEndMin) * time.Minute},
		Accuse: n.accuse, Log: n.log, Registerer: n.reg}
	if n.cfg.Container.FetchApps {
		o.Fetch = func(ctx context.Context, sha [32]byte) error { return n.fetchApp(ctx, st, sha) }
	}
	if o.Pay, err = n.till(); err != nil {
		return nil, err
	}
	o.PayDir = filepath.Join(n.dir, "dues")
	o.Draws = n.beacon()
	if l := n.Ledger(); l != nil {
		o.Stake = func() uint64 { return l.Stake(n.ID()) }
	}
	if o.Segments, err = n.segments(); err != nil {
		return nil, err
	}
	o.Audits = n.mayAudit
	c, err := container.New(o)
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	n.setRendering(c)
	n.kept.Store(o.Segments)
	// a peer that joins the topic after the ad went out would wait for the next one
	topic, err := n.gossip.Ads().Topic(n.cfg.Region)
	if err != nil {
		return nil, err
	}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if err := topic.OnJoin(watch, func(peer.ID) { c.Changed() }); err != nil {
		cancel()
		return nil, err
	}
	if l := n.Ledger(); l != nil {
		go func() {
			if l.Readable(watch) == nil {
				c.Announce() // whoever asks the ledger about this container learns of it by now
			}
		}()
	}
	return func(ctx context.Context) error {
		cancel()
		err := c.Stop(ctx)
		if err == nil { // else sessions run that still say what they did
			o.Segments.Close()
		}
		return errors.Join(err, n.engine.Close(ctx))
	}, nil
}

// segments keeps the proof of what this node's sessions rendered.
func (n *Node) segments() (*segments.Store, error) {
	raw, err := n.key.Raw()
	if err != nil {
		return nil, fmt.Errorf("node: key: %w", err)
	}
	return segments.Open(segments.Options{Dir: filepath.Join(n.dir, "segments"), Chain: n.cfg.Network, Key: ed25519.PrivateKey(raw), Double: n.cheatingSessions(), Log: n.log})
}

func (n *Node) streamConfig() stream.Config {
	c := stream.Config{LoopbackOnly: n.cfg.P2P.Profile == "loopback" || len(n.cfg.P2P.Listen) == 0,
		UDPPort: n.cfg.Media.UDPPort, BitrateMin: n.cfg.Media.MinKbps * 1000, BitrateStart: n.cfg.Media.StartKbps * 1000,
		BitrateMax: n.cfg.Media.MaxKbps * 1000, MaxPeers: n.cfg.Media.MaxViewers, Log: n.log, Registerer: n.reg, Now: n.o.Now}
	if len(n.cfg.Media.STUN) > 0 {
		c.ICEServers = []stream.ICEServer{{URLs: n.cfg.Media.STUN}}
	}
	return c
}

// fetchApp installs an app from peers that advertise it.
func (n *Node) fetchApp(ctx context.Context, st *store.Store, sha [32]byte) error {
	holders := n.holders(ctx, sha)
	if len(holders) == 0 {
		return fmt.Errorf("node: no peer is known to have app %x; add it with `framemesh apps add`", sha)
	}
	dir, err := os.MkdirTemp(n.dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := blob.Fetch(ctx, n.client, holders, sha, dir, maxFetch, nil)
	if err != nil {
		return err
	}
	code, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if sha256.Sum256(code) != sha {
		return fmt.Errorf("node: app %x changed while it was stored", sha)
	}
	info, err := blob.Describe(ctx, n.client, holders[0], sha)
	if err != nil {
		return err
	}
	m, err := store.ParseManifest(info.Manifest)
	if err != nil {
		return err
	}
	_, err = st.Add(code, m, info.Picture)
	return err
}

// holders lists the peers whose ads offer an app.
func (n *Node) holders(ctx context.Context, sha [32]byte) []peer.ID {
	found, err := n.p2p.Discovery().Find(ctx, string(RoleContainer), n.cfg.Region, 16)
	if err != nil {
		n.log.Debug("looking for containers", "err", err)
	}
	var out []peer.ID
	for _, p := range found {
		hostNetwork{n.p2p.Host()}.Remember(p)
		if _, err := blob.Describe(ctx, n.client, p.ID, sha); err == nil {
			out = append(out, p.ID)
		}
	}
	return out
}

// binaryAddrs lists this peer's addresses for its ad, at most eight.
func (n *Node) binaryAddrs() [][]byte {
	var out [][]byte
	for _, a := range n.adAddrs(n.p2p.Host().Addrs()) {
		if len(out) < 8 {
			out = append(out, a.Bytes())
		}
	}
	return out
}

func (n *Node) rendering() *container.Container     { return n.container.Load() }
func (n *Node) setRendering(c *container.Container) { n.container.Store(c) }
