package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/input"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// patience is how long a test waits for what must come. It only passes when something
// is broken.
const patience = 60 * time.Second

// app is a fake worker and the session's handler: it writes pictures at 60 Hz, a key
// frame when asked, applies inputs at the next tick, and writes down what it is told.
type app struct {
	mu       sync.Mutex
	keys     int
	inputs   []input.State
	seats    []int
	bitrates []int
	shifts   []time.Duration
	joined   []string
	left     []string
	pauses   []bool
	chats    []string
	payments []control.Message
	signed   []Signed
	cells    [][8]byte
	newest   [MaxSeat + 1]uint32

	wantKey atomic.Bool
	frames  atomic.Uint64
	size    atomic.Int64 // bytes of a picture that is no key frame; 0 = by bitrate and time
	rate    atomic.Int64
}

var _ Handler = (*app)(nil)

func (a *app) note(f func()) { a.mu.Lock(); defer a.mu.Unlock(); f() }

func (a *app) Input(_ string, seat int, b []byte) {
	s, err := input.Decode(b)
	a.note(func() {
		if err != nil {
			panic(err)
		}
		a.inputs, a.seats, a.newest[seat] = append(a.inputs, s), append(a.seats, seat), s.Seq
	})
}
func (a *app) NeedKeyframe() { a.note(func() { a.keys++ }); a.wantKey.Store(true) }
func (a *app) Bitrate(bps int) {
	a.note(func() { a.bitrates = append(a.bitrates, bps) })
	a.rate.Store(int64(bps))
}
func (a *app) ShiftTick(d time.Duration) { a.note(func() { a.shifts = append(a.shifts, d) }) }
func (a *app) Joined(_ string, r Role)   { a.note(func() { a.joined = append(a.joined, string(r)) }) }
func (a *app) Left(_ string, r Role, why string) {
	a.note(func() { a.left = append(a.left, string(r)+" "+why) })
}
func (a *app) Pause(on bool, _ string)  { a.note(func() { a.pauses = append(a.pauses, on) }) }
func (a *app) Cell(_ string, n [8]byte) { a.note(func() { a.cells = append(a.cells, n) }) }
func (a *app) Signed(s Signed)          { a.note(func() { a.signed = append(a.signed, s) }) }
func (a *app) Payment(_ string, m control.Message) {
	a.note(func() { a.payments = append(a.payments, m) })
}
func (a *app) Chat(_, text string) { a.note(func() { a.chats = append(a.chats, text) }) }

// picture is an access unit in Annex B form whose payload no start code is in.
func picture(key bool, size int) []byte {
	var b []byte
	nal := func(kind byte, n int) {
		b = append(b, 0, 0, 0, 1, kind)
		b = append(b, bytes.Repeat([]byte{0x55}, n)...)
	}
	if key {
		nal(0x67, 12)
		nal(0x68, 4)
		nal(0x65, 4*size)
	} else {
		nal(0x41, size)
	}
	return b
}

// run writes pictures and sound until the context ends.
func (a *app) run(ctx context.Context, s *Session) {
	t := time.NewTicker(time.Second / 60)
	defer t.Stop()
	begun := time.Now()
	before := begun
	for tick := uint64(0); ; tick++ {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		size := int(a.size.Load())
		since := min(time.Since(before), 100*time.Millisecond) // a slow machine leaves out ticks, and sends as much
		before = time.Now()
		if size == 0 {
			size = int(float64(a.rate.Load()) / 8 * since.Seconds())
		}
		pts := time.Since(begun)
		key := a.wantKey.Swap(false)
		var seqs [MaxSeat + 1]uint32
		a.note(func() { seqs = a.newest })
		s.Applied(tick, seqs)
		if err := s.WriteVideo(picture(key, max(size, 10)), key, pts); err != nil {
			return
		}
		a.frames.Add(1)
		if err := s.WriteAudio([]byte{0xF8, 0xFF, 0xFE}, pts, 20*time.Millisecond); err != nil {
			return
		}
	}
}

// kit is an engine with one session, a worker and a gateway.
type kit struct {
	t       testing.TB
	engine  *Engine
	session *Session
	app     *app
	url     string
	stop    context.CancelFunc
	ran     sync.WaitGroup
}

