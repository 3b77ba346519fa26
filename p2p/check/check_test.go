package check_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/check"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// answers are those of one node that checks and is checked.
type answers struct {
	from      peer.ID
	commit    []byte
	opening   []byte
	pong      []byte
	recalled  [][]byte
	asked     uint64
	whole     bool
	batch     uint32
	nonce     []byte
	picks     []uint32
	gone      *wire.Gone
	container [32]byte
	session   [16]byte
	watch     *wire.WatchResponse
	refuseAll error
}

func (a *answers) Commit(_ context.Context, from peer.ID, st []byte) ([32]byte, uint32, error) {
	a.from, a.commit = from, bytes.Clone(st)
	return [32]byte{7}, 10_100, a.refuseAll
}

func (a *answers) Recall(_ context.Context, from peer.ID, epoch uint64, whole bool, batch uint32) ([][]byte, error) {
	a.from, a.asked, a.whole, a.batch = from, epoch, whole, batch
	return a.recalled, a.refuseAll
}

func (a *answers) Gone(_ context.Context, from peer.ID, g *wire.Gone) error {
	a.from, a.gone = from, g
	return a.refuseAll
}

func (a *answers) Watched(_ context.Context, from peer.ID, epoch uint64, container [32]byte, session [16]byte) (*wire.WatchResponse, error) {
	a.from, a.asked, a.container, a.session = from, epoch, container, session
	return a.watch, a.refuseAll
}

func (a *answers) Open(_ context.Context, from peer.ID, epoch uint64, commit [32]byte, picks []uint32) ([]byte, error) {
	a.from, a.asked, a.picks, a.commit = from, epoch, picks, commit[:]
	return a.opening, a.refuseAll
}

func (a *answers) Ping(_ context.Context, from peer.ID, epoch uint64, nonce []byte) ([]byte, error) {
	a.from, a.asked, a.nonce = from, epoch, bytes.Clone(nonce)
	return a.pong, a.refuseAll
}

func newHost(t testing.TB) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func pair(t testing.TB, a *answers, opts rpc.Options) (ask *check.Client, raw *rpc.Client, to, self peer.ID) {
	t.Helper()
	hs, hc := newHost(t), newHost(t)
	s := rpc.NewServer(hs, "test", opts)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	check.ServeChecker(s, a)
	check.ServeContainer(s, a)
	if err := hc.Connect(t.Context(), peer.AddrInfo{ID: hs.ID(), Addrs: hs.Addrs()}); err != nil {
		t.Fatal(err)
	}
	raw = rpc.NewClient(hc, "test")
	return check.NewClient(raw), raw, hs.ID(), hc.ID()
}

func TestQuestionsAndAnswers(t *testing.T) {
	a := &answers{opening: make([]byte, check.MaxOpenings), pong: []byte("here"), recalled: [][]byte{{1}, {2, 3}}}
	c, _, to, self := pair(t, a, rpc.Options{})
	commit, at, err := c.Commit(t.Context(), to, []byte("rendered"))
	if err != nil || commit != [32]byte{7} || at != 10_100 || a.from != self || string(a.commit) != "rendered" {
		t.Error(commit, at, err, a)
	}
	st, took, err := c.Open(t.Context(), to, 9, [32]byte{8}, []uint32{3, 4})
	if err != nil || len(st) != check.MaxOpenings || took <= 0 || a.asked != 9 || fmt.Sprint(a.picks) != "[3 4]" || a.commit[0] != 8 {
		t.Error(len(st), took, err)
	}
	st, took, err = c.Ping(t.Context(), to, 10, make([]byte, 16))
	if err != nil || string(st) != "here" || took <= 0 || a.asked != 10 || len(a.nonce) != 16 {
		t.Error(st, took, err)
	}
	list, err := c.Recall(t.Context(), to, 11, true, 3)
	if err != nil || len(list) != 2 || string(list[1]) != "\x02\x03" || a.asked != 11 || !a.whole || a.batch != 3 {
		t.Error(list, err, a)
	}
}

func someGone() *wire.Gone {
	return &wire.Gone{Container: make([]byte, 32), Session: make([]byte, 16), Player: make([]byte, 32), Seconds: 1<<32 - 1, AtMs: 1<<63 - 1, Signature: make([]byte, 64), PerSecond: 1<<64 - 1, OpenedMs: 1<<63 - 1, Taken: make([]byte, 64)}
}

