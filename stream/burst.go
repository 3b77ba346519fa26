package stream

import (
	"fmt"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// burst is the pacer that does not pace: a packet goes to the socket in the goroutine
// that wrote it. Unlike the library's own it holds no lock while the kernel takes the
// packet, so that sound, pictures and repeats do not wait for one another.
type burst struct {
	streams sync.Map // SSRC → interceptor.RTPWriter; written once per stream
}

func newBurst() *burst { return &burst{} }

func (b *burst) AddStream(ssrc uint32, w interceptor.RTPWriter) { b.streams.Store(ssrc, w) }

func (b *burst) Write(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
	w, ok := b.streams.Load(h.SSRC)
	if !ok {
		return 0, fmt.Errorf("stream: packet of unknown stream %d", h.SSRC)
	}
	return w.(interceptor.RTPWriter).Write(h, payload, a)
}

func (b *burst) SetTargetBitrate(int) {}

func (b *burst) Close() error { return nil }