func newKit(t testing.TB, change func(*Config)) *kit {
	t.Helper()
	c := Config{LoopbackOnly: true, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	e, err := NewEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{t: t, engine: e, app: &app{}}
	k.app.size.Store(900)
	k.app.rate.Store(int64(e.config.BitrateStart))
	if k.session, err = e.NewSession("5e55", k.app, SessionInfo{App: "Test", Width: 640, Height: 360, FPS: 60, Encoder: "fake", Container: "12D3"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = cancel
	k.ran.Go(func() { k.app.run(ctx, k.session) })
	srv := httptest.NewServer(http.HandlerFunc(k.serve))
	k.url = srv.URL + "/whep/test"
	t.Cleanup(func() {
		cancel()
		k.ran.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		srv.Close()
	})
	return k
}

// serve is the least gateway: the role and seat are in the query.
func (k *kit) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, MaxOffer+1))
	q := r.URL.Query()
	switch r.Method {
	case http.MethodPost:
		j := Join{Role: RoleOwner, Offer: string(body)}
		if q.Get("role") != "" {
			j.Role = Role(q.Get("role"))
		}
		_, _ = fmt.Sscan(q.Get("seat"), &j.Seat)
		id, answer, _, err := k.session.Answer(r.Context(), j)
		if err != nil {
			w.Header().Set("Content-Type", whep.TypeProblem)
			w.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprintf(w, `{"title":"refused","detail":%q}`, err.Error())
			return
		}
		w.Header().Set("Content-Type", whep.TypeSDP)
		w.Header().Set("Location", whep.Location{App: "test", Session: "5e55", Peer: id}.Path())
		w.Header().Set("ETag", whep.ETag(answer))
		w.Header().Set("Server-Timing", whep.ServerTiming(whep.Stage{Name: "match", Took: time.Millisecond}))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, answer)
	case http.MethodPatch:
		l, err := whep.ParseLocation(r.URL.Path)
		if err == nil && strings.Contains(string(body), "a=candidate") && !strings.Contains(r.Header.Get("X-Restart")+string(body), "x-restart") && !k.restarts(l.Peer, string(body)) {
			if err = k.session.AddCandidates(l.Peer, string(body)); err == nil {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		var answer string
		if err == nil {
			answer, err = k.session.Restart(l.Peer, string(body))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", whep.TypeFrag)
		w.Header().Set("ETag", whep.ETag(answer))
		_, _ = io.WriteString(w, answer)
	case http.MethodDelete:
		l, err := whep.ParseLocation(r.URL.Path)
		if err == nil {
			err = k.session.Remove(l.Peer, "", "")
		}
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
		}
	}
}

// restarts reports whether the fragment has other credentials than the peer's offer.
func (k *kit) restarts(peer, fragment string) bool {
	p, err := k.session.find(peer)
	if err != nil {
		return false
	}
	p.signal.Lock()
	defer p.signal.Unlock()
	return whep.ETag(fragment) != whep.ETag(p.offer)
}

// play starts a player and waits for its first picture.
func (k *kit) play(query string, change func(*player.Options)) *player.Player {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o := player.Options{URL: k.url + query}
	if change != nil {
		change(&o)
	}
	p, err := player.Play(ctx, o)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { k.end(p) })
	if err := p.FirstFrame(ctx); err != nil {
		k.t.Fatal(err)
	}
	return p
}

func (k *kit) end(p *player.Player) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Leave(ctx); err != nil {
		k.t.Errorf("leave: %v", err)
	}
}

// until waits for something that must become true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// still is a clock that stands, so that no limit by time is forgiven while a test runs.
func still(c *Config) {
	at := time.Now()
	c.Now = func() time.Time { return at }
}

// notices counts those of a kind that a player was told of. On a busy machine there may be
// others among them, on how slow the network is.
func notices(p *player.Player, code string) (n int) {
	for _, notice := range p.Report().Notices {
		if notice.Code == code {
			n++
		}
	}
	return n
}

func (a *app) count(f func() int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return f()
}

// holdsUp ends something that has to wait for what goes on, sees that it does, lets that go on,
// and returns how it ended.
func holdsUp(t testing.TB, what string, end func(context.Context) error, goOn func()) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ended <- end(ctx)
	}()
	select {
	case err := <-ended:
		t.Errorf("it ended before %s: %v", what, err)
		goOn()
		return err
	case <-time.After(100 * time.Millisecond):
	}
	goOn()
	return <-ended
}
