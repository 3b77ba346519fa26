package light

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/ledger/comet"
	"github.com/framemesh/framemesh/ledger/genesis"
)

// Errors of a Client.
var (
	ErrConfig  = errors.New("light: bad configuration")
	ErrNoPeers = errors.New("light: no peer that knows the ledger is connected")
	ErrClock   = errors.New("light: headers come from the future")
	ErrStale   = errors.New("light: the newest header is old")
	ErrFork    = errors.New("light: validators signed two chains")
	ErrStopped = errors.New("light: stopped")
)

// Config is how a Client is made. Zero values of fields with a default take it.
type Config struct {
	Genesis   *genesis.Doc // the network
	Trust     *Root        // nil = the genesis itself
	Transport Transport
	Dir       string // where the newest header is kept over a restart, file mode 0600; "" = nowhere

	// Fault hears of a peer that sent something provably wrong. The client asks it no more
	// for ten minutes; whoever owns the connections may drop them. It must not block.
	Fault func(peer string, err error)

	Period      time.Duration // that a header is trusted; default comet.TrustingPeriod
	Poll        time.Duration // between two looks for a new head; default 1 s, up to 8 times that while nothing is new
	MinGap      time.Duration // the least time between two looks, whatever peers announce or somebody waits for; default 200 ms
	Timeout     time.Duration // of one question to one peer; default 4 s
	HeadGrace   time.Duration // for the others to say where they stand, once one has said that there is news; default 100 ms
	WitnessWait time.Duration // for a second peer to have a block that a first one has; default 50 ms. It is asked again at the next look
	Drift       time.Duration // that a header may be ahead of this clock; default 10 s
	MaxAge      time.Duration // of the newest header for values to be proven by it; default 2 min

	Now        func() time.Time // default time.Now
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil = metrics are kept but not registered
}

func (c *Config) validate() error {
	switch {
	case c.Genesis == nil:
		return fmt.Errorf("%w: no genesis file; every network starts from one", ErrConfig)
	case c.Transport == nil:
		return fmt.Errorf("%w: no transport", ErrConfig)
	case c.Trust != nil && (c.Trust.Height == 0 || c.Trust.Height >= 1<<62 || c.Trust.Hash == [32]byte{}):
		return fmt.Errorf("%w: a trusted header has a height and a hash; set ledger.trust_height and ledger.trust_hash", ErrConfig)
	}
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.Period, comet.TrustingPeriod(c.Genesis.Params))
	set(&c.Poll, time.Second)
	set(&c.MinGap, 200*time.Millisecond)
	set(&c.Timeout, 4*time.Second)
	set(&c.HeadGrace, 100*time.Millisecond)
	set(&c.WitnessWait, 50*time.Millisecond)
	set(&c.Drift, 10*time.Second)
	set(&c.MaxAge, 2*time.Minute)
	if c.Period >= comet.UnbondingTime(c.Genesis.Params) {
		return fmt.Errorf("%w: the trusting period of %s is not below the unbonding time of %s", ErrConfig, c.Period, comet.UnbondingTime(c.Genesis.Params))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Client follows a chain by its headers. One goroutine, run, owns what is verified; all
// methods are safe for concurrent use.
type Client struct {
	cfg         Config
	chain       string
	genesis     *types.GenesisDoc
	genesisHash [32]byte
	headers     *headers
	book        *book
	metrics     *metrics

	view  atomic.Pointer[view]
	nudge chan struct{}   // somebody says that there is news, or waits for it
	asks  chan *headerAsk // for headers of older heights

	hinted  atomic.Uint64 // the greatest height announced since the last look
	waiting atomic.Int64  // how many wait for a newer head
	hurried atomic.Int64  // until when somebody waits elsewhere, unix ns

	mu        sync.Mutex // guards what follows
	followers map[int]func(Summary)
	nextID    int

	cancel     context.CancelFunc
	life       context.Context
	done       chan struct{}
	spawning   sync.Mutex     // guards that nothing is spawned once ended is set
	ended      bool           // Stop was called
	spawned    sync.WaitGroup // questions and transactions that are still with further peers
	saved      time.Time      // owned by run: when the file was written last
	forked     error          // owned by run: set for good
	complaints complaints     // owned by run: what the operator was told
	second     second         // owned by run: which head others have confirmed
}

// view is what is known now; it is replaced as a whole.
type view struct {
	head      *types.LightBlock // nil = nothing verified yet
	witnesses int
	peers     int
	err       error
	changed   chan struct{} // closed when a newer head is there
}

// headerAsk asks run for a verified header.
type headerAsk struct {
	ctx    context.Context
	height int64
	reply  chan headerGot
}

type headerGot struct {
	block *types.LightBlock
	err   error
}

// New makes a client and reads what it knew before. Errors: ErrConfig, ErrOtherNetwork,
// and comet.ErrGenesis.
func New(cfg Config) (*Client, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g, err := comet.GenesisDoc(cfg.Genesis)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, chain: g.ChainID, genesis: g, genesisHash: cfg.Genesis.Hash(), headers: new(headers),
		metrics: newMetrics(cfg.Registerer), nudge: make(chan struct{}, 1), asks: make(chan *headerAsk),
		followers: map[int]func(Summary){}, done: make(chan struct{})}
	c.book = newBook(cfg.Now, func(peer string, err error) {
		c.metrics.faults.Inc()
		cfg.Log.Warn("ledger peer dropped: what it sent is wrong", "peer", peer, "err", err)
		if cfg.Fault != nil {
			cfg.Fault(peer, err)
		}
	})
	c.view.Store(&view{changed: make(chan struct{})})
	return c, c.restore()
}

