// Package segmentstest plays apps for tests as a container's worker and a player's page do
// together: it records every second and signs every input.
package segmentstest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// Sink takes what a Play makes; *segments.Log is one.
type Sink interface {
	Second(s segment.Second)
	State(read func() ([]byte, error))
	Signed(m stream.Signed)
}

// Page is a player's page that sits somewhere.
type Page struct {
	Key     ed25519.PrivateKey
	Role    stream.Role
	Seat    int
	Shift   uint32 // what the container's numbering adds to the page's
	Silent  bool   // signs nothing
	Lossy   int    // every so many messages one is lost; 0 = none
	session witness.Session
	seq     uint32
	first   uint32
	leaves  []byte
	clock   uint32
}

// Play is an app being played.
type Play struct {
	T     testing.TB
	RT    app.Runtime
	P     segment.Params
	Pages []*Page
	Sink  Sink
	// Cheat changes what the app is told, Alter what reaches the seats, Lie what is
	// signed: each behind the back of the one after it. Skip leaves out ticks.
	Cheat func(in *app.Input)
	Alter func(e *segment.Event)
	Skip  func(second uint32, tick int) bool
	Lie   func(s *segment.Second)

	seats segment.Seats
	rec   *segment.Recorder
	sat   bool
}

// Start opens an app. Words are signed for the chain, container and session.
func Start(t testing.TB, code []byte, cache string, w witness.Session, sink Sink, pages ...*Page) *Play {
	t.Helper()
	p := &Play{T: t, P: segment.Params{App: sha256.Sum256(code), Arch: runtime.GOARCH, Seed: 7, Memory: app.DefaultMemory}, Pages: pages, Sink: sink}
	rt, err := app.Open(context.Background(), code, app.Options{Seed: p.P.Seed, MemoryLimit: p.P.Memory, CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close(context.Background()) })
	p.RT = rt
	for _, g := range pages {
		g.session = w
		copy(g.session.Player[:], g.Key.Public().(ed25519.PublicKey))
		g.clock = 1000
	}
	p.record(0, false)
	p.state(0)
	return p
}

// PlayerKey makes a page's key.
func PlayerKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
}

func (p *Play) record(number uint32, restored bool) {
	rec, err := segment.NewRecorder(p.RT, p.P, &p.seats, number, restored)
	if err != nil {
		p.T.Fatal(err)
	}
	p.rec = rec
}

func (p *Play) state(number uint32) {
	snapshot, err := p.RT.Snapshot(nil)
	if err != nil {
		p.T.Fatal(err)
	}
	s := segment.State{Params: p.P, Number: number, Seats: p.seats}
	b := append(s.AppendHead(nil), snapshot...)
	p.Sink.State(func() ([]byte, error) { return b, nil })
}

// Snapshot is what a crashed worker is put back to.
func (p *Play) Snapshot() (b []byte, seats segment.Seats) {
	b, err := p.RT.Snapshot(nil)
	if err != nil {
		p.T.Fatal(err)
	}
	return b, p.seats
}

// Crash puts the app back, as the next worker does.
func (p *Play) Crash(b []byte, seats segment.Seats) {
	if err := p.RT.Restore(b); err != nil {
		p.T.Fatal(err)
	}
	number := p.rec.Number()
	p.seats = seats
	p.record(number, true)
	p.state(number)
}

// Seconds plays on.
func (p *Play) Seconds(n int) {
	p.T.Helper()
	for range n {
		number := p.rec.Number()
		if number%segment.StateEvery == 0 && number > 0 {
			p.state(number)
		}
		fps := p.RT.Info().FPS
		for t := range fps {
			if p.Skip != nil && p.Skip(number, t) {
				p.rec.Skip(1)
				continue
			}
			p.tick(int(number)*fps + t)
		}
		s, err := p.rec.Second()
		if err != nil {
			p.T.Fatal(err)
		}
		if p.Lie != nil {
			p.Lie(&s)
		}
		p.Sink.Second(s)
		for _, g := range p.Pages {
			g.sign(p.Sink, s.Roots.Frame)
		}
	}
}

