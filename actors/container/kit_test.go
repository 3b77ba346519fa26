package container

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// fakeApps is a store in memory.
type fakeApps struct {
	mu   sync.Mutex
	apps map[[32]byte]App
}

func (f *fakeApps) List() (out []App) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.apps {
		out = append(out, a)
	}
	return out
}
func (f *fakeApps) Get(sha [32]byte) (App, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.apps[sha]
	return a, ok
}
func (f *fakeApps) add(a App) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.apps[a.SHA256] = a
}
func (f *fakeApps) Size(sha [32]byte) (int64, error)                    { return 0, fs.ErrNotExist }
func (f *fakeApps) ReadAt(sha [32]byte, p []byte, o int64) (int, error) { return 0, io.EOF }
func (f *fakeApps) Manifest(sha [32]byte) ([]byte, error)               { return nil, fs.ErrNotExist }
func (f *fakeApps) Picture(sha [32]byte) ([]byte, error)                { return nil, fs.ErrNotExist }

// fakeDevice lends fake slots, whose workers are ready at once.
type fakeDevice struct {
	slots int
	mu    sync.Mutex
	lent  int
	most  int
	kills int
	fresh []bool   // of each Acquire
	saves []string // that Open was given
}

func (d *fakeDevice) Slots() int              { return d.slots }
func (d *fakeDevice) Ready(sha [32]byte) bool { return sha == snake.SHA256 }
func (d *fakeDevice) Info(sha [32]byte) (worker.Info, bool) {
	return worker.Info{Width: 320, Height: 180, FPS: 30, Seats: 2, PointerLock: true}, d.Ready(sha)
}
func (d *fakeDevice) Acquire(_ gpu.App, fresh bool) (session.Slot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fresh = append(d.fresh, fresh)
	if d.lent >= d.slots {
		return nil, gpu.ErrBusy
	}
	d.lent++
	d.most = max(d.most, d.lent)
	return &fakeSlot{d: d}, nil
}

type fakeSlot struct{ d *fakeDevice }

func (s *fakeSlot) Open(sink worker.Sink, save []byte) (gpu.Process, bool, error) {
	s.d.mu.Lock()
	s.d.saves = append(s.d.saves, string(save))
	s.d.mu.Unlock()
	sink.Ready(worker.Info{Width: 640, Height: 360, FPS: 60, Seats: 2, Encoder: "fake"})
	return &fakeWorker{d: s.d, sink: sink}, true, nil
}
func (s *fakeSlot) Release() {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.lent--
}

type fakeWorker struct {
	gpu.Process
	d      *fakeDevice
	sink   worker.Sink
	killed sync.Once
}

func (w *fakeWorker) PID() int       { return 7 }
func (w *fakeWorker) Run()           {}
func (w *fakeWorker) Seat(int, bool) {}
func (w *fakeWorker) Pause(bool)     {}
func (w *fakeWorker) ForceKeyframe() {}
func (w *fakeWorker) Cell(uint32)    {}
func (w *fakeWorker) Stop(context.Context) error {
	w.Kill()
	return nil
}
func (w *fakeWorker) Kill() {
	w.killed.Do(func() {
		w.d.mu.Lock()
		w.d.kills++
		w.d.mu.Unlock()
		w.sink.Exited(worker.ErrKilled)
	})
}

// fakeStream answers every offer; a page is there as soon as it has its answer.
type fakeStream struct {
	h    stream.Handler
	info stream.SessionInfo
	m    *mesh
}

func (f *fakeStream) Answer(_ context.Context, j stream.Join) (string, string, [32]byte, error) {
	if j.Offer == "bad" {
		return "", "", [32]byte{}, stream.ErrOffer
	}
	f.h.Joined(j.Offer, j.Role)
	return j.Offer, "answer to " + j.Offer, [32]byte{9}, nil
}
func (f *fakeStream) AddCandidates(string, string) error         { return nil }
func (f *fakeStream) Restart(_, fragment string) (string, error) { return "re-" + fragment, nil }
func (f *fakeStream) Remove(peer, code, text string) error {
	f.h.Left(peer, stream.RoleWatch, "removed")
	return nil
}
func (f *fakeStream) WriteVideo([]byte, bool, time.Duration) error          { return nil }
func (f *fakeStream) WriteAudio([]byte, time.Duration, time.Duration) error { return nil }
func (f *fakeStream) Applied(uint64, [worker.Seats]uint32)                  {}
func (f *fakeStream) SetInfo(stream.SessionInfo) error                      { return nil }
func (f *fakeStream) SetWorkerStats(stream.WorkerStats)                     {}
func (f *fakeStream) Notice(code, text string)                              {}
func (f *fakeStream) ToOwner(m control.Message)                             { f.m.tell(m) }
func (f *fakeStream) Bye(code, text string)                                 { f.m.note("bye " + code) }
func (f *fakeStream) Close(context.Context) error                           { f.m.note("close"); return nil }

var (
	snake = App{App: gpu.App{SHA256: [32]byte{1}, Name: "snake"}, Title: "Snake"}
	chess = App{App: gpu.App{SHA256: [32]byte{2}, Name: "chess"}}
)

const network = "test"

// mesh is a container on fakes in virtual time, and what a gateway would do.
type mesh struct {
	testing.TB
	*Container
	sys  *supervise.System
	wait func() // until nothing moves
	dev  *fakeDevice
	apps *fakeApps
	key  crypto.PrivKey

	mu    sync.Mutex
	ads   []*wire.Ad
	adAt  []time.Time
	notes []string
	told  []control.Message // to owners' pages
	// handlers are the sessions' ears, in the order they were opened.
	handlers []stream.Handler
}

