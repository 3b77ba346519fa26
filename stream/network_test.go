package stream

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/framemesh/framemesh/stream/player"
)

// badNet is a socket on a bad network: it loses a share of what it sends, and carries
// no more than so many bits a second. Connectivity checks and handshakes, which are
// small, get through.
type badNet struct {
	net.PacketConn
	percent atomic.Int64 // lost
	bps     atomic.Int64 // carried; 0 = all
	lost    atomic.Int64
	deaf    atomic.Bool // nothing arrives
	keep    int         // bytes; smaller packets always get through

	mu     sync.Mutex
	rng    *rand.Rand
	filled time.Time
	bucket float64 // bits
}

func newBadNet(t testing.TB) *badNet {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	// As an interface, so that pion does not find the faster methods of a UDPConn.
	return &badNet{PacketConn: c, keep: 300, rng: rand.New(rand.NewPCG(1, 2))}
}

func (b *badNet) WriteTo(p []byte, a net.Addr) (int, error) {
	if len(p) > b.keep && b.drop(len(p)) {
		b.lost.Add(1)
		return len(p), nil
	}
	return b.PacketConn.WriteTo(p, a)
}

func (b *badNet) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, a, err := b.PacketConn.ReadFrom(p)
		if err != nil || !b.deaf.Load() {
			return n, a, err
		}
	}
}

func (b *badNet) drop(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rng.Int64N(100) < b.percent.Load() {
		return true
	}
	bps := float64(b.bps.Load())
	if bps == 0 {
		return false
	}
	now := time.Now()
	b.bucket = min(bps/5, b.bucket+bps*now.Sub(b.filled).Seconds()) // a queue of 200 ms
	b.filled = now
	if b.bucket < float64(8*n) {
		return true
	}
	b.bucket -= float64(8 * n)
	return false
}

// Packets that are lost now and then are repeated. On a machine that stalls, some repeats
// come too late to be of use; without repeats every loss would be for good, and then no time
// would be enough.
func TestLossIsRepaired(t *testing.T) {
	bad := newBadNet(t)
	k := newKit(t, func(c *Config) { c.conn = bad })
	k.app.size.Store(3000) // so that there is something to lose
	p := k.play("", nil)
	missing := func() int64 { return int64(p.Report().PacketsLost) }
	until(t, "losses of which most were repaired", func() bool {
		begun := bad.lost.Load() - missing()
		lost := bad.lost.Load()
		bad.percent.Store(3)
		until(t, "some loss", func() bool { return bad.lost.Load() >= lost+20 })
		bad.percent.Store(0)
		n := p.Report().VideoPackets // what is not repeated by then is given up
		until(t, "packets go on", func() bool { return p.Report().VideoPackets >= n+200 })
		return bad.lost.Load()-missing()-begun >= 10
	})
}

// A player who lost too much asks for a key frame and is given one.
func TestPictureLossBringsAKeyFrame(t *testing.T) {
	bad := newBadNet(t)
	k := newKit(t, func(c *Config) { c.conn = bad })
	p := k.play("", nil)
	until(t, "30 frames", func() bool { return p.Report().Frames >= 30 })
	keys := p.Report().KeyFrames
	bad.percent.Store(100)
	until(t, "a long gap", func() bool { return bad.lost.Load() >= 60 })
	bad.percent.Store(0)
	until(t, "a key frame and what follows", func() bool { r := p.Report(); return r.KeyFrames > keys && r.PacketsLost > 0 })
	n := p.Report().Decodable
	until(t, "frames that can be decoded", func() bool { return p.Report().Decodable >= n+30 })
}

// The bitrate follows what the network carries, down and up again.
func TestBitrateFollowsTheNetwork(t *testing.T) {
	bad := newBadNet(t)
	k := newKit(t, func(c *Config) { c.conn = bad })
	k.app.size.Store(0) // pictures as large as the bitrate says
	k.play("", func(o *player.Options) { o.NoSlack = true })
	bad.bps.Store(2_000_000)
	until(t, "less than 2.5 Mbit/s", func() bool { return k.session.Stats().TargetBPS < 2_500_000 })
	bad.bps.Store(0)
	low := k.session.Stats().TargetBPS // and lower, until the queue has gone
	until(t, "more again", func() bool {
		now := k.session.Stats().TargetBPS
		low = min(low, now)
		return now > low*9/8
	})
}

// A page whose machine was switched off says nothing. It is noticed and let go.
func TestAPeerThatVanishesIsLost(t *testing.T) {
	bad := newBadNet(t)
	k := newKit(t, func(c *Config) { c.conn = bad })
	p := k.play("", nil)
	p.Press(0x1D)
	until(t, "held", func() bool { return k.app.count(func() int { return len(k.app.inputs) }) > 0 })
	bad.deaf.Store(true)
	until(t, "lost", func() bool { return k.app.count(func() int { return len(k.app.left) }) == 1 })
	k.app.note(func() {
		if k.app.left[0] != "owner lost" {
			t.Errorf("left: %v", k.app.left)
		}
		if last := k.app.inputs[len(k.app.inputs)-1]; !last.Idle() || last.Flags != 0 {
			t.Errorf("what it held is still held: %+v", last)
		}
	})
	bad.deaf.Store(false)
}
