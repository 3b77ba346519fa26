package stream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

var (
	h264 = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: videoClock,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}
	opus = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: audioClock, Channels: 2,
		SDPFmtpLine: "minptime=10;useinbandfec=1"}
)

// playoutNow is the playout-delay extension min = max = 0: without it Chromium holds
// each frame back for 29 ms.
var playoutNow = []byte{0, 0, 0}

// outgoing is the end of a session's pictures or sound at one peer. It is a
// [webrtc.TrackLocal] of one connection: header extensions have other numbers at other
// peers, and sequence numbers must not show a gap where a peer was not yet sent to.
type outgoing struct {
	codec        webrtc.RTPCodecCapability
	kind         webrtc.RTPCodecType
	id, streamID string
	bound        atomic.Pointer[binding]
}

// binding is what was negotiated. Its header is reused for every packet: all that
// pion does with it is done when WriteRTP returns.
type binding struct {
	writer webrtc.TrackLocalWriter
	header rtp.Header
}

var _ webrtc.TrackLocal = (*outgoing)(nil)

// Pictures and sound are in MediaStreams of their own: in one stream, pages delay
// pictures until the sound that belongs to them is due.
func newVideo() *outgoing {
	return &outgoing{codec: h264, kind: webrtc.RTPCodecTypeVideo, id: "video", streamID: "picture"}
}

func newAudio() *outgoing {
	return &outgoing{codec: opus, kind: webrtc.RTPCodecTypeAudio, id: "audio", streamID: "sound"}
}

// Bind is called by pion once the codecs are agreed.
func (o *outgoing) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, p := range c.CodecParameters() {
		if !strings.EqualFold(p.MimeType, o.codec.MimeType) {
			continue
		}
		b := &binding{writer: c.WriteStream(), header: rtp.Header{
			Version: 2, SSRC: uint32(c.SSRC()), PayloadType: uint8(p.PayloadType), SequenceNumber: uint16(rand.Uint32()),
		}}
		for _, x := range c.HeaderExtensions() {
			if x.URI == playoutDelayURI {
				if err := b.header.SetExtension(uint8(x.ID), playoutNow); err != nil {
					return webrtc.RTPCodecParameters{}, fmt.Errorf("stream: playout-delay: %w", err)
				}
			}
		}
		o.bound.Store(b)
		return p, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind is called by pion when the connection ends.
func (o *outgoing) Unbind(webrtc.TrackLocalContext) error {
	o.bound.Store(nil)
	return nil
}

// ID names the track in the SDP.
func (o *outgoing) ID() string { return o.id }

// RID is empty: there is no simulcast.
func (o *outgoing) RID() string { return "" }

// StreamID names the MediaStream in the page.
func (o *outgoing) StreamID() string { return o.streamID }

// Kind is video or audio.
func (o *outgoing) Kind() webrtc.RTPCodecType { return o.kind }

// write sends the payloads of one frame in one burst and returns how many packets
// were not taken. It has one caller at a time.
func (o *outgoing) write(payloads [][]byte, timestamp uint32) (failed int) {
	b := o.bound.Load()
	if b == nil {
		return 0
	}
	h := &b.header
	h.Timestamp = timestamp
	for i, p := range payloads {
		h.SequenceNumber++
		// Of a picture the marker ends the frame; sound has none but in talk spurts.
		h.Marker = o.kind == webrtc.RTPCodecTypeVideo && i == len(payloads)-1
		if _, err := b.writer.WriteRTP(h, p); err != nil {
			failed++
		}
	}
	return failed
}