func (m *mesh) tell(msg control.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, msg)
}

func (m *mesh) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, s)
}

// publish is where the container's ads go.
func (m *mesh) publish(_ context.Context, region string, sealed []byte) error {
	ad := new(wire.Ad)
	from, err := seal.Open(network, seal.TypeAd, sealed, 8<<10, ad)
	if err != nil || from != m.self || region != "eu" {
		m.Errorf("a bad ad: %v from %s in %q", err, from, region)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ads, m.adAt = append(m.ads, ad), append(m.adAt, time.Now())
	return nil
}

// sent returns all ads and when they came.
func (m *mesh) sent() ([]*wire.Ad, []time.Time) {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ads), slices.Clone(m.adAt)
}

// lastAd returns the newest ad after things have settled.
func (m *mesh) lastAd() *wire.Ad {
	time.Sleep(adSpacing)
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ads[len(m.ads)-1]
}

var gateway, rival, indexer = peer.ID("gateway"), peer.ID("rival"), peer.ID("indexer")

// certificate is a match that names this container; change may spoil it. The fake
// Verify takes it unsealed.
func (m *mesh) certificate(app App, change func(*wire.Certificate, *wire.MatchRequest)) []byte {
	id := random16()
	req := &wire.MatchRequest{RequestId: id[:], AppSha256: bytes.Clone(app.SHA256[:])}
	beacon := match.GenesisOf(network)
	cert := &wire.Certificate{Indexer: []byte(indexer), Beacon: beacon[:], Drawn: [][]byte{[]byte(indexer)}, Top: []*wire.Choice{{Container: []byte("another")}, {Container: []byte(m.self)}}, MadeMs: uint64(time.Now().UnixMilli())}
	if change != nil {
		change(cert, req)
	}
	cert.Request, _ = proto.Marshal(req)
	b, _ := proto.Marshal(cert)
	return b
}

func verifyPlain(b []byte, _ string) (*wire.Certificate, error) {
	c := new(wire.Certificate)
	if len(b) == 0 {
		return nil, fmt.Errorf("empty")
	}
	return c, proto.Unmarshal(b, c)
}

// ask reserves as a gateway does.
func (m *mesh) ask(from peer.ID, cert []byte, n nonce, queue bool, ticket []byte) (*wire.ReserveResponse, error) {
	resp, err := m.onReserve(context.Background(), from, &wire.ReserveRequest{Certificate: cert, Nonce: n[:], Queue: queue, Ticket: ticket})
	m.wait()
	return resp, err
}

// lease reserves a slot of snake and fails the test when there is none.
func (m *mesh) lease() *wire.ReserveResponse {
	m.Helper()
	resp, err := m.ask(gateway, m.certificate(snake, nil), random16(), false, nil)
	if err != nil || len(resp.GetSessionId()) != 16 {
		m.Fatalf("no lease: %v, %v", resp, err)
	}
	return resp
}

func (m *mesh) signal(l *wire.ReserveResponse, role stream.Role, req *wire.SignalRequest) (*wire.SignalResponse, error) {
	t := stream.Token(l.GetSecret(), role)
	req.SessionId, req.Token = l.GetSessionId(), t[:]
	resp, err := m.onSignal(context.Background(), gateway, req)
	m.wait()
	return resp, err
}

func offer(sdp string) *wire.SignalRequest {
	return &wire.SignalRequest{Step: &wire.SignalRequest_Offer{Offer: &wire.Offer{Sdp: sdp}}}
}

func ping() *wire.SignalRequest {
	return &wire.SignalRequest{Step: &wire.SignalRequest_Ping{Ping: &wire.Ping{}}}
}

func leave(end bool) *wire.SignalRequest {
	return &wire.SignalRequest{Peer: []byte("page"), Step: &wire.SignalRequest_Leave{Leave: &wire.Leave{EndSession: end}}}
}

// end ends a session that was offered to.
func (m *mesh) end(l *wire.ReserveResponse) {
	m.Helper()
	if _, err := m.signal(l, stream.RoleOwner, leave(true)); err != nil {
		m.Fatal(err)
	}
}

// newMesh starts a container.
func newMesh(t testing.TB, slots int, change func(*Options)) *mesh {
	t.Helper()
	sys, err := supervise.NewSystem(supervise.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := &mesh{TB: t, sys: sys, dev: &fakeDevice{slots: slots}, apps: &fakeApps{apps: map[[32]byte]App{}}, key: key, wait: func() {}}
	m.apps.add(snake)
	o := Options{System: sys, Key: key, Network: network, Region: "eu", Apps: m.apps, Device: m.dev, Publish: m.publish, Verify: verifyPlain,
		Stream: func(_ string, h stream.Handler, i stream.SessionInfo) (session.Stream, error) {
			m.mu.Lock()
			m.handlers = append(m.handlers, h)
			m.mu.Unlock()
			return &fakeStream{h: h, info: i, m: m}, nil
		},
		Score: 1500, Encoders: []string{"fake"}, Price: 20_000}
	if change != nil {
		change(&o)
	}
	if m.Container, err = New(o); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return m
}

// run tells a story in virtual time.
func run(t *testing.T, slots int, change func(*Options), story func(m *mesh)) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, slots, change)
		m.wait = synctest.Wait
		m.wait()
		story(m)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := m.sys.Stop(ctx); err != nil {
			t.Error(err)
		}
		if m.dev.lent != 0 || m.dev.most > slots {
			t.Errorf("%d slots still lent; %d were at once, of %d", m.dev.lent, m.dev.most, slots)
		}
	})
}
