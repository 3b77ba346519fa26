package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	xrate "golang.org/x/time/rate"

	"github.com/framemesh/framemesh/stream/sdpfrag"
)

// What is sent to a peer.
const (
	flowNone    = iota // not connected
	flowWaiting        // connected, waits for a key frame
	flowOn
)

// peer is one peer connection.
type peer struct {
	s    *Session
	id   string
	role Role
	seat int // -1 for those who watch

	pc    *webrtc.PeerConnection
	est   cc.BandwidthEstimator
	video *outgoing
	audio *outgoing
	flow  atomic.Int32

	control atomic.Pointer[webrtc.DataChannel]
	hasIn   atomic.Bool
	welcome atomic.Bool
	saidBye atomic.Bool

	inputs, refusals atomic.Uint64
	loss             lossMeter
	made             time.Time

	inputLimit, controlLimit, cellLimit *xrate.Limiter

	// Of the session's beat alone.
	ackSent  bool
	ackedSeq uint32

	mu         sync.Mutex // guards what follows; never held while pion is called
	retired    bool
	joined     bool
	candidates int

	told chan struct{} // closed when the handler was told that it joined

	seats seatInput

	greeting sync.Mutex // one welcome at a time
	key      string     // of the hello; the control channel's reader's

	signal sync.Mutex // one signalling step at a time
	offer  string     // the newest, with the newest ICE credentials
}

func newPeer(s *Session, id string, j Join, pc *webrtc.PeerConnection, est cc.BandwidthEstimator) *peer {
	return &peer{
		s: s, id: id, role: j.Role, seat: j.Seat, pc: pc, est: est, video: newVideo(), audio: newAudio(), made: s.now(),
		inputLimit: xrate.NewLimiter(inputRate, inputRate/4), controlLimit: xrate.NewLimiter(controlRate, controlRate), cellLimit: xrate.NewLimiter(1, 1),
		candidates: strings.Count(j.Offer, "a=candidate:"), told: make(chan struct{}),
	}
}

// answer does the offer-answer exchange. Candidates of this machine are gathered within
// a few milliseconds, and nothing connects without one; only STUN and TURN servers are not
// waited for long.
func (p *peer) answer(ctx context.Context, offer string) (answer string, err error) {
	// Offers come from strangers' browsers through a parser that is not ours.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrOffer, r)
		}
	}()
	p.signal.Lock()
	defer p.signal.Unlock()
	for _, t := range []*outgoing{p.video, p.audio} {
		if t.kind == webrtc.RTPCodecTypeAudio && !strings.Contains(offer, "m=audio") {
			continue
		}
		sender, err := p.pc.AddTrack(t)
		if err != nil {
			return "", fmt.Errorf("stream: add track: %w", err)
		}
		p.s.wg.Go(func() { p.readRTCP(sender) })
	}
	p.pc.OnDataChannel(p.channel)
	p.pc.OnConnectionStateChange(p.state)
	if answer, err = p.exchange(ctx, offer); err != nil {
		return "", err
	}
	if !acceptsVideo(answer) {
		return "", fmt.Errorf("%w: it takes no H.264 video (constrained baseline, packetization-mode 1); use a browser that plays H.264", ErrOffer)
	}
	p.offer = offer
	return answer, nil
}

func (p *peer) exchange(ctx context.Context, offer string) (string, error) {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("%w: %v", ErrOffer, err)
	}
	a, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrOffer, err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(a); err != nil {
		return "", fmt.Errorf("%w: %v", ErrOffer, err)
	}
	timer := time.NewTicker(gatherWait)
	defer timer.Stop()
	for {
		select {
		case <-gathered:
			return p.pc.LocalDescription().SDP, nil
		case <-timer.C: // what is there must do
			if sdp := p.pc.LocalDescription().SDP; strings.Contains(sdp, "a=candidate:") {
				return sdp, nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("stream: answer: %w", ctx.Err())
		}
	}
}

// acceptsVideo reports whether the answer has a video section that sends.
func acceptsVideo(answer string) bool {
	in := false
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, "m="); ok {
			in = strings.HasPrefix(rest, "video ") && !strings.HasPrefix(rest, "video 0 ")
		}
		if in && (line == "a=sendonly" || line == "a=sendrecv") {
			return true
		}
	}
	return false
}

// parseFragment checks a fragment and counts its candidates against the peer's budget.
func (p *peer) parseFragment(fragment string) (*sdpfrag.Fragment, error) {
	if len(fragment) > MaxFragment {
		return nil, fmt.Errorf("%w: a fragment of %d bytes, at most %d", ErrTooLarge, len(fragment), MaxFragment)
	}
	f, err := sdpfrag.Parse(fragment)
	if err != nil {
		p.refusals.Add(1)
		return nil, fmt.Errorf("%w: %v", ErrFragment, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.candidates+len(f.Candidates()) > MaxCandidates {
		p.refusals.Add(1)
		return nil, fmt.Errorf("%w: more than %d candidates", ErrTooLarge, MaxCandidates)
	}
	p.candidates += len(f.Candidates())
	return f, nil
}

func (p *peer) addCandidates(fragment string) error {
	f, err := p.parseFragment(fragment)
	if err != nil {
		return err
	}
	p.signal.Lock()
	defer p.signal.Unlock()
	for _, m := range f.Media {
		for _, c := range m.Candidates {
			if err := p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c}); err != nil {
				p.refusals.Add(1)
				return fmt.Errorf("%w: candidate: %v", ErrFragment, err)
			}
		}
	}
	return nil
}

