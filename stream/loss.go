package stream

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// received counts what a transport-wide feedback says of the packets it covers. The
// last chunk is filled up with symbols that mean nothing, which must not be counted as
// losses.
func received(fb *rtcp.TransportLayerCC) (arrived, covered int) {
	left := int(fb.PacketStatusCount)
	take := func(symbol uint16, n int) {
		n = min(n, left)
		left -= n
		covered += n
		if symbol != rtcp.TypeTCCPacketNotReceived {
			arrived += n
		}
	}
	for _, c := range fb.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			take(c.PacketStatusSymbol, int(c.RunLength))
		case *rtcp.StatusVectorChunk:
			for _, s := range c.SymbolList {
				take(s, 1)
			}
		}
	}
	return arrived, covered
}

// lossWindow is over how long loss is measured.
const lossWindow = 500 * time.Millisecond

// lossMeter is the share of packets that a peer did not get. Receiver reports cannot
// say it: packets that NACK repeats arrive in the end, and count as never lost there.
type lossMeter struct {
	mu               sync.Mutex
	since            time.Time
	arrived, covered int
	loss             float64
	at               time.Time
}

func (m *lossMeter) feedback(now time.Time, fb *rtcp.TransportLayerCC) {
	a, c := received(fb)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since.IsZero() {
		m.since = now
	}
	m.arrived, m.covered = m.arrived+a, m.covered+c
	// A few packets make no share: sound alone is 50 a second.
	if now.Sub(m.since) >= lossWindow && m.covered >= 20 {
		m.loss = 1 - float64(m.arrived)/float64(m.covered)
		m.at, m.since, m.arrived, m.covered = now, now, 0, 0
	}
}

// now is the loss lately, 0..1, and 0 when nothing was heard of for a while.
func (m *lossMeter) now(t time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.Sub(m.at) > 6*lossWindow {
		return 0
	}
	return m.loss
}
