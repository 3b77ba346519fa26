package stream

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/input"
	"github.com/framemesh/framemesh/stream/player"
)

func TestPlays(t *testing.T) {
	k := newKit(t, nil)
	p := k.play("", nil)
	until(t, "frames, sound, welcome, figures", func() bool {
		r := p.Report()
		return r.Frames >= 120 && r.AudioPackets >= 60 && r.Welcome.App == "Test" && r.ContainerSays.Tick > 0
	})
	r := p.Report()
	if r.Decodable != r.Frames || r.KeyFrames == 0 || r.PacketsLost != 0 {
		t.Errorf("%d frames, %d decodable, %d key frames, %d packets lost", r.Frames, r.Decodable, r.KeyFrames, r.PacketsLost)
	}
	w := control.Welcome{V: 1, Session: "5e55", Role: "owner", Seat: 0, App: "Test", Width: 640, Height: 360, FPS: 60, Encoder: "fake", Container: "12D3"}
	if r.Welcome != w {
		t.Errorf("welcome %+v", r.Welcome)
	}
	if s := r.Stages; s.Connect <= 0 || s.FirstFrame < 0 || s.Total < s.Connect+s.FirstFrame || s.Match == 0 {
		t.Errorf("stages %+v", s)
	}
	if len(r.Errors) > 0 {
		t.Error(r.Errors)
	}
	t.Logf("stages %+v, %.1f fps, %.0f kbit/s", r.Stages, r.FPS, r.BitrateKbps)
}

func TestInputReachesTheAppAndIsAcknowledged(t *testing.T) {
	k := newKit(t, nil)
	p := k.play("", nil)
	p.Press(0x1D)
	until(t, "Z held", func() bool {
		return k.app.count(func() int {
			return slices.IndexFunc(k.app.inputs, func(s input.State) bool { return s.Held(0x1D) })
		}) >= 0
	})
	p.Release(0x1D)
	until(t, "acknowledged", func() bool { r := p.Report(); return r.InputsAcked == r.InputsSent && r.InputsSent >= 3 })
	k.app.note(func() {
		for i := 1; i < len(k.app.inputs); i++ {
			if !input.Newer(k.app.inputs[i].Seq, k.app.inputs[i-1].Seq) {
				t.Errorf("state %d came after %d", k.app.inputs[i].Seq, k.app.inputs[i-1].Seq)
			}
		}
	})
}

func TestTickIsLockedToTheDisplay(t *testing.T) {
	k := newKit(t, nil)
	k.play("", nil)
	until(t, "shifts of the tick", func() bool { return k.app.count(func() int { return len(k.app.shifts) }) > 0 })
	until(t, "figures that say so", func() bool { return k.session.Stats().Shift != 0 })
}

// A viewer who comes late is given a key frame at once and nothing before it.
func TestSecondViewer(t *testing.T) {
	k := newKit(t, nil)
	owner := k.play("", nil)
	until(t, "the owner's welcome", func() bool { return owner.Report().Welcome.V == 1 }) // from then on it is told of others
	keys := k.app.count(func() int { return k.app.keys })
	viewer := k.play("?role=watch", nil)
	until(t, "30 frames and a welcome", func() bool { r := viewer.Report(); return r.Frames >= 30 && r.Welcome.V == 1 })
	if r := viewer.Report(); r.Decodable != r.Frames || r.Welcome.Role != "watch" || r.Welcome.Seat != -1 {
		t.Errorf("%d of %d frames can be decoded, welcome %+v", r.Decodable, r.Frames, r.Welcome)
	}
	if n := k.app.count(func() int { return k.app.keys }); n <= keys {
		t.Error("no key frame was asked for")
	}
	until(t, "the owner is told", func() bool { return notices(owner, control.NoticeJoined) == 1 })
	viewer.Press(0x1D)
	until(t, "a viewer's input refused", func() bool {
		return slices.ContainsFunc(k.session.Stats().Peers, func(p PeerStats) bool { return p.Role == RoleWatch && p.Refused > 0 })
	})
	k.app.note(func() {
		if slices.ContainsFunc(k.app.inputs, func(s input.State) bool { return s.Held(0x1D) }) {
			t.Error("a viewer pressed a key")
		}
	})
	viewer.Say(control.Chat{Text: "hello"})
	until(t, "chat", func() bool {
		c := owner.Report().Chat
		return len(c) == 1 && c[0] == control.Chat{From: "Viewer", Text: "hello"}
	})
	viewer.Say(control.Pause{})
	owner.Say(control.Pause{})
	until(t, "pause", func() bool { return k.app.count(func() int { return len(k.app.pauses) }) == 1 })
	k.end(viewer)
	until(t, "left", func() bool { return k.app.count(func() int { return len(k.app.left) }) == 1 })
	until(t, "the owner is told again", func() bool { return notices(owner, control.NoticeLeft) == 1 })
}

