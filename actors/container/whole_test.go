//go:build unix

package container_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/container"
	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/app/games"
	"github.com/framemesh/framemesh/gpu/encode"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
)

// The test binary is also the worker that the device starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(worker.Main())
	}
	code := m.Run()
	if begun {
		dir, _ := compiled()
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// compiled is where the tests' workers share compiled modules, so that each is compiled once
// in a run: on a busy machine that takes longer than all else.
var compiled = sync.OnceValues(func() (string, error) {
	begun = true
	return os.MkdirTemp("", "framemesh-container-test")
})

// begun says whether there is anything.
var begun bool

const network, region = "whole", "eu"

// patience bounds each wait of these tests. It says nothing about speed: a busy
// machine may take its time.
const patience = 2 * time.Minute

// shelf is a store with one of the games.
type shelf struct {
	app    container.App
	module []byte
}

func (s *shelf) List() []container.App { return []container.App{s.app} }
func (s *shelf) Get(sha [32]byte) (container.App, bool) {
	return s.app, sha == s.app.SHA256
}
func (s *shelf) Size([32]byte) (int64, error) { return int64(len(s.module)), nil }
func (s *shelf) ReadAt(_ [32]byte, p []byte, off int64) (int, error) {
	return bytes.NewReader(s.module).ReadAt(p, off)
}
func (s *shelf) Manifest([32]byte) ([]byte, error) { return nil, fs.ErrNotExist }
func (s *shelf) Picture([32]byte) ([]byte, error)  { return nil, fs.ErrNotExist }

// whole is a container with a real device, real workers and a real WebRTC engine on
// one libp2p host, and a gateway on another.
type whole struct {
	*testing.T
	live    atomic.Pointer[container.Container]
	client  *rpc.Client
	self    peer.ID
	app     container.App
	http    *httptest.Server
	indexer crypto.PrivKey
	saves   string // their directory
	dues    string // of those that are paid
	dev     *gpu.Device
	again   func() // starts the container, also after a crash

	mu  sync.Mutex
	ads [][]byte
}

func newHost(t *testing.T, key crypto.PrivKey) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func newKey(t *testing.T) crypto.PrivKey {
	t.Helper()
	k, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func begin(t *testing.T) *whole {
	t.Helper()
	module, err := games.FS.ReadFile("latency/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return beginWith(t, module, nil)
}

// beginPaid is begin with a ledger and a price.
func beginPaid(t *testing.T, ledger container.Pay) *whole {
	t.Helper()
	module, err := games.FS.ReadFile("latency/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := beginWith(t, module, func(o *container.Options) { o.Pay, o.PayDir, o.Price = ledger, dir, 250_000 })
	w.dues = dir
	return w
}

// beginWith is begin with another app.
func beginWith(t *testing.T, module []byte, change func(*container.Options)) *whole {
	t.Helper()
	if len(encode.Encoders()) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no video encoder in this build; CI needs cgo and g++")
		}
		t.Skip("no video encoder in this build: needs cgo and g++")
	}
	w := &whole{T: t, indexer: newKey(t), saves: t.TempDir()}
	dir := t.TempDir()
	path := filepath.Join(dir, "module.wasm")
	if err := os.WriteFile(path, module, 0o600); err != nil {
		t.Fatal(err)
	}
	w.app = container.App{App: gpu.App{SHA256: sha256.Sum256(module), Name: "latency", Module: path}, Title: "Latency"}
	key := newKey(t)
	h, g := newHost(t, key), newHost(t, newKey(t))
	w.self = h.ID()
	if err := g.Connect(t.Context(), peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	sys, err := supervise.NewSystem(supervise.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := stream.NewEngine(stream.Config{LoopbackOnly: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	store := &shelf{app: w.app, module: module}
	cache, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	w.dev, err = gpu.New(gpu.Options{System: sys, Slots: 1, Standby: 1, Start: gpu.StartWorker, CacheDir: cache, Log: log,
		Installed: func() []gpu.App { return []gpu.App{w.app.App} }, Changed: func() {
			if c := w.live.Load(); c != nil {
				c.Changed()
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(h, network, rpc.Options{Log: log})
	w.client = rpc.NewClient(g, network)
	o := container.Options{System: sys, Key: key, Network: network, Region: region, Apps: store,
		Device: container.OnDevice(w.dev), Stream: container.OnEngine(engine), Publish: w.publish, Server: server, SaveDir: w.saves, Score: 1000,
		Encoders: []string{"openh264"}, Price: 10, Session: session.Options{Grace: patience}, Log: log}
	if change != nil {
		change(&o)
	}
	w.again = func() {
		t.Helper()
		c, err := container.New(o)
		if err != nil {
			t.Fatal(err)
		}
		w.live.Store(c)
		if err := c.Start(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		o.Server = nil // it answers for the next one, too
	}
	w.again()
	w.http = httptest.NewServer(http.HandlerFunc(w.whep))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w.http.Close()
		for _, err := range []error{w.c().Stop(ctx), server.Close(), sys.Stop(ctx), engine.Close(ctx)} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	w.open()
	return w
}

// c is the container, after a crash the newest one.
func (w *whole) c() *container.Container { return w.live.Load() }

// open waits until the slot is free and an ad says so.
func (w *whole) open() {
	w.Helper()
	w.await("a free slot and an ad that says so", func() bool {
		s, err := w.c().Stats(w.Context())
		if err != nil || s.Free == 0 {
			return false
		}
		sealed, err := w.c().Ad(w.Context()) // not over the network, where asking so often is refused
		ad := new(wire.Ad)
		if err == nil {
			_, err = seal.Open(network, seal.TypeAd, sealed, 8<<10, ad)
		}
		return err == nil && ad.GetSlotsFree() > 0
	})
}

// testLog sends log lines to the test.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	if l.t.Context().Err() == nil { // else the test is over and may not log
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func (w *whole) publish(_ context.Context, _ string, sealed []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ads = append(w.ads, sealed)
	return nil
}

// certificate matches as an indexer does, from the container's own ad.
func (w *whole) certificate(ctx context.Context) ([]byte, error) {
	var resp wire.AdResponse
	err := w.client.Call(ctx, w.self, "ad", &wire.AdRequest{}, &resp)
	for e := new(rpc.Error); errors.As(err, &e) && e.Code == wire.Code_BUSY && ctx.Err() == nil; {
		time.Sleep(100 * time.Millisecond) // who asked often before waits as the answer says
		err = w.client.Call(ctx, w.self, "ad", &wire.AdRequest{}, &resp)
	}
	if err != nil {
		return nil, err
	}
	ad := new(wire.Ad)
	id, err := seal.Open(network, seal.TypeAd, resp.GetAd(), 8<<10, ad)
	if err != nil {
		return nil, err
	}
	now := uint64(time.Now().UnixMilli())
	table := match.NewTable(0)
	if err := table.Put(now, id, ad, resp.GetAd()); err != nil {
		return nil, err
	}
	request := make([]byte, 16)
	_, _ = rand.Read(request)
	req := &wire.MatchRequest{RequestId: request, AppSha256: w.app.SHA256[:], MadeMs: now}
	result, err := table.Match(now, req)
	if err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	self, err := peer.IDFromPrivateKey(w.indexer)
	if err != nil {
		return nil, err
	}
	return match.Sign(result.Certificate(self, raw, request, match.GenesisOf(network), []peer.ID{self}), network, w.indexer)
}

// whep is a gateway reduced to its bones: POST /whep starts, POST /whep?session&token
// joins, PATCH and DELETE /whep/<session>/<peer>/<token> go on.
func (w *whole) whep(rw http.ResponseWriter, r *http.Request) {
	fail := func(err error) {
		w.Logf("refused: %v", err)
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	ctx := r.Context()
	if r.Method != http.MethodPost {
		part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		id, _ := hex.DecodeString(part[1])
		token, _ := hex.DecodeString(part[3])
		req := &wire.SignalRequest{SessionId: id, Peer: []byte(part[2]), Token: token}
		if r.Method == http.MethodPatch {
			req.Step = &wire.SignalRequest_Candidates{Candidates: &wire.Candidates{Fragment: string(body)}}
		} else {
			req.Step = &wire.SignalRequest_Leave{Leave: &wire.Leave{EndSession: true}}
		}
		if err := w.client.Call(ctx, w.self, "signal", req, new(wire.SignalResponse)); err != nil {
			fail(err)
			return
		}
		if r.Method == http.MethodPatch {
			rw.WriteHeader(http.StatusNoContent)
		}
		return
	}
	var id, token []byte
	if s := r.URL.Query().Get("session"); s != "" {
		id, _ = hex.DecodeString(s)
		token, _ = hex.DecodeString(r.URL.Query().Get("token"))
	} else {
		cert, err := w.certificate(ctx)
		if err != nil {
			fail(err)
			return
		}
		nonce := make([]byte, 16)
		_, _ = rand.Read(nonce)
		key, _ := hex.DecodeString(r.URL.Query().Get("player"))
		var lease wire.ReserveResponse
		if err := w.client.Call(ctx, w.self, "reserve", &wire.ReserveRequest{Certificate: cert, Nonce: nonce, Player: key}, &lease); err != nil {
			fail(err)
			return
		}
		t := stream.Token(lease.GetSecret(), stream.RoleOwner)
		id, token = lease.GetSessionId(), t[:]
	}
	var resp wire.SignalResponse
	err := w.client.Call(ctx, w.self, "signal", &wire.SignalRequest{SessionId: id, Token: token,
		Step: &wire.SignalRequest_Offer{Offer: &wire.Offer{Sdp: string(body)}}}, &resp)
	if err != nil {
		fail(err)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "application/sdp")
	h.Set("Location", fmt.Sprintf("/whep/%x/%s/%x", id, resp.GetPeer(), token))
	h.Set("ETag", `"1"`)
	h.Set("Framemesh-Session", hex.EncodeToString(id))
	h.Set("Framemesh-Owner-Token", hex.EncodeToString(token))
	h.Set("Framemesh-Proof", base64.StdEncoding.EncodeToString(resp.GetProof()))
	rw.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(rw, resp.GetAnswer())
}

// verify is what a page does before it connects.
func (w *whole) verify(offer, answer string, h http.Header) error {
	sealed, err := base64.StdEncoding.DecodeString(h.Get("Framemesh-Proof"))
	if err != nil {
		return err
	}
	var p wire.AnswerProof
	signer, err := seal.Open(network, seal.TypeAnswer, sealed, 2048, &p)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(offer))
	var colons []string
	for _, b := range p.GetFingerprint() {
		colons = append(colons, fmt.Sprintf("%02X", b))
	}
	if signer != w.self || !bytes.Equal(sum[:], p.GetOfferSha256()) || !strings.Contains(answer, strings.Join(colons, ":")) {
		return errors.New("the proof is of another offer or answer")
	}
	return nil
}

func (w *whole) play(query string) *player.Player {
	w.Helper()
	return w.playWith(query, player.Options{})
}

func (w *whole) playWith(query string, o player.Options) *player.Player {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	o.URL, o.Verify = w.http.URL+"/whep"+query, w.verify
	p, err := player.Play(ctx, o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = p.Leave(ctx)
	})
	if err := p.FirstFrame(ctx); err != nil {
		w.Fatalf("%v; report %+v", err, p.Report())
	}
	return p
}

// await polls until ok, for what comes from other processes.
func (w *whole) await(what string, ok func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("in vain: %s", what)
		}
	}
}

func (w *whole) session() session.Summary {
	w.Helper()
	list, err := w.c().Sessions(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if len(list) == 0 {
		return session.Summary{}
	}
	return list[0]
}

// playing is the session once it says what pages may have seen before: that it plays, with
// which worker, and how often it was started again.
func (w *whole) playing(restarts int) (s session.Summary) {
	w.Helper()
	w.await(fmt.Sprintf("a session that plays after %d restarts", restarts), func() bool {
		s = w.session()
		return s.Phase == session.Playing && s.PID != 0 && s.Restarts >= restarts
	})
	if s.Restarts != restarts {
		w.Errorf("%d restarts, want %d: %+v", s.Restarts, restarts, s)
	}
	return s
}

func TestWholePlay(t *testing.T) {
	w := begin(t)
	p := w.play("")
	r := p.Report()
	t.Logf("launch: post %v, connect %v, first frame %v, total %v", r.Stages.Post, r.Stages.Connect, r.Stages.FirstFrame, r.Stages.Total)
	w.await("pictures, sound and a welcome", func() bool {
		r := p.Report()
		return r.Decodable >= 60 && r.AudioPackets >= 20 && r.Welcome.App != ""
	})
	if r := p.Report(); r.Welcome.App != "Latency" || r.Welcome.Width != 640 || r.Welcome.Role != "owner" || r.Welcome.Container != w.self.String() {
		t.Errorf("welcome %+v", r.Welcome)
	}
	p.Press(0x1D)
	w.await("the app's word that it saw the key", func() bool { return p.Report().InputsAcked >= 1 })
	w.await("one viewer", func() bool { return w.session().Viewers == 1 })

	// kill -9 of the worker: the picture comes back without the page doing anything. By
	// then the worker has put several snapshots away.
	w.await("some seconds of play", func() bool { return p.Report().Decodable >= 240 })
	pid := w.playing(0).PID
	w.await("six seconds of play", func() bool { return p.Report().ContainerSays.Tick >= 360 })
	before := p.Report()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.await("a new worker's pictures", func() bool {
		r := p.Report()
		return r.KeyFrames > before.KeyFrames && r.Decodable > before.Decodable+30 && slices.ContainsFunc(r.Notices, func(n control.Notice) bool {
			return n.Code == control.NoticeRestarted && strings.Contains(n.Text, "goes on")
		})
	})
	after := p.Report()
	t.Logf("worker killed: longest gap between frames %v", after.LongestGap)
	if s := w.playing(1); s.PID == pid {
		t.Errorf("session after the kill %+v", s)
	}
	// From the last snapshot, which is at most two seconds old, 120 ticks, or from the one
	// before it on a machine that was just then putting the last one away.
	w.await("what tick the new worker is at", func() bool { return p.Report().ContainerSays.Tick != before.ContainerSays.Tick })
	if was, is := before.ContainerSays.Tick, p.Report().ContainerSays.Tick; is+240 < was {
		t.Errorf("the game was at tick %d and went on from before tick %d", was, is)
	}
	if after.Bye != nil || after.Connections != 1 {
		t.Errorf("the connection did not survive: %+v", after)
	}

	// A reload: the tab is gone, the next one finds the same game.
	h := p.Header()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	q := w.play("?session=" + h.Get("Framemesh-Session") + "&token=" + h.Get("Framemesh-Owner-Token"))
	w.await("the resumed session's pictures", func() bool { return q.Report().Decodable >= 30 })
	w.playing(1)

	// The only slot is taken, and free again after the end.
	if _, err := w.certificate(ctx); !errors.Is(err, match.ErrNoMatch) {
		t.Errorf("a full container still matches: %v", err)
	}
	if err := q.Stop(ctx); err != nil {
		t.Error(err)
	}
	w.await("the slot", func() bool {
		s, err := w.c().Stats(ctx)
		return err == nil && s.Free == 1
	})
	w.await("an ad that says so", func() bool { _, err := w.certificate(ctx); return err == nil })

	// The next player finds the app compiled.
	next := w.play("")
	r = next.Report()
	t.Logf("second launch: post %v, connect %v, first frame %v, total %v", r.Stages.Post, r.Stages.Connect, r.Stages.FirstFrame, r.Stages.Total)
	if err := next.Stop(ctx); err != nil {
		t.Error(err)
	}
	w.await("the first worker's end", func() bool { return syscall.Kill(pid, 0) != nil })
}

func TestWholeCrashOfTheContainer(t *testing.T) {
	w := begin(t)
	p := w.play("")
	pid := w.playing(0).PID
	w.c().Crash()
	w.await("the worker's end", func() bool { return syscall.Kill(pid, 0) != nil })
	if r := p.Report(); r.Bye != nil {
		t.Errorf("a crash said goodbye: %+v", r.Bye)
	}
	var seen uint64
	w.await("the end of the pictures, when those on the way have come", func() bool {
		seen = p.Report().Decodable
		time.Sleep(500 * time.Millisecond)
		return p.Report().Decodable == seen
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.client.Call(ctx, w.self, "ad", &wire.AdRequest{}, new(wire.AdResponse)); err == nil {
		t.Error("a crashed container answers")
	}
	if r := p.Report(); r.Decodable > seen {
		t.Errorf("pictures go on after the crash: %d more", r.Decodable-seen)
	}
}

// counterCart is a WASM-4 cart that adds one to the first byte of its disk when it
// starts, and then does nothing.
var counterCart = []byte{
	0, 'a', 's', 'm', 1, 0, 0, 0,
	1, 10, 2, 0x60, 0, 0, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, // types: () → (), (i32, i32) → i32
	2, 40, 3, // imports
	3, 'e', 'n', 'v', 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 1, 1, 1,
	3, 'e', 'n', 'v', 5, 'd', 'i', 's', 'k', 'r', 0, 1,
	3, 'e', 'n', 'v', 5, 'd', 'i', 's', 'k', 'w', 0, 1,
	3, 3, 2, 0, 0, // functions 2 and 3
	7, 18, 2, 5, 's', 't', 'a', 'r', 't', 0, 2, 6, 'u', 'p', 'd', 'a', 't', 'e', 0, 3, // exports
	10, 42, 2, // code
	37, 0,
	0x41, 0x80, 0xc0, 0, 0x41, 1, 0x10, 0, 0x1a, // diskr(8192, 1)
	0x41, 0x80, 0xc0, 0, 0x41, 0x80, 0xc0, 0, 0x2d, 0, 0, 0x41, 1, 0x6a, 0x3a, 0, 0, // byte 8192 += 1
	0x41, 0x80, 0xc0, 0, 0x41, 1, 0x10, 1, 0x1a, // diskw(8192, 1)
	0x0b,
	2, 0, 0x0b, // update does nothing
}

// What an app saves is there in the next session of the same player and in no other's.
func TestWholeSaves(t *testing.T) {
	w := beginWith(t, counterCart, nil)
	// newest is the count in the save that was written last.
	newest := func() int {
		list, err := os.ReadDir(w.saves)
		if err != nil {
			t.Fatal(err)
		}
		var at time.Time
		count := 0
		for _, e := range list {
			fi, err := e.Info()
			if err != nil || !strings.HasSuffix(e.Name(), ".save") || fi.ModTime().Before(at) {
				continue
			}
			b, err := os.ReadFile(filepath.Join(w.saves, e.Name()))
			if err != nil || len(b) == 0 {
				t.Fatalf("%s: %d bytes, %v", e.Name(), len(b), err)
			}
			if fi.Mode().Perm() != 0o600 {
				t.Errorf("%s can be read by others: %v", e.Name(), fi.Mode())
			}
			at, count = fi.ModTime(), int(b[104])
		}
		return count
	}
	files := func() int {
		list, _ := filepath.Glob(filepath.Join(w.saves, "*.save"))
		return len(list)
	}
	alice, bob := "?player="+strings.Repeat("a1", 32), "?player="+strings.Repeat("b0", 32)
	for _, turn := range []struct {
		who          string
		count, files int
	}{{alice, 1, 1}, {alice, 2, 1}, {bob, 1, 2}, {"", 1, 2}, {alice, 3, 2}} {
		p := w.play(turn.who)
		if turn.who == "" {
			w.await("some play", func() bool { return p.Report().Decodable > 5 })
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := p.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		w.await(fmt.Sprintf("a count of %d in %d files, not %d in %d", turn.count, turn.files, newest(), files()), func() bool {
			return newest() == turn.count && files() == turn.files
		})
		w.open()
	}
}

// A worker that waits makes a launch short. The log says what each part took.
func TestWholeWarmLaunch(t *testing.T) {
	w := begin(t)
	w.await("a worker that waits", func() bool { return w.dev.Waiting(w.app.SHA256) })
	p := w.play("")
	r := p.Report()
	t.Logf("warm: post %v, connect %v, first frame %v, total %v", r.Stages.Post, r.Stages.Connect, r.Stages.FirstFrame, r.Stages.Total)
	w.playing(0)
}