func TestComplaintsAndWatches(t *testing.T) {
	a := &answers{watch: &wire.WatchResponse{Gone: someGone(), Statement: make([]byte, check.MaxWatch)}}
	c, raw, to, self := pair(t, a, rpc.Options{})
	if err := c.Gone(t.Context(), to, someGone()); err != nil || a.from != self || a.gone.GetSeconds() != 1<<32-1 {
		t.Error(err, a.gone)
	}
	w, err := c.Watched(t.Context(), to, 9, [32]byte{1}, [16]byte{2})
	if err != nil || len(w.GetStatement()) != check.MaxWatch || a.asked != 9 || a.container[0] != 1 || a.session[0] != 2 {
		t.Error(err, a)
	}
	a.from = ""
	for name, change := range map[string]func(*wire.Gone){
		"container": func(g *wire.Gone) { g.Container = g.Container[1:] }, "session": func(g *wire.Gone) { g.Session = nil },
		"player": func(g *wire.Gone) { g.Player = append(g.Player, 0) }, "signature": func(g *wire.Gone) { g.Signature = g.Signature[1:] },
		"taken": func(g *wire.Gone) { g.Taken = nil },
	} {
		g := someGone()
		if change(g); rpc.CodeOf(c.Gone(t.Context(), to, g)) != wire.Code_INVALID {
			t.Errorf("a complaint with another %s was taken", name)
		}
	}
	if err := raw.Call(t.Context(), to, "check/watch", &wire.WatchRequest{Container: make([]byte, 32), Session: make([]byte, 15)}, &wire.WatchResponse{}); rpc.CodeOf(err) != wire.Code_INVALID {
		t.Error(err)
	}
	if a.from != "" {
		t.Error("a bad question was passed on")
	}
	for _, a.watch = range []*wire.WatchResponse{{Gone: someGone()}, {Statement: []byte{1}}, {Gone: someGone(), Statement: make([]byte, check.MaxWatch+1)}} {
		if _, err := c.Watched(t.Context(), to, 9, [32]byte{1}, [16]byte{2}); !errors.Is(err, check.ErrAnswer) {
			t.Errorf("%v was taken: %v", a.watch, err)
		}
	}
}

func TestWhatIsOutOfBounds(t *testing.T) {
	a := &answers{}
	c, raw, to, _ := pair(t, a, rpc.Options{})
	for name, ask := range map[string]func() error{
		"no commitment":    func() error { _, _, err := c.Commit(t.Context(), to, nil); return err },
		"large commitment": func() error { _, _, err := c.Commit(t.Context(), to, make([]byte, check.MaxCommit+1)); return err },
		"no picks":         func() error { _, _, err := c.Open(t.Context(), to, 1, [32]byte{}, nil); return err },
		"half a pick":      func() error { _, _, err := c.Open(t.Context(), to, 1, [32]byte{}, []uint32{1}); return err },
		"many picks": func() error {
			_, _, err := c.Open(t.Context(), to, 1, [32]byte{}, make([]uint32, 2*check.MaxPicks+2))
			return err
		},
		"short ping": func() error { _, _, err := c.Ping(t.Context(), to, 1, make([]byte, 15)); return err },
		"long ping":  func() error { _, _, err := c.Ping(t.Context(), to, 1, make([]byte, 33)); return err },
		"short hash": func() error {
			return raw.Call(t.Context(), to, "check/open", &wire.OpenRequest{Commit: []byte("x"), Picks: []uint32{1, 2}}, &wire.OpenResponse{})
		},
	} {
		if err := ask(); !errors.Is(err, rpc.ErrInvalid) && rpc.CodeOf(err) != wire.Code_INVALID {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a.from != "" {
		t.Error("a bad question was passed on")
	}
	if _, _, err := c.Open(t.Context(), to, 1, [32]byte{}, []uint32{1, 2}); !errors.Is(err, check.ErrAnswer) {
		t.Errorf("empty openings: %v", err)
	}
	if _, _, err := c.Ping(t.Context(), to, 1, make([]byte, 16)); !errors.Is(err, check.ErrAnswer) {
		t.Errorf("an empty pong: %v", err)
	}
	a.opening = make([]byte, check.MaxOpenings+1024)
	if _, _, err := c.Open(t.Context(), to, 1, [32]byte{}, []uint32{1, 2}); err == nil {
		t.Error("openings beyond their size were taken")
	}
	for range 100 {
		a.recalled = append(a.recalled, make([]byte, 8<<10))
	}
	if list, err := c.Recall(t.Context(), to, 1, false, 0); err != nil || len(list) == 0 || len(list)*(8<<10) > check.MaxRecall {
		t.Errorf("%d statements, %v", len(list), err)
	}
	a.refuseAll = rpc.Errorf(wire.Code_EXPIRED, "the round is over")
	if _, _, err := c.Commit(t.Context(), to, []byte("x")); rpc.CodeOf(err) != wire.Code_EXPIRED {
		t.Errorf("a late commitment: %v", err)
	}
}

// A peer that asks too often hears that it should wait, and others are served.
func TestQuestionsAreRated(t *testing.T) {
	a := &answers{pong: []byte("here")}
	now := time.Now() // stands still: however long the questions take, no time for another has passed
	c, _, to, _ := pair(t, a, rpc.Options{Now: func() time.Time { return now }})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	busy := 0
	for range 12 {
		if _, _, err := c.Open(ctx, to, 1, [32]byte{}, []uint32{1, 2}); rpc.CodeOf(err) == wire.Code_BUSY {
			busy++
		}
	}
	if busy != 4 {
		t.Errorf("%d of 12 questions at once were turned away, want 4", busy)
	}
	if _, _, err := c.Ping(ctx, to, 1, make([]byte, 16)); err != nil {
		t.Errorf("another protocol: %v", err)
	}
}