// A plain WHEP player has no data channels.
func TestPlainWHEPPlayer(t *testing.T) {
	k := newKit(t, nil)
	p := k.play("?role=watch", func(o *player.Options) { o.NoChannels = true })
	until(t, "30 frames", func() bool { return p.Report().Frames >= 30 })
}

func TestResumeReplacesTheOwner(t *testing.T) {
	k := newKit(t, nil)
	first := k.play("", nil)
	first.Press(0x1D)
	until(t, "held", func() bool { return k.app.count(func() int { return len(k.app.inputs) }) >= 3 })
	second := k.play("", nil)
	k.app.note(func() {
		if !slices.Equal(k.app.left, []string{"owner replaced"}) {
			t.Errorf("left: %v", k.app.left)
		}
	})
	until(t, "the old connection to end", func() bool { return !first.Report().Connected })
	second.Press(0x2C)
	until(t, "space held", func() bool {
		return k.app.count(func() int {
			return slices.IndexFunc(k.app.inputs, func(s input.State) bool { return s.Held(0x2C) })
		}) >= 0
	})
	k.app.note(func() {
		for i := 1; i < len(k.app.inputs); i++ {
			if !input.Newer(k.app.inputs[i].Seq, k.app.inputs[i-1].Seq) {
				t.Errorf("after the reload state %d came after %d", k.app.inputs[i].Seq, k.app.inputs[i-1].Seq)
			}
		}
		if i := slices.IndexFunc(k.app.inputs, func(s input.State) bool { return s.Flags == 0 && s.Idle() }); i < 0 {
			t.Error("what the old page held was not let go")
		}
	})
	until(t, "acknowledged in the new page's numbers", func() bool { r := second.Report(); return r.InputsAcked > 0 && r.InputsAcked <= r.InputsSent })
}