func (p *Play) tick(n int) {
	var events []segment.Event
	for _, g := range p.Pages {
		if !p.sat {
			events = append(events, segment.Event{Seat: uint8(g.Seat), Kind: segment.EventSit})
		}
		if n%7 == g.Seat {
			if m, ok := g.message(n); ok {
				events = append(events, segment.Event{Seat: uint8(g.Seat), Kind: segment.EventState, State: m})
			}
		}
	}
	p.sat = true
	for i := range events {
		if p.Alter != nil {
			p.Alter(&events[i])
		}
		p.seats.Apply(&events[i])
	}
	in := app.Input{Tick: p.RT.NextTick(), Seats: p.seats.Tick()}
	told := in
	if p.Cheat != nil {
		p.Cheat(&told)
	}
	frame, pcm, err := p.RT.Tick(context.Background(), &told)
	if err != nil {
		p.T.Fatal(err)
	}
	p.rec.Tick(&in, events, frame, pcm)
}

// Keys that the games know: arrows, space, Z.
var keys = [...]byte{0x4f, 0x50, 0x51, 0x52, 0x2c, 0x1d}

// message is the page's next one, as the container hands it on; ok is false when the
// network lost it.
func (g *Page) message(n int) (m [witness.MessageSize]byte, ok bool) {
	g.seq++
	m[0], m[2] = 1, 1
	binary.LittleEndian.PutUint32(m[4:], g.seq)
	for i, k := range keys {
		if (n/7+i+g.Seat)%(i+2) == 0 {
			m[20+k/8] |= 1 << (k % 8)
		}
	}
	if len(g.leaves) == 0 {
		g.first = g.seq
	}
	leaf := g.session.Leaf(m[:])
	g.leaves = append(g.leaves, leaf[:]...)
	binary.LittleEndian.PutUint32(m[4:], g.seq+g.Shift)
	return m, g.Lossy == 0 || int(g.seq)%g.Lossy != 0
}

// Reload begins the page's numbering anew, as a reloaded page does; shift is what the
// container adds from then on.
func (g *Page) Reload(shift uint32) { g.seq, g.leaves, g.Shift = 0, nil, shift }

// Sent is the number of the page's newest message in the container's numbering.
func (g *Page) Sent() uint32 { return g.seq + g.Shift }

// sign says what the page sent and saw in the last second.
func (g *Page) sign(to Sink, frames [32]byte) {
	g.clock++
	if g.Silent {
		return
	}
	signed := stream.Signed{Role: g.Role, Seat: g.Seat, Key: hex.EncodeToString(g.session.Player[:]), Shift: [4]uint32{g.Shift}, Used: [4]bool{true}}
	if len(g.leaves) > 0 {
		in, err := g.session.SignInputs(g.Key, g.clock, g.first, g.leaves)
		if err != nil {
			panic(err) // a test sends few messages in a second
		}
		signed.Message = control.Inputs{Second: in.Second, First: in.First, Leaves: base64.StdEncoding.EncodeToString(in.Leaves), Sig: hex.EncodeToString(in.Signature[:])}
		to.Signed(signed)
		g.leaves = nil
	}
	r := witness.Receipt{Second: g.clock, Frames: 59, Lost: 1, Packets: 99, P50MS: 20, P95MS: 40, Acked: g.seq, Seen: frames}
	g.session.SignReceipt(g.Key, &r)
	signed.Message = control.Receipt{Second: r.Second, Frames: r.Frames, Lost: r.Lost, Packets: r.Packets, P50: r.P50MS, P95: r.P95MS, Acked: r.Acked,
		Seen: hex.EncodeToString(frames[:]), Sig: hex.EncodeToString(r.Signature[:])}
	to.Signed(signed)
}
