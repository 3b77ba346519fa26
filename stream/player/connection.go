package player

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/sdpfrag"
)

// pliEvery is the least time between two requests for a key frame.
const pliEvery = 200 * time.Millisecond

// connection makes the peer connection with what a page would offer.
func (p *Player) connection() error {
	m := &webrtc.MediaEngine{}
	reg := &interceptor.Registry{}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	err := errors.Join(
		register(m),
		webrtc.ConfigureNackWithOptions(m, reg, []nack.GeneratorOption{nack.WithGeneratorLoggerFactory(quiet)}, nack.WithResponderLoggerFactory(quiet)),
		webrtc.ConfigureRTCPReportsWithOptions(reg, []report.ReceiverOption{report.WithReceiverLoggerFactory(quiet)}, report.WithSenderLoggerFactory(quiet)),
		webrtc.ConfigureTWCCSenderWithOptions(m, reg, twcc.WithLoggerFactory(quiet)),
	)
	if err != nil {
		return fmt.Errorf("player: codecs: %w", err)
	}
	s := webrtc.SettingEngine{LoggerFactory: quiet}
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetPrflxAcceptanceMinWait(50 * time.Millisecond)
	if p.opt.Discreet {
		s.SetICECredentials(name(ufragLen), name(pwdLen))
	}
	if loopback(p.opt.URL) {
		s.SetIncludeLoopbackCandidate(true)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(reg), webrtc.WithSettingEngine(s))
	if p.pc, err = api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle}); err != nil {
		return fmt.Errorf("player: new peer connection: %w", err)
	}
	p.gathered = webrtc.GatheringCompletePromise(p.pc)
	p.pc.OnICECandidate(p.candidate)
	p.pc.OnConnectionStateChange(p.state)
	p.pc.OnTrack(p.track)
	recv := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	for _, k := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := p.pc.AddTransceiverFromKind(k, recv); err != nil {
			return fmt.Errorf("player: receive %s: %w", k, err)
		}
	}
	if p.opt.NoChannels {
		return nil
	}
	return p.channels()
}

func (p *Player) channels() error {
	unordered, none := false, uint16(0)
	in, err := p.pc.CreateDataChannel("input", &webrtc.DataChannelInit{Ordered: &unordered, MaxRetransmits: &none})
	if err != nil {
		return fmt.Errorf("player: input channel: %w", err)
	}
	p.inputs = newInputs(in, &p.tally)
	if !p.opt.NoSlack {
		p.display = newDisplay(in, &p.tally)
	}
	if p.control, err = p.pc.CreateDataChannel("control", nil); err != nil {
		return fmt.Errorf("player: control channel: %w", err)
	}
	p.control.OnOpen(func() {
		p.say(control.Hello{V: control.Version, Key: p.opt.Key})
		close(p.talking)
	})
	p.control.OnMessage(func(m webrtc.DataChannelMessage) {
		msg, err := control.FromContainer(m.Data)
		if err != nil {
			p.tally.fail(err.Error())
			return
		}
		p.tally.message(msg)
		switch m := msg.(type) {
		case control.Escrow, control.Pay:
			p.bill(msg)
		case control.Segment:
			if w := p.opt.Witness; w != nil {
				w.Told(m)
			}
		}
		if p.opt.OnMessage != nil {
			p.opt.OnMessage(msg)
		}
		if p.opt.OnNotice == nil {
			return
		}
		switch msg := msg.(type) {
		case control.Notice:
			p.opt.OnNotice(msg.Code, msg.Text)
		case control.Bye:
			p.opt.OnNotice(msg.Code, msg.Text)
		}
	})
	return nil
}

// say sends a control message.
func (p *Player) say(m control.Message) {
	b, err := control.Encode(m)
	if err == nil {
		err = p.control.SendText(string(b))
	}
	if err != nil {
		p.tally.fail("control: " + err.Error())
	}
}

// Say sends a control message, such as a chat, a ping or the wish to pause.
func (p *Player) Say(m control.Message) { p.say(m) }

// loopback reports whether the endpoint is on this machine, where a loopback candidate
// is of use.
func loopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	h := u.Hostname()
	ip := net.ParseIP(h)
	return h == "localhost" || ip != nil && ip.IsLoopback()
}

// candidate trickles what was found after the offer had left.
func (p *Player) candidate(c *webrtc.ICECandidate) {
	if c == nil {
		return
	}
	line := c.ToJSON().Candidate
	if !strings.HasPrefix(line, "candidate:") {
		line = "candidate:" + line
	}
	p.mu.Lock()
	p.trickled = append(p.trickled, line)
	p.mu.Unlock()
}

// trickle sends the candidates that were not in the offer, once all are found. Mostly
// it comes too late to matter: the container has learnt the address from the player's
// own checks.
func (p *Player) trickle() {
	select {
	case <-p.gathered:
	case <-p.ctx.Done():
		return
	}
	p.mu.Lock()
	found := p.trickled
	p.trickled = nil
	sdp := p.pc.LocalDescription().SDP
	p.mu.Unlock()
	if len(found) == 0 {
		return
	}
	f, err := sdpfrag.FromSDP(sdp)
	if err != nil {
		p.tally.fail(err.Error())
		return
	}
	f.Media[0].Candidates = found
	if _, _, _, err := p.patch(p.ctx, f.String()); err != nil && p.ctx.Err() == nil {
		p.tally.fail("trickle: " + err.Error())
	}
}

// state follows the connection. Pion calls it from a goroutine of its own for each change,
// so that changes may overtake one another: what holds is what the connection says now.
func (p *Player) state(st webrtc.PeerConnectionState) {
	t := &p.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Connected = p.pc.ConnectionState() == webrtc.PeerConnectionStateConnected
	if st == webrtc.PeerConnectionStateConnected {
		t.r.Connections++
		t.connected(time.Now())
	}
}

// enter counts a goroutine that this player has not begun among those that Stop waits for;
// Done of wg must follow. It is false once Stop was called.
func (p *Player) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return false
	default:
	}
	p.wg.Add(1)
	return true
}

// track reads what comes until the connection closes, on a goroutine of pion's that Stop
// waits for.
func (p *Player) track(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	if !p.enter() {
		return
	}
	defer p.wg.Done()
	if track.Kind() == webrtc.RTPCodecTypeAudio {
		p.audio(track)
		return
	}
	p.video(track)
}

func (p *Player) audio(track *webrtc.TrackRemote) {
	for {
		pkt, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		p.tally.mu.Lock()
		p.tally.r.AudioPackets++
		p.tally.r.AudioBytes += uint64(len(pkt.Payload))
		p.tally.mu.Unlock()
	}
}

func (p *Player) video(track *webrtc.TrackRemote) {
	var a assembler
	var asked time.Time
	for {
		pkt, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		now := time.Now()
		broken := a.push(pkt, func(f frame) {
			if p.tally.frame(now, f) {
				close(p.shown)
			}
			if p.display != nil {
				p.display.frame(now)
			}
			if p.opt.OnPicture != nil && f.decodable {
				p.opt.OnPicture(f.data, now)
			}
		})
		p.tally.mu.Lock()
		p.tally.r.VideoBytes += uint64(len(pkt.Payload))
		p.tally.r.PacketsLost = a.lost
		p.tally.packets++
		p.tally.mu.Unlock()
		if broken && now.Sub(asked) > pliEvery && a.lost > 0 {
			asked = now
			// One that does not arrive is sent again with the next packet.
			_ = p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}})
		}
	}
}
