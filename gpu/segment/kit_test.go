package segment

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"runtime"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games"
)

// cache holds compiled code between the tests: a module takes most of a second to
// compile.
var cache string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "framemesh-segment-test")
	if err != nil {
		panic(err)
	}
	cache = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func game(t testing.TB, name string) []byte {
	t.Helper()
	b, err := games.FS.ReadFile(name + "/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// cart is a WASM-4 game of a few hundred bytes, which compiles in no time.
func cart(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../app/testdata/ball.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func auditor() Auditor { return Auditor{CacheDir: cache} }

// session is a container's side: an app being played and recorded.
type session struct {
	t     testing.TB
	rt    app.Runtime
	p     Params
	seats Seats
	rec   *Recorder
	seq   uint32
	base  []byte
	// cheat changes what the app is told, behind the recorder's back.
	cheat func(in *app.Input)
	// lie changes what the recorder is told.
	lie func(in *app.Input, f *app.Frame, pcm []int16)
}

func play(t testing.TB, code []byte, seed uint64, save []byte) *session {
	t.Helper()
	s := &session{t: t, p: Params{App: sha256.Sum256(code), Arch: runtime.GOARCH, Seed: seed, Memory: app.DefaultMemory, Save: save}}
	o := s.p.options()
	o.CacheDir = cache
	rt, err := app.Open(context.Background(), code, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close(context.Background()) })
	s.rt = rt
	if s.base, err = rt.Snapshot(nil); err != nil {
		t.Fatal(err)
	}
	s.record(0, false)
	return s
}

func (s *session) record(number uint32, restored bool) {
	s.t.Helper()
	rec, err := NewRecorder(s.rt, s.p, &s.seats, number, restored)
	if err != nil {
		s.t.Fatal(err)
	}
	s.rec = rec
}

// message makes the 72 bytes of a player's page.
func message(seq uint32, keys ...uint8) (b [StateSize]byte) {
	b[0], b[2] = stateKind, 1
	binary.LittleEndian.PutUint32(b[4:], seq)
	binary.LittleEndian.PutUint32(b[56:], seq*3) // and the mouse moves
	for _, k := range keys {
		b[20+k/8] |= 1 << (k % 8)
	}
	return b
}

// HID usages that the games know.
const keyS, keyZ, keySpace, keyUp, keyDown = 0x16, 0x1d, 0x2c, 0x52, 0x51

// events is somebody at the keyboard, by the number of the tick: always the same.
func (s *session) events(n uint64) []Event {
	var out []Event
	if n == 0 {
		out = append(out, Event{Kind: EventSit})
	}
	var keys []uint8
	for _, k := range []struct {
		usage uint8
		held  bool
	}{{keySpace, n > 30 && n%50 < 40}, {keyUp, n/37%3 == 1}, {keyDown, n/37%3 == 2}, {keyS, n/23%2 == 1}, {keyZ, n%11 < 4}} {
		if k.held {
			keys = append(keys, k.usage)
		}
	}
	if n%2 == 0 {
		s.seq++
		out = append(out, Event{Kind: EventState, State: message(s.seq, keys...)})
	}
	return out
}

// tick plays one tick.
func (s *session) tick() {
	s.t.Helper()
	n := s.rt.NextTick()
	events := s.events(n)
	for i := range events {
		s.seats.Apply(&events[i])
	}
	in := app.Input{Tick: n, Seats: s.seats.Tick(), WallMS: 1_767_225_600_000 + int64(17*n)}
	told := in
	if s.cheat != nil {
		s.cheat(&told)
	}
	f, pcm, err := s.rt.Tick(context.Background(), &told)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.lie != nil {
		s.lie(&in, &f, pcm)
	}
	s.rec.Tick(&in, events, f, pcm)
}

// second plays until the second is full and returns it.
func (s *session) second() Second {
	s.t.Helper()
	for !s.rec.Full() {
		s.tick()
	}
	sec, err := s.rec.Second()
	if err != nil {
		s.t.Fatal(err)
	}
	return sec
}

// window begins a window here.
func (s *session) window() Window {
	s.t.Helper()
	snapshot, err := s.rt.Snapshot(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	packed, err := packState(s.base, snapshot)
	if err != nil {
		s.t.Fatal(err)
	}
	return Window{Params: s.p, Seats: s.seats, Base: true, Packed: packed}
}

// play gives a window of n seconds from here.
func (s *session) play(n int) Window {
	s.t.Helper()
	w := s.window()
	for range n {
		w.Seconds = append(w.Seconds, s.second())
	}
	return w
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }
