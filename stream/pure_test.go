package stream

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestKeyGate(t *testing.T) {
	var g keyGate
	at := func(ms int) time.Time { return time.Unix(100, 0).Add(time.Duration(ms) * time.Millisecond) }
	if !g.lost(at(0)) {
		t.Error("the first loss is not followed")
	}
	if g.lost(at(50)) || g.lost(at(100)) {
		t.Error("a storm of losses is followed")
	}
	if g.due(at(199)) || !g.due(at(200)) {
		t.Error("losses that came too early are not followed at 200 ms")
	}
	g.wrote()
	if g.due(at(5000)) {
		t.Error("asks although nobody lost anything")
	}
	g.joined(at(5001))
	g.joined(at(5002)) // a new peer is never made to wait
	if g.due(at(5400)) || !g.due(at(5502)) {
		t.Error("a key frame that never came is not asked for again after 500 ms")
	}
	g.lost(at(5600))
	g.wrote() // it came after the loss, so it mends it
	if g.due(at(9000)) {
		t.Error("asks for what has been sent")
	}
}

func TestMediaClockNeverRunsBack(t *testing.T) {
	c := mediaClock{rate: videoClock, step: 20 * time.Millisecond, base: math.MaxUint32 - 100}
	first := c.stamp(5 * time.Second)
	if got := c.stamp(5*time.Second + 10*time.Millisecond); got-first != 900 {
		t.Errorf("10 ms are %d ticks", got-first)
	}
	restarted := c.stamp(0)
	if got := restarted - first; got != 900+1800 {
		t.Errorf("a restarted worker's first frame is %d ticks after the first, want one step after the last", got)
	}
	if got := c.stamp(10*time.Millisecond) - restarted; got != 900 {
		t.Errorf("and the next %d ticks after it", got)
	}
}

func TestTokens(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	for _, r := range []Role{RoleOwner, RolePlay, RoleWatch} {
		tok := Token(secret, r)
		if got, err := RoleOf(secret, tok[:]); got != r || err != nil {
			t.Errorf("%s: %s, %v", r, got, err)
		}
		tok[0] ^= 1
		if got, err := RoleOf(secret, tok[:]); got != "" || !errors.Is(err, ErrToken) {
			t.Errorf("a changed token of %s opens %q, %v", r, got, err)
		}
	}
	if _, err := RoleOf(secret, nil); !errors.Is(err, ErrToken) {
		t.Errorf("no token: %v", err)
	}
}

func TestReceivedCountsOnlyWhatIsCovered(t *testing.T) {
	fb := &rtcp.TransportLayerCC{PacketStatusCount: 10, PacketChunks: []rtcp.PacketStatusChunk{
		&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 4},
		// Six packets, two of them lost, and eight symbols of filling.
		&rtcp.StatusVectorChunk{SymbolList: []uint16{1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}},
	}}
	if a, c := received(fb); a != 8 || c != 10 {
		t.Errorf("%d of %d", a, c)
	}
	if a, c := received(&rtcp.TransportLayerCC{PacketStatusCount: 1, PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: 1, RunLength: 8000}}}); a != 1 || c != 1 {
		t.Errorf("a run longer than the feedback: %d of %d", a, c)
	}
}

func TestLossMeter(t *testing.T) {
	var m lossMeter
	now := time.Unix(100, 0)
	half := &rtcp.TransportLayerCC{PacketStatusCount: 10, PacketChunks: []rtcp.PacketStatusChunk{
		&rtcp.StatusVectorChunk{SymbolList: []uint16{1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0}}}}
	for range 20 {
		m.feedback(now, half)
		now = now.Add(50 * time.Millisecond)
	}
	if l := m.now(now); math.Abs(l-0.5) > 0.01 {
		t.Errorf("every other packet lost: %v", l)
	}
	if l := m.now(now.Add(10 * time.Second)); l != 0 {
		t.Errorf("loss of long ago: %v", l)
	}
}

func TestConfigRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"min over max": {BitrateMin: 9_000_000, BitrateMax: 8_000_000}, "start over max": {BitrateStart: 9_000_000, BitrateMax: 8_000_000},
		"tiny": {BitrateMin: 1}, "port": {UDPPort: 70000}, "negative": {UDPPort: -1},
	} {
		if e, err := NewEngine(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	e, err := NewEngine(Config{LoopbackOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close(t.Context()) }()
	if _, err := e.NewSession("x", &app{}, SessionInfo{Width: 0, Height: 1, FPS: 60}); !errors.Is(err, ErrConfig) {
		t.Errorf("an app without width: %v", err)
	}
}

func TestRepeatsAreBounded(t *testing.T) {
	var r repeatBudget
	const size = 1000
	seq, stamp := uint16(65000), uint32(math.MaxUint32-1000)
	sent := 0
	for range 2000 { // a player that asks for all of the last 32 packets with each new one
		seq, stamp = seq+1, stamp+100
		if !r.allow(seq, stamp, size) {
			t.Fatal("a new packet was held back")
		}
		for back := range uint16(32) {
			if r.allow(seq-back, stamp-100*uint32(back), size) {
				sent++
			}
		}
	}
	if most := 2000/repeatShare + repeatBurst/size; sent > most || sent < most*9/10 {
		t.Errorf("%d packets repeated, want at most %d and about that", sent, most)
	}
	r = repeatBudget{}
	r.allow(10, 90_000, size)
	if !r.allow(9, 90_000-videoClock/4, size) || r.allow(8, 90_000-videoClock*3/4, size) {
		t.Error("packets are repeated up to half a second late and not later")
	}
}
