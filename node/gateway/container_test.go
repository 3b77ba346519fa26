package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"google.golang.org/protobuf/proto"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/gpu/encode"
	"github.com/framemesh/framemesh/node/gateway/browsertest"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/input"
)

const cardW, cardH, cardFPS = 320, 180, 30

// fakeContainer is a container in one struct: it answers offers with pion, draws a
// card whose patch is white while KeyZ is held, and records every byte of input.
type fakeContainer struct {
	t       testing.TB
	key     crypto.PrivKey
	id      peer.ID
	indexer crypto.PrivKey
	inID    peer.ID
	role    mesh.Role
	tamper  func(answer string) string // what a gateway in the middle would do
	till    *fakeTill                  // nil: free

	mu      sync.Mutex
	session string
	inputs  [][]byte
	from    []int // by input: which connection brought it
	made    int   // connections, those that came to nothing too
	heard   []map[string]any
	peers   int
	frozen  bool // no media and no word any more, as after a power cut
	control *webrtc.DataChannel
	pcs     []*webrtc.PeerConnection
	proven  bool     // it keeps what pages sign
	signed  []string // of that, as it came
}

func newContainer(t testing.TB, seed byte) *fakeContainer {
	c := &fakeContainer{t: t, role: mesh.RoleOwner}
	c.key, c.id = testKey(t, seed)
	c.indexer, c.inID = testKey(t, seed+1)
	var s [16]byte
	_, _ = rand.Read(s[:])
	c.session = hex.EncodeToString(s[:])
	v, err := encode.Open(encode.Options{Width: cardW, Height: cardH, FPS: cardFPS})
	if err != nil {
		browsertest.Missing(t, "no H.264 encoder in this build: %v", err)
	}
	_ = v.Close()
	t.Cleanup(func() {
		c.mu.Lock()
		pcs := c.pcs
		c.mu.Unlock()
		for _, pc := range pcs {
			_ = pc.Close()
		}
	})
	return c
}

// token is the owner's; resume and the links check nothing more in this fake.
func (c *fakeContainer) token() string { return strings.Repeat("c0", 32) }

func (c *fakeContainer) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = true
}

// hangUp ends the newest connection, as a firewall that lets nothing through.
func (c *fakeContainer) hangUp() {
	c.mu.Lock()
	pc := c.pcs[len(c.pcs)-1]
	c.mu.Unlock()
	_ = pc.Close()
}

func (c *fakeContainer) thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = false
}

func (c *fakeContainer) isFrozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frozen
}

// states are the seat messages so far.
func (c *fakeContainer) states() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out [][]byte
	for _, b := range c.inputs {
		if len(b) > 0 && b[0] == 1 {
			out = append(out, b)
		}
	}
	return out
}

func (c *fakeContainer) slacks() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out [][]byte
	for _, b := range c.inputs {
		if len(b) > 0 && b[0] == 2 {
			out = append(out, b)
		}
	}
	return out
}

// last is the newest state of the connection that was heard last. The channel keeps no order: it
// is the numbers that tell which is newest.
func (c *fakeContainer) last() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	newest, from := make([]byte, input.StateSize), -1
	for i, b := range slices.Backward(c.inputs) {
		if len(b) != input.StateSize || b[0] != 1 || from >= 0 && c.from[i] != from {
			continue
		}
		if from < 0 || input.Newer(input.Seq(b), input.Seq(newest)) {
			newest, from = b, c.from[i]
		}
	}
	return newest
}

func (c *fakeContainer) messages(kind string) []map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []map[string]any
	for _, m := range c.heard {
		if m["t"] == kind {
			out = append(out, m)
		}
	}
	return out
}

func (c *fakeContainer) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peers
}

func (c *fakeContainer) say(m map[string]any) {
	c.mu.Lock()
	d, frozen := c.control, c.frozen
	c.mu.Unlock()
	if d == nil || frozen {
		return
	}
	b, _ := json.Marshal(m)
	_ = d.SendText(string(b))
}

