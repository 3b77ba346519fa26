package stream

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/player"
)

// rawPeer is a peer connection that offers what a page would, and sends what it likes.
func rawPeer(t testing.TB) (*webrtc.PeerConnection, *webrtc.DataChannel, *webrtc.DataChannel) {
	t.Helper()
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	in, err := pc.CreateDataChannel("input", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctl, err := pc.CreateDataChannel("control", nil)
	if err != nil {
		t.Fatal(err)
	}
	return pc, in, ctl
}

func offerOf(t testing.TB) string {
	pc, _, _ := rawPeer(t)
	o, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	return o.SDP
}

func (k *kit) answerRaw(pc *webrtc.PeerConnection, r Role) {
	k.t.Helper()
	o, err := pc.CreateOffer(nil)
	if err == nil {
		err = pc.SetLocalDescription(o)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	_, answer, print, err := k.session.Answer(k.t.Context(), Join{Role: r, Offer: o.SDP})
	if err != nil {
		k.t.Fatal(err)
	}
	if print != k.engine.Fingerprint() || !strings.Contains(answer, "a=candidate:") || !strings.Contains(answer, "127.0.0.1") {
		k.t.Errorf("answer without the fingerprint or the host candidate:\n%s", answer)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		k.t.Fatal(err)
	}
}

func TestOffersRefused(t *testing.T) {
	k := newKit(t, nil)
	good := offerOf(t)
	for name, c := range map[string]struct {
		join Join
		want error
	}{
		"empty":          {Join{Role: RoleOwner}, ErrOffer},
		"junk":           {Join{Role: RoleOwner, Offer: "v=0\r\nm=\x00"}, ErrOffer},
		"no media":       {Join{Role: RoleOwner, Offer: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"}, ErrOffer},
		"no fingerprint": {Join{Role: RoleOwner, Offer: strings.ReplaceAll(good, "a=fingerprint", "a=x")}, ErrOffer},
		"no H.264":       {Join{Role: RoleOwner, Offer: strings.ReplaceAll(good, "H264", "H299")}, ErrOffer},
		"too large":      {Join{Role: RoleOwner, Offer: good + strings.Repeat("a=x\r\n", MaxOffer/5)}, ErrTooLarge},
		"candidates":     {Join{Role: RoleOwner, Offer: good + strings.Repeat("a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n", MaxCandidates+1)}, ErrTooLarge},
		"role":           {Join{Role: "king", Offer: good}, ErrOffer},
		"seat":           {Join{Role: RolePlay, Seat: 4, Offer: good}, ErrSeat},
		"truncated":      {Join{Role: RoleOwner, Offer: good[:len(good)/3]}, ErrOffer},
	} {
		if _, _, _, err := k.session.Answer(t.Context(), c.join); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if st := k.session.Stats(); len(st.Peers) != 0 {
		t.Errorf("refused offers left %d peers", len(st.Peers))
	}
}

func TestMessagesRefusedAndCounted(t *testing.T) {
	k := newKit(t, still)
	pc, in, ctl := rawPeer(t)
	open := make(chan struct{}, 2)
	in.OnOpen(func() { open <- struct{}{} })
	ctl.OnOpen(func() { open <- struct{}{} })
	extra, err := pc.CreateDataChannel("other", nil)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	extra.OnClose(func() { close(closed) })
	k.answerRaw(pc, RoleOwner)
	for range 2 {
		select {
		case <-open:
		case <-time.After(patience):
			t.Fatal("channels do not open")
		}
	}
	state := make([]byte, 72)
	state[0], state[4] = 1, 9
	bad := 0
	for _, b := range [][]byte{{}, {0}, {9, 9}, make([]byte, 72), state[:71], append([]byte{1, 7}, state[2:]...), {2, 0, 0, 0, 0, 0, 0xC0, 0x7F, 0, 0, 0, 0}, make([]byte, 30000)} {
		if err := in.Send(b); err != nil {
			t.Fatal(err)
		}
		bad++
	}
	for _, s := range []string{"", "{", `{"t":"welcome"}`, `{"t":"chat","text":""}`, strings.Repeat("x", 5000)} {
		if err := ctl.SendText(s); err != nil {
			t.Fatal(err)
		}
		bad++
	}
	refusals := func() int { return int(k.session.Stats().Peers[0].Refused) }
	until(t, "all refused, and the channel of another name", func() bool { return refusals() == bad+1 })
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("a channel of another name stays open")
	}
	if n := k.app.count(func() int { return len(k.app.inputs) }); n != 0 {
		t.Errorf("%d junk messages reached the app", n)
	}
	if err := in.Send(state); err != nil {
		t.Fatal(err)
	}
	until(t, "a good state still arrives", func() bool { return k.app.count(func() int { return len(k.app.inputs) }) == 1 })
	if err := in.Send(state); err != nil { // the same number again
		t.Fatal(err)
	}
	until(t, "a repeat is refused", func() bool { return refusals() == bad+2 })

	// A flood: no more than the limit gets through.
	for i := range 2000 {
		state[4], state[5] = byte(i+10), byte((i+10)>>8)
		if err := in.Send(state); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the flood to be counted", func() bool {
		p := k.session.Stats().Peers[0]
		return int(p.Refused+p.Inputs) >= bad+3+2000
	})
	if p := k.session.Stats().Peers[0]; p.Inputs > inputRate/4 {
		t.Errorf("%d of 2000 messages in a burst were accepted", p.Inputs)
	}
	if err := k.session.AddCandidates("none", "a=mid:0"); !errors.Is(err, ErrNoPeer) {
		t.Errorf("fragment of a stranger: %v", err)
	}
	id := k.session.Stats().Peers[0].Peer
	cand := "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
	for name, c := range map[string]struct {
		frag string
		want error
	}{
		"junk": {"<html>", ErrFragment}, "size": {strings.Repeat("a", MaxFragment+1), ErrTooLarge},
		"candidates": {strings.Repeat(cand, 33) + strings.Repeat(cand, 33), ErrFragment}, "bad candidate": {"a=candidate:1 1 udp x 127.0.0.1 9 typ host\r\n", ErrFragment},
	} {
		if err := k.session.AddCandidates(id, c.frag); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := k.session.AddCandidates(id, strings.Repeat(cand, 40)); err != nil {
		t.Errorf("good candidates: %v", err)
	}
	if err := k.session.AddCandidates(id, strings.Repeat(cand, 40)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("candidates beyond the budget of a peer: %v", err)
	}
	if _, err := k.session.Restart(id, "a=mid:0\r\n"); !errors.Is(err, ErrFragment) {
		t.Errorf("restart without credentials: %v", err)
	}
}

// Sessions come and go and leave nothing behind.
func TestNoGoroutineIsLeftBehind(t *testing.T) {
	e, err := NewEngine(Config{LoopbackOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	once := func() {
		k := &kit{t: t, engine: e, app: &app{}}
		s, err := e.NewSession("5e55", k.app, SessionInfo{Width: 640, Height: 360, FPS: 60})
		if err != nil {
			t.Fatal(err)
		}
		k.session = s
		pc, _, ctl := rawPeer(t)
		opened := make(chan struct{})
		ctl.OnOpen(func() { close(opened) })
		k.answerRaw(pc, RoleOwner)
		select {
		case <-opened:
		case <-time.After(patience):
			t.Fatal("not connected")
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := pc.GracefulClose(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		once()
	}
	before := runtime.NumGoroutine()
	for range 50 {
		once()
	}
	until(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before+2 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := e.NewSession("x", &app{}, SessionInfo{Width: 1, Height: 1, FPS: 1}); !errors.Is(err, ErrClosed) {
		t.Errorf("a session of a closed engine: %v", err)
	}
}

func TestPlayerRefusesAnUnverifiedAnswer(t *testing.T) {
	k := newKit(t, nil)
	wrong := errors.New("signed by somebody else")
	_, err := player.Play(t.Context(), player.Options{URL: k.url, Verify: func(offer, answer string, _ http.Header) error {
		if !strings.Contains(offer, "recvonly") || !strings.Contains(answer, "sendonly") {
			t.Error("not an offer and its answer")
		}
		return wrong
	}})
	if !errors.Is(err, player.ErrVerify) || !errors.Is(err, wrong) {
		t.Errorf("%v", err)
	}
	if n := k.app.count(func() int { return len(k.app.joined) }); n != 0 {
		t.Error("it connected nonetheless")
	}
}