func TestSeatsAndRoom(t *testing.T) {
	k := newKit(t, nil)
	k.play("", nil)
	p := k.play("?role=play&seat=1", nil)
	p.Press(0x04)
	until(t, "input at seat 2", func() bool { return k.app.count(func() int { return slices.Index(k.app.seats, 1) }) >= 0 })
	offer := offerOf(t)
	if _, _, _, err := k.session.Answer(t.Context(), Join{Role: RolePlay, Seat: 1, Offer: offer}); !errors.Is(err, ErrSeat) {
		t.Errorf("a taken seat: %v", err)
	}
	for range DefaultMaxPeers - 2 {
		if _, _, _, err := k.session.Answer(t.Context(), Join{Role: RoleWatch, Offer: offerOf(t)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := k.session.Answer(t.Context(), Join{Role: RoleWatch, Offer: offer}); !errors.Is(err, ErrFull) {
		t.Errorf("one viewer too many: %v", err)
	}
}

func TestICERestart(t *testing.T) {
	k := newKit(t, nil)
	p := k.play("", nil)
	ctx := t.Context()
	if err := p.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	n := p.Report().Frames
	until(t, "frames after the restart", func() bool { return p.Report().Frames > n+60 })
	if r := p.Report(); len(r.Errors) > 0 || r.Decodable != r.Frames {
		t.Errorf("%v; %d of %d frames can be decoded", r.Errors, r.Decodable, r.Frames)
	}
	until(t, "its one connection", func() bool { st := k.session.Stats(); return len(st.Peers) == 1 && st.Peers[0].Connected })
}

func TestByeAndRemove(t *testing.T) {
	k := newKit(t, nil)
	owner, viewer := k.play("", nil), k.play("?role=watch", nil)
	until(t, "welcomes", func() bool { return owner.Report().Welcome.V == 1 && viewer.Report().Welcome.V == 1 })
	for _, p := range k.session.Stats().Peers {
		if p.Role == RoleWatch {
			if err := k.session.Remove(p.Peer, control.ByeEvicted, "The player wants to be alone."); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "the viewer's bye", func() bool { b := viewer.Report().Bye; return b != nil && b.Code == control.ByeEvicted })
	k.session.Bye(control.ByeShutdown, "The machine is being switched off.")
	if err := k.session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the owner's bye", func() bool { b := owner.Report().Bye; return b != nil && b.Code == control.ByeShutdown })
	if err := k.session.WriteVideo(picture(true, 10), true, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("a picture after the end: %v", err)
	}
	if _, _, _, err := k.session.Answer(t.Context(), Join{Role: RoleWatch, Offer: offerOf(t)}); !errors.Is(err, ErrClosed) {
		t.Errorf("an offer after the end: %v", err)
	}
	if err := k.session.Remove("none", "", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("remove after the end: %v", err)
	}
}

// Close returns when every connection is closed, those too that somebody else is just
// taking off the list.
func TestCloseWaitsForWhoIsLeaving(t *testing.T) {
	k := newKit(t, nil)
	p, err := k.session.newPeer(Join{Role: RoleOwner})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.session.add(p); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock() // who leaves gets no further than off the list
	removed := make(chan error, 1)
	go func() { removed <- k.session.Remove(p.id, "", "") }()
	until(t, "off the list", func() bool { return len(*k.session.peers.Load()) == 0 })
	if err := errors.Join(holdsUp(t, "its peer was closed", k.session.Close, p.mu.Unlock), <-removed); err != nil {
		t.Error(err)
	}
	if st := p.pc.ConnectionState(); st != webrtc.PeerConnectionStateClosed {
		t.Errorf("its connection is %v", st)
	}
}

// slowly holds its app up in Joined until it is let go on.
type slowly struct {
	*app
	in, on chan struct{}
}

func (h slowly) Joined(peer string, r Role) {
	h.in <- struct{}{}
	<-h.on
	h.app.Joined(peer, r)
}

func (h slowly) Left(peer string, r Role, why string) {
	h.note(func() { h.joined = append(h.joined, "left") })
	h.app.Left(peer, r, why)
}

// Whoever leaves while the handler is being told that they came is said to leave after
// that, and Close waits for both.
func TestNobodyLeavesBeforeTheyJoined(t *testing.T) {
	k := newKit(t, nil)
	h := slowly{k.app, make(chan struct{}, 1), make(chan struct{})}
	s, err := k.engine.NewSession("5e56", h, SessionInfo{Width: 640, Height: 360, FPS: 60})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.newPeer(Join{Role: RoleOwner})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.add(p); err != nil {
		t.Fatal(err)
	}
	go p.state(webrtc.PeerConnectionStateConnected)
	<-h.in
	go p.state(webrtc.PeerConnectionStateClosed)
	until(t, "off the list", func() bool { return len(*s.peers.Load()) == 0 })
	until(t, "its connection is closed", func() bool { return p.pc.ConnectionState() == webrtc.PeerConnectionStateClosed })
	if err := holdsUp(t, "the handler was told", s.Close, func() { close(h.on) }); err != nil {
		t.Error(err)
	}
	k.app.note(func() {
		if want := []string{"owner", "left"}; !slices.Equal(k.app.joined, want) {
			t.Errorf("the handler was told %v, want %v", k.app.joined, want)
		}
	})
}

// A connection that ends while it is being answered is on no list that its end could take
// it off.
func TestWhoIsGoneBeforeTheAnswerLeaves(t *testing.T) {
	k := newKit(t, nil)
	p, err := k.session.newPeer(Join{Role: RoleOwner})
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	if err := k.session.add(p); err != nil {
		t.Fatal(err)
	}
	if n := len(*k.session.peers.Load()); n != 0 {
		t.Errorf("%d peers are on the list", n)
	}
	k.app.note(func() {
		if !slices.Equal(k.app.left, []string{"owner left"}) {
			t.Errorf("left: %v", k.app.left)
		}
	})
}

// A session whose Close ran out of time is still the engine's to wait for.
func TestEngineWaitsForSessionsThatCloseSlowly(t *testing.T) {
	k := newKit(t, nil)
	p, err := k.session.newPeer(Join{Role: RoleOwner})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.session.add(p); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock() // it cannot leave
	removed := make(chan error, 1)
	go func() { removed <- k.session.Remove(p.id, "", "") }()
	until(t, "off the list", func() bool { return len(*k.session.peers.Load()) == 0 })
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := k.session.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("close without time: %v", err)
	}
	if err := k.engine.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("the engine closed over a session that is closing: %v", err)
	}
	p.mu.Unlock()
	if err := <-removed; err != nil {
		t.Error(err)
	}
	until(t, "forgotten", func() bool {
		k.engine.mu.Lock()
		defer k.engine.mu.Unlock()
		return len(k.engine.sessions) == 0
	})
}

// None of a player's callbacks outlives its Stop.
func TestAPlayerStopsWithItsCallbacks(t *testing.T) {
	k := newKit(t, nil)
	in, on := make(chan struct{}, 1), make(chan struct{})
	p := k.play("", func(o *player.Options) {
		o.OnPicture = func([]byte, time.Time) {
			select {
			case in <- struct{}{}:
			default:
			}
			<-on
		}
	})
	<-in
	if err := holdsUp(t, "a picture had been looked at", p.Leave, func() { close(on) }); err != nil {
		t.Error(err)
	}
}