// answer takes an offer and returns what the mesh would bring back.
func (c *fakeContainer) answer(role mesh.Role, offer string, player []byte, app string) (*mesh.Launched, error) {
	var se webrtc.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(defaultCodecs())).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	video, _ := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "video", "picture")
	audio, _ := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "sound")
	for _, tr := range []webrtc.TrackLocal{video, audio} {
		if _, err := pc.AddTrack(tr); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var begin sync.Once // a connection that was quiet for a while is connected once more
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			begin.Do(func() { go c.play(ctx, video, audio) })
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed:
			cancel()
		}
	})
	c.mu.Lock()
	c.made++
	nth := c.made
	c.mu.Unlock()
	pc.OnDataChannel(func(d *webrtc.DataChannel) { c.channel(d, role, nth) })
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return nil, err
	}
	a, err := pc.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(a); err != nil {
		return nil, err
	}
	<-gathered
	c.mu.Lock()
	c.peers++
	c.pcs = append(c.pcs, pc)
	n := c.peers
	c.mu.Unlock()

	sdp := pc.LocalDescription().SDP
	session, _ := hex.DecodeString(c.session)
	sum := sha256.Sum256([]byte(offer))
	held := &wire.AnswerProof{Container: []byte(c.id), SessionId: session, OfferSha256: sum[:], Fingerprint: fingerprint(sdp)}
	if c.till != nil {
		held.Terms = c.till.wire
	}
	proof, err := seal.Seal("testnet", seal.TypeAnswer, held, c.key)
	if err != nil {
		return nil, err
	}
	l := &mesh.Launched{Session: c.session, Peer: fmt.Sprintf("%04x", n), Container: c.id.String(), Role: role, Answer: sdp, Proof: proof,
		Timing: mesh.Timing{Match: 2 * time.Millisecond, Reserve: 3 * time.Millisecond, Signal: 9 * time.Millisecond}}
	if role == mesh.RoleOwner {
		l.OwnerToken, l.PlayToken, l.WatchToken = c.token(), "dd01", "ee01"
	}
	if app != "" { // a launch, not a join
		appID, _ := hex.DecodeString(app)
		req, _ := proto.Marshal(&wire.MatchRequest{AppSha256: appID, Player: player})
		l.Certificate, err = seal.Seal("testnet", seal.TypeMatch, &wire.Certificate{Indexer: []byte(c.inID), Request: req, Top: []*wire.Choice{{Container: []byte(c.id)}}, Drawn: [][]byte{[]byte(c.inID)}}, c.indexer)
	}
	if c.tamper != nil {
		l.Answer = c.tamper(l.Answer)
	}
	return l, err
}

func defaultCodecs() *webrtc.MediaEngine {
	m := &webrtc.MediaEngine{}
	_ = m.RegisterDefaultCodecs()
	return m
}

func fingerprint(sdp string) []byte {
	for line := range strings.Lines(sdp) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "a=fingerprint:sha-256 "); ok {
			b, _ := hex.DecodeString(strings.ReplaceAll(v, ":", ""))
			return b
		}
	}
	return nil
}

func (c *fakeContainer) channel(d *webrtc.DataChannel, role mesh.Role, nth int) {
	switch d.Label() {
	case "input":
		d.OnMessage(func(m webrtc.DataChannelMessage) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.inputs, c.from = append(c.inputs, append([]byte(nil), m.Data...)), append(c.from, nth)
		})
	case "control":
		d.OnOpen(func() {
			c.mu.Lock()
			c.control = d
			c.mu.Unlock()
			c.say(map[string]any{"t": "welcome", "v": 1, "session": c.session, "role": role, "seat": 0, "app": "Nova Reef", "width": cardW, "height": cardH, "fps": cardFPS, "encoder": "openh264", "container": c.id.String(), "proven": c.proven})
		})
		d.OnMessage(func(m webrtc.DataChannelMessage) {
			var v map[string]any
			if json.Unmarshal(m.Data, &v) != nil {
				return
			}
			c.mu.Lock()
			c.heard = append(c.heard, v)
			if v["t"] == "inputs" || v["t"] == "receipt" {
				c.signed = append(c.signed, string(m.Data))
			}
			c.mu.Unlock()
			switch v["t"] {
			case "open", "topup", "voucher":
				if c.till != nil {
					c.till.heard(m.Data)
				}
			case "ping":
				c.say(map[string]any{"t": "pong", "n": v["n"]})
			case "chat":
				c.say(map[string]any{"t": "chat", "from": "you", "text": v["text"]})
			case "pause":
				c.say(map[string]any{"t": "notice", "code": "paused", "text": "The game is paused."})
			case "resume":
				c.say(map[string]any{"t": "notice", "code": "resumed", "text": "The game goes on."})
			}
		})
	}
}