// restore takes the headers of the file, unless the configured root contradicts them or
// they are too old: then the user's word counts.
func (c *Client) restore() error {
	if c.cfg.Dir == "" {
		return nil
	}
	blocks, err := load(c.cfg.Dir, c.chain, c.genesisHash)
	if errors.Is(err, ErrDamaged) {
		c.cfg.Log.Warn("stored headers dropped, verifying from the root again", "err", err)
		return nil
	}
	if err != nil || len(blocks) == 0 {
		return err
	}
	newest := blocks[len(blocks)-1]
	if r := c.cfg.Trust; r != nil {
		for _, b := range blocks {
			if uint64(b.Height) == r.Height && summary(b).Hash != r.Hash {
				c.cfg.Log.Warn("stored headers dropped: the configured root is another", "height", r.Height)
				return nil
			}
		}
		if r.Height > uint64(newest.Height) && c.expired(newest) != nil {
			return nil
		}
	}
	for _, b := range blocks {
		if err := c.headers.SaveLightBlock(b); err != nil {
			return err
		}
	}
	c.view.Store(&view{head: newest, changed: make(chan struct{})})
	return nil
}

// Start begins to follow; ctx bounds the start alone. It is called once.
func (c *Client) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.life, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go c.run(c.life)
	return nil
}

// Stop ends the following and writes the newest header down. It returns ctx's error when
// peers keep it waiting for longer.
func (c *Client) Stop(ctx context.Context) error {
	if c.cancel == nil {
		return nil
	}
	c.cancel()
	c.spawning.Lock()
	c.ended = true
	c.spawning.Unlock()
	gone := make(chan struct{})
	go func() { <-c.done; c.spawned.Wait(); close(gone) }()
	select {
	case <-gone:
		return c.persist()
	case <-ctx.Done():
		return fmt.Errorf("light: stop: %w", ctx.Err())
	}
}

// spawn runs fn on a goroutine that Stop waits for. It is false, and fn does not run, once
// Stop was called.
func (c *Client) spawn(fn func()) bool {
	c.spawning.Lock()
	defer c.spawning.Unlock()
	if c.ended {
		return false
	}
	c.spawned.Go(fn)
	return true
}

// Status is what a client knows of itself.
type Status struct {
	Summary
	Validators int    // at the head
	AppHash    []byte // in the head: the root of the state before it
	Peers      int    // that answered at the last look
	// Witnesses is how many peers beside the one asked had the same header, the newest or
	// one at most confirmedFor before it. With 0, a fork by two thirds of the validators
	// would go unnoticed: connect to more peers.
	Witnesses int
	Err       error // why the last look failed; nil = it did not
}

// Status says where the client stands.
func (c *Client) Status() Status {
	v := c.view.Load()
	s := Status{Peers: v.peers, Witnesses: v.witnesses, Err: v.err}
	if v.head != nil {
		s.Summary, s.Validators, s.AppHash = summary(v.head), v.head.ValidatorSet.Size(), v.head.AppHash
	}
	return s
}

// Keepers counts the connected peers that say they are full nodes: without one, no value, block
// or transaction can be proven.
func (c *Client) Keepers(ctx context.Context) int {
	return len(c.book.onlyFull(c.cfg.Transport.Peers(ctx)))
}

// Head is the newest verified header; Height 0 means none yet.
func (c *Client) Head() Summary { return c.Status().Summary }

// Hint says that peer announced a height. It is believed as far as to look, at a bounded
// rate.
func (c *Client) Hint(peer string, height uint64) {
	if height <= c.Head().Height || c.book.isBanned(peer) {
		return
	}
	for {
		known := c.hinted.Load()
		if height <= known || c.hinted.CompareAndSwap(known, height) {
			break
		}
	}
	c.wake()
}

// Hurry says that somebody waits for the next head without calling Wait: for the next one
// and a half seconds looks are as frequent as if it did.
func (c *Client) Hurry() {
	c.hurried.Store(time.Now().Add(hurryTime).UnixNano())
	c.wake()
}

// awaited says whether anybody waits for a newer head.
func (c *Client) awaited(now time.Time) bool {
	return c.waiting.Load() > 0 || now.UnixNano() < c.hurried.Load()
}

func (c *Client) wake() {
	select {
	case c.nudge <- struct{}{}:
	default: // woken already
	}
}

// Follow calls fn, which must not block, with each new verified head, until cancel.
func (c *Client) Follow(fn func(Summary)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextID
	c.nextID++
	c.followers[id] = fn
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.followers, id)
	}
}

// Wait waits until the head is at least height, or ctx ends.
func (c *Client) Wait(ctx context.Context, height uint64) error {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	for {
		v := c.view.Load()
		if v.head != nil && uint64(v.head.Height) >= height {
			return nil
		}
		c.wake()
		select {
		case <-v.changed:
		case <-c.done:
			return ErrStopped
		case <-ctx.Done():
			if v.err != nil {
				return fmt.Errorf("light: waiting for block %d: %w (%w)", height, ctx.Err(), v.err)
			}
			return fmt.Errorf("light: waiting for block %d: %w", height, ctx.Err())
		}
	}
}

// publish replaces the view and tells those who follow.
func (c *Client) publish(head *types.LightBlock, witnesses, peers int, err error) {
	old := c.view.Load()
	v := &view{head: head, witnesses: witnesses, peers: peers, err: err, changed: old.changed}
	grown := head != nil && (old.head == nil || head.Height > old.head.Height)
	if grown {
		v.changed = make(chan struct{})
	}
	c.view.Store(v)
	c.metrics.view(v, int(c.headers.Size()))
	if !grown {
		return
	}
	close(old.changed)
	s := summary(head)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fn := range c.followers {
		fn(s)
	}
}
