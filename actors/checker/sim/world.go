package sim

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
)

// Chain is the name of the network that is simulated.
const Chain = "sim"

// genesisMS is when its first epoch begins.
const genesisMS = 1_800_000_000_000

// Net is what happens to messages, and to nodes.
type Net struct {
	LatencyMS uint64 // of a node's own connection, at most; each has its own between a fifth of it and it
	JitterMS  uint64 // that a message takes longer by chance, at most
	LossPPM   int    // of messages between two nodes
	GossipPPM int    // of gossip, that its repair does not bring back
	TwicePPM  int    // of messages that come twice
	LearnMS   uint64 // until a node sees the block that shows an epoch's task, at most; each takes half as long at least
	SkewMS    uint64 // by which containers' clocks are off, at most
	Skewed    int    // checkers whose clocks are off by that, too
	LoadPPM   int    // of containers in an epoch that have another load: a third of the rate, and slow to answer
	CrashPPM  int    // of nodes in an epoch that are down for a part of it
	PlayPPM   int    // of containers in an epoch on which somebody plays for money
	FalsePPM  int    // of their players who say that the container went while it is there
}

// Config is a world.
type Config struct {
	Seed                 uint64
	Containers, Checkers int
	Params               judge.Params
	Net                  Net
	Kernel               *recompute.Kernel
	Rate                 uint64 // samples/s of a container's device
	Frames               int    // whole frames of a round at that rate, 0 = by Rate; fewer frames make real kernels affordable
	CrossPPM             uint64
	// Trials makes each epoch a trial by itself: containers keep the standing that they
	// have whatever happens, that of honest ones with rounds behind them (Established) or
	// none.
	Trials, Established bool
	Cheats              []cheat.Cheat // containers' to the first containers, checkers' to the first checkers, in order
}

// Default is the main network's rounds with a kernel that costs nothing.
func Default() Config {
	return Config{Seed: 1, Containers: 16, Checkers: 10, Kernel: Fake(), Rate: 10_000_000, Frames: 60, CrossPPM: 250_000,
		Params: judge.Params{N: 2, Batch: 16, K: 48, CheckPPM: 100_000, CapPPM: 1_200_000, EpochMS: 900_000, DurMS: 13_000, GraceMS: 500, Reference: kernel.Reference}}
}

// Fake is the kernel with tiles that cost a hash instead of a rendering. Seeds, trees,
// picks and work are the kernel's own.
func Fake() *recompute.Kernel {
	return recompute.With(func(_ kernel.Size, seed kernel.Seed, tile uint32, words *[kernel.TileWords]uint32) {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint32(append([]byte("tile"), seed[:]...), tile))
		for i := range 8 {
			words[i] = binary.LittleEndian.Uint32(sum[4*i:])
		}
	})
}

// World is a network.
type World struct {
	c          Config
	q          queue
	rng        *rand.Rand
	epoch      uint64
	times      judge.Times
	containers []*container
	checkers   []*checker
	byNode     map[key.Node]*container
	byChecker  map[key.Node]*checker
	plan       *judge.Assignment
	ledger     ledger
	report     Report
}

// node is what containers and checkers have in common.
type node struct {
	name    key.Node
	key     ed25519.PrivateKey
	latency uint64
	skew    int64
	prompt  bool   // sees every block at once
	learned uint64 // when it knows the epoch's task
	from    uint64 // down from here
	to      uint64 // to here
}

func (n *node) down(now uint64) bool { return now >= n.from && now < n.to }

// clock is the node's own.
func (n *node) clock(now uint64) uint64 { return uint64(int64(now) + n.skew) }

// when is the moment at which the node's clock shows this.
func (n *node) when(local uint64) uint64 { return uint64(int64(local) - n.skew) }

// New builds a world.
func New(c Config) *World {
	w := &World{c: c, rng: rand.New(rand.NewPCG(c.Seed, 0x5eed)), byNode: map[key.Node]*container{}, byChecker: map[key.Node]*checker{}}
	make := func(kind string, i int) node {
		seed := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte(kind), c.Seed), uint64(i)))
		k := ed25519.NewKeyFromSeed(seed[:])
		return node{name: key.Node(k[ed25519.SeedSize:]), key: k, latency: c.Net.LatencyMS/5 + w.upTo(c.Net.LatencyMS*4/5)}
	}
	for i := range c.Containers {
		n := &container{node: make("container", i), rate: c.Rate, w: w}
		n.skew = int64(w.upTo(2*c.Net.SkewMS)) - int64(c.Net.SkewMS)
		w.containers = append(w.containers, n)
		w.byNode[n.name] = n
	}
	for i := range c.Checkers {
		n := &checker{node: make("checker", i), w: w}
		if i < c.Net.Skewed {
			n.skew = int64(c.Net.SkewMS) * int64(1-2*(i%2))
		}
		w.checkers = append(w.checkers, n)
		w.byChecker[n.name] = n
	}
	w.assignCheats()
	w.report.Bytes = map[string]*Traffic{}
	return w
}