// held says whether KeyZ (HID 0x1D) is down in the newest state.
func (c *fakeContainer) held() bool { return c.last()[20+0x1D/8]&(1<<(0x1D%8)) != 0 }

// play codes and sends pictures and a tone until the connection ends.
func (c *fakeContainer) play(ctx context.Context, video, audio *webrtc.TrackLocalStaticSample) {
	enc, err := encode.Open(encode.Options{Width: cardW, Height: cardH, FPS: cardFPS, Bitrate: 1_500_000})
	if err != nil {
		return
	}
	defer enc.Close()
	tone, err := encode.OpenAudio(64000)
	if err != nil {
		return
	}
	defer tone.Close()
	pix, pcm := make([]byte, cardW*cardH*4), make([]int16, encode.PacketLen*encode.AudioChannels)
	tick := time.NewTicker(time.Second / cardFPS)
	defer tick.Stop()
	for n, samples := 0, 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.isFrozen() {
			continue
		}
		drawCard(pix, n, c.held())
		if n%cardFPS == 0 {
			enc.ForceKeyframe() // this fake does not listen to PLI
		}
		au, err := enc.Encode(encode.Frame{Pix: pix, Width: cardW, Height: cardH, Stride: cardW * 4})
		if err != nil {
			return
		}
		if len(au.Data) > 0 {
			_ = video.WriteSample(media.Sample{Data: au.Data, Duration: time.Second / cardFPS})
		}
		for ; samples < (n+1)*48000/cardFPS; samples += encode.PacketLen {
			for i := range encode.PacketLen {
				v := int16(6000 * math.Sin(2*math.Pi*440*float64(samples+i)/48000))
				pcm[2*i], pcm[2*i+1] = v, v
			}
			if p, err := tone.Encode(pcm); err == nil {
				_ = audio.WriteSample(media.Sample{Data: p, Duration: encode.PacketTime})
			}
		}
		if n%3 == 0 {
			b := c.last()
			seq := uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24
			c.say(map[string]any{"t": "ack", "seq": seq, "tick": n})
		}
		if n%cardFPS == cardFPS-1 && c.till != nil {
			c.till.second()
		}
		if n%cardFPS == 0 {
			c.say(map[string]any{"t": "stats", "tick": n, "fps": 30.0, "kbps": 900, "target_kbps": 1500, "draw_ms": 0.4, "convert_ms": 0.1, "encode_ms": 0.9, "send_ms": 0.1, "slack_ms": 1.1, "rtt_ms": 1, "loss": 0.0, "viewers": 1})
		}
	}
}

// drawCard draws a moving dusk with a patch at the left that is white while held.
func drawCard(pix []byte, n int, held bool) {
	for y := range cardH {
		for x := range cardW {
			o := (y*cardW + x) * 4
			pix[o], pix[o+1], pix[o+2], pix[o+3] = byte(30+(x+n)%cardW*120/cardW), byte(20+y*70/cardH), byte(90+(x+y+2*n)%240/3), 255
		}
	}
	v := byte(0)
	if held {
		v = 255
	}
	for y := 40; y < 80; y++ {
		for x := 20; x < 60; x++ {
			o := (y*cardW + x) * 4
			pix[o], pix[o+1], pix[o+2] = v, v, v
		}
	}
}