// restart answers new ICE credentials by replaying the offer with them.
func (p *peer) restart(fragment string) (answer string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrFragment, r)
		}
	}()
	f, err := p.parseFragment(fragment)
	if err != nil {
		return "", err
	}
	p.signal.Lock()
	defer p.signal.Unlock()
	offer, err := f.Apply(p.offer)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrFragment, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), restartWithin)
	defer cancel()
	sdp, err := p.exchange(ctx, offer)
	if err != nil {
		return "", err
	}
	back, err := sdpfrag.FromSDP(sdp)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrFragment, err)
	}
	p.offer = offer
	return back.String(), nil
}

// state follows the connection. Pion calls it from a goroutine of its own for each change,
// so that changes may overtake one another, and the end of the connection too.
func (p *peer) state(st webrtc.PeerConnectionState) {
	switch st {
	case webrtc.PeerConnectionStateConnected:
		p.flow.CompareAndSwap(flowNone, flowWaiting)
		p.tryJoin()
	case webrtc.PeerConnectionStateFailed:
		p.s.drop(p, "lost", nil)
	case webrtc.PeerConnectionStateClosed:
		p.s.drop(p, "left", nil)
	}
}

// admitted is told when the peer is on the session's list. It may be connected by then, or
// over again.
func (p *peer) admitted() { p.state(p.pc.ConnectionState()) }

// tryJoin reports the peer as joined once it is both admitted and connected.
func (p *peer) tryJoin() {
	if p.flow.Load() == flowNone || p.s.begin() != nil {
		return
	}
	defer p.s.wg.Done()
	if q, err := p.s.find(p.id); err != nil || q != p {
		return
	}
	p.mu.Lock()
	first := !p.joined && !p.retired
	p.joined = p.joined || first
	p.mu.Unlock()
	if !first {
		return
	}
	defer close(p.told)
	p.s.engine.metrics.joins.WithLabelValues(string(p.role)).Inc()
	p.s.handler.Joined(p.id, p.role)
	p.s.wantKey(true)
	if p.role != RoleOwner {
		p.s.noticeExcept(p, noticeJoined(p.role))
	}
}

// retire stops what the peer may still do and reports whether it had joined. What it
// held is let go.
func (p *peer) retire() (joined bool) {
	p.flow.Store(flowNone)
	p.mu.Lock()
	p.retired, joined = true, p.joined
	p.mu.Unlock()
	p.releaseSeats()
	return joined
}

// readRTCP serves one track until its connection closes.
func (p *peer) readRTCP(sender *webrtc.RTPSender) {
	buf := make([]byte, 1500)
	for {
		n, attr, err := sender.Read(buf)
		if err != nil {
			return
		}
		packets, err := attr.GetRTCPPackets(buf[:n])
		if err != nil {
			p.refuse("rtcp", errKind)
			continue
		}
		for _, pkt := range packets {
			switch r := pkt.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.s.engine.metrics.plis.Inc()
				if p.flow.Load() == flowOn {
					p.s.wantKey(false)
				}
			case *rtcp.TransportLayerCC:
				p.loss.feedback(p.s.now(), r)
			}
		}
	}
}

// estimate is what the delay gradient allows, bits per second, and whether it sees a
// queue build up. The estimator's own loss law is left out: it takes packets that it
// has forgotten, and the filling of a feedback's last chunk, for lost ones.
func (p *peer) estimate() (bps int, overuse bool) {
	st := p.est.GetStats()
	usage, _ := st["usage"].(string)
	if bps, _ = st["delayTargetBitrate"].(int); bps <= 0 {
		return p.est.GetTargetBitrate(), false // nothing was heard yet
	}
	return bps, usage == "overuse"
}

// rtt is the round trip of the last connectivity check.
func (p *peer) rtt() time.Duration {
	t := p.pc.SCTP()
	if t == nil {
		return 0
	}
	st, ok := t.Transport().ICETransport().GetSelectedCandidatePairStats()
	if !ok {
		return 0
	}
	return time.Duration(st.CurrentRoundTripTime * float64(time.Second))
}

// refuse counts a message that was not followed.
func (p *peer) refuse(channel string, err error) {
	p.refusals.Add(1)
	p.s.refused(channel, err)
}

// farewell sends a bye, if any, and waits until it is delivered, or one that was sent
// before. Acknowledgements are delayed by 200 ms, so there is no waiting without cause.
func (p *peer) farewell(bye []byte) {
	if bye != nil {
		p.sendRaw(bye)
		p.saidBye.Store(true)
	}
	dc := p.control.Load()
	if dc == nil || !p.saidBye.Load() || dc.ReadyState() != webrtc.DataChannelStateOpen {
		return
	}
	// In ticks and not by the clock: on a machine that stood still for longer, what is to be
	// sent gets its turn all the same.
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for n := 0; n < int(farewell/step) && dc.BufferedAmount() > 0; n++ {
		<-tick.C
	}
}

func (p *peer) close() {
	if err := p.pc.GracefulClose(); err != nil && !errors.Is(err, webrtc.ErrConnectionClosed) {
		p.s.engine.config.Log.Debug("peer connection closed", "session", p.s.id, "peer", p.id, "error", err)
	}
}