// assignCheats gives containers' cheats to the first containers and checkers' to the first
// checkers. A collusion takes as many checkers as it says, and one container that it is about.
func (w *World) assignCheats() {
	container, checker := 0, 0
	for _, c := range w.c.Cheats {
		switch {
		case c.Name == cheat.Vanish:
			w.containers[container].liar = &c
			container++
		case c.Who == cheat.Container && c.Name == "sybil":
			for range c.Value {
				w.containers[container].rate /= uint64(c.Value)
				w.containers[container].cheats(c)
				container++
			}
		case c.Who == cheat.Container:
			w.containers[container].cheats(c)
			container++
		case c.Name == "collude":
			about := w.containers[container]
			if container++; c.Value <= w.c.Params.N {
				over, _ := cheat.Parse("overclaim")
				about.cheats(over)
			}
			for range c.Value {
				w.checkers[checker].cheats(c, about.name)
				checker++
			}
		case c.Who == cheat.Checker:
			w.checkers[checker].cheats(c)
			checker++
		}
	}
}

func (w *World) upTo(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return w.rng.Uint64N(n + 1)
}

func (w *World) chance(ppm int) bool { return ppm > 0 && w.rng.IntN(1_000_000) < ppm }

// travel is how long a message takes from one node to another.
func (w *World) travel(a, b *node) uint64 { return a.latency + b.latency + w.upTo(w.c.Net.JitterMS) }

// Run lets epochs pass and reports on all so far.
func (w *World) Run(epochs int) *Report {
	for range epochs {
		w.run()
		w.epoch++
	}
	return &w.report
}

func (w *World) run() {
	w.times = judge.Schedule(w.c.Params, w.epoch, genesisMS)
	w.q.now = w.times.Start
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("seed"), w.c.Seed), w.epoch))
	w.plan = judge.Assign(Chain, seed, w.epoch, candidates(w.containers, 1), candidates(w.checkers, 101), w.c.Params)
	w.ledger = ledger{w: w, certified: make([]*certificate, len(w.plan.Batches)), guilty: map[key.Node]bool{}}
	length := w.times.End - w.times.Start
	for _, n := range w.containers {
		w.mishap(&n.node, length)
		w.learn(&n.node)
		n.loaded = w.chance(w.c.Net.LoadPPM)
		w.play(n, length)
		n.begin()
	}
	for _, n := range w.checkers {
		w.mishap(&n.node, length)
		w.learn(&n.node)
		n.begin()
	}
	w.q.run(w.times.End)
	w.settle()
}

// mishap decides whether a node is down for a part of the epoch.
func (w *World) mishap(n *node, length uint64) {
	n.from, n.to = 0, 0
	if w.chance(w.c.Net.CrashPPM) {
		n.from = w.times.Start + w.upTo(length*9/10)
		n.to = n.from + 1 + w.upTo(length/3)
	}
}

// learn decides when a node sees the epoch's first block.
func (w *World) learn(n *node) {
	n.learned = w.times.Start
	if most := w.c.Net.LearnMS; most > 0 && !n.prompt {
		n.learned += most/2 + w.upTo(most-most/2)
	}
}

// awake starts a node's process when it can begin with the epoch, and again after a mishap.
func (w *World) awake(n *node, start func()) {
	w.q.at(n.learned, start)
	if n.to > n.from && n.to > n.learned {
		w.q.at(n.to, start)
	}
}

// named is a node of either kind.
type named interface{ id() key.Node }

func (n *node) id() key.Node { return n.name }

// candidates are nodes with one owner each.
func candidates[T named](all []T, first byte) (out []judge.Candidate) {
	for i, n := range all {
		owner := key.Address{first}
		binary.BigEndian.PutUint32(owner[1:], uint32(i))
		out = append(out, judge.Candidate{Node: n.id(), Stake: 1_000, Owner: owner})
	}
	return out
}
