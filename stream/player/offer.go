package player

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/pion/webrtc/v4"
)

// A player without a screen says to the container what the page in a browser would say: a
// container that could tell them apart by their offers would know who only looks whether it
// does its work. The text is that of Chromium with the page's choice of codecs; names of the
// connection and the certificate are this player's own. See docs/spec/quality.md.

// errOffer is a description of our own that lacks what every one has.
var errOffer = errors.New("player: the connection's description has no credentials")

// codec is a kind of H.264 as Chromium numbers it.
type codec struct {
	pt, rtx int
	mode    int // packetization
	profile string
}

// h264 are those that Chromium decodes, in its order.
var h264 = []codec{
	{102, 103, 1, "42001f"}, {104, 107, 0, "42001f"}, {108, 109, 1, "42e01f"}, {114, 115, 0, "42e01f"},
	{116, 117, 1, "4d001f"}, {39, 40, 0, "4d001f"}, {41, 42, 1, "f4001f"}, {43, 44, 0, "f4001f"},
}

const opus = 111

func (c codec) fmtp() string {
	return fmt.Sprintf("level-asymmetry-allowed=1;packetization-mode=%d;profile-level-id=%s", c.mode, c.profile)
}

// Extensions of RTP headers, numbered from 1 in this order.
var extensions = []string{
	"urn:ietf:params:rtp-hdrext:toffset",
	"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
	"urn:3gpp:video-orientation",
	"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
	"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
	"http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
	"http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
	"http://www.webrtc.org/experiments/rtp-hdrext/color-space",
	"urn:ietf:params:rtp-hdrext:sdes:mid",
	"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
	"urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
}

// audioExtensions are those of sound, with their numbers.
var audioExtensions = []struct {
	id  int
	uri string
}{{14, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, {2, extensions[1]}, {4, extensions[3]}, {9, extensions[8]}}

// register lets the connection take what the offer says it takes, under the same numbers.
func register(m *webrtc.MediaEngine) error {
	var errs []error
	for _, c := range h264 {
		errs = append(errs,
			m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(c.pt), RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: c.fmtp()}}, webrtc.RTPCodecTypeVideo),
			m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(c.rtx), RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", c.pt)}}, webrtc.RTPCodecTypeVideo))
	}
	errs = append(errs, m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: opus, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;stereo=1;useinbandfec=1"}}, webrtc.RTPCodecTypeAudio))
	for _, uri := range extensions {
		errs = append(errs, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo))
	}
	return errors.Join(errs...)
}

// credentials are those of a connection as its own description gives them.
type credentials struct{ ufrag, pwd, fingerprint string }

func credentialsOf(sdp string) (c credentials, err error) {
	for line := range strings.SplitSeq(sdp, "\n") {
		line = strings.TrimRight(line, "\r")
		for prefix, into := range map[string]*string{"a=ice-ufrag:": &c.ufrag, "a=ice-pwd:": &c.pwd, "a=fingerprint:": &c.fingerprint} {
			if v, ok := strings.CutPrefix(line, prefix); ok {
				*into = v
			}
		}
	}
	if c.ufrag == "" || c.pwd == "" || c.fingerprint == "" {
		return c, errOffer
	}
	return c, nil
}

// offerOf is the offer that Chromium would make with a connection's credentials: pictures,
// sound and channels in one bundle, no candidates yet.
func offerOf(local string) (string, error) {
	c, err := credentialsOf(local)
	if err != nil {
		return "", err
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	transport := func(mid int) {
		for _, s := range []string{"ice-ufrag:" + c.ufrag, "ice-pwd:" + c.pwd, "ice-options:trickle", "fingerprint:" + c.fingerprint, "setup:actpass"} {
			say("a=%s", s)
		}
		say("a=mid:%d", mid)
	}
	media := func(kind string, pts string, mid int) {
		say("m=%s 9 UDP/TLS/RTP/SAVPF %s", kind, pts)
		say("c=IN IP4 0.0.0.0")
		say("a=rtcp:9 IN IP4 0.0.0.0")
		transport(mid)
	}
	receive := func() {
		for _, s := range []string{"recvonly", "rtcp-mux", "rtcp-rsize", "rtcp-xr:rcvr-rtt=all"} {
			say("a=%s", s)
		}
	}
	say("v=0")
	say("o=- %d 2 IN IP4 127.0.0.1", binary.BigEndian.Uint64(id[:])>>1)
	say("s=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS")

	pts := make([]string, 0, 2*len(h264))
	for _, h := range h264 {
		pts = append(pts, fmt.Sprintf("%d %d", h.pt, h.rtx))
	}
	media("video", strings.Join(pts, " "), 0)
	for i, uri := range extensions {
		say("a=extmap:%d %s", i+1, uri)
	}
	receive()
	for _, h := range h264 {
		say("a=rtpmap:%d H264/90000", h.pt)
		for _, fb := range []string{"goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"} {
			say("a=rtcp-fb:%d %s", h.pt, fb)
		}
		say("a=fmtp:%d %s", h.pt, h.fmtp())
		say("a=rtpmap:%d rtx/90000", h.rtx)
		say("a=fmtp:%d apt=%d", h.rtx, h.pt)
	}

	media("audio", fmt.Sprint(opus), 1)
	for _, e := range audioExtensions {
		say("a=extmap:%d %s", e.id, e.uri)
	}
	receive()
	say("a=rtpmap:%d opus/48000/2", opus)
	say("a=rtcp-fb:%d transport-cc", opus)
	say("a=fmtp:%d minptime=10;stereo=1;useinbandfec=1", opus)

	say("m=application 9 UDP/DTLS/SCTP webrtc-datachannel")
	say("c=IN IP4 0.0.0.0")
	transport(2)
	say("a=sctp-port:5000")
	say("a=max-message-size:262144")
	return b.String(), nil
}

// Lengths of the names that a browser gives a connection.
const (
	ufragLen = 4
	pwdLen   = 24
	iceChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// name makes a random one of n characters.
func name(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = iceChars[b[i]%64]
	}
	return string(b)
}
