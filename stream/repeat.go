package stream

import (
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// What repeats may cost. A player on a congested path asks for everything it missed,
// again and again; answering it all turns congestion into collapse.
const (
	repeatShare = 4        // one byte of repeats for so many bytes of media
	repeatBurst = 48 << 10 // bytes that may be repeated after a quiet time
	repeatLate  = 500      // ms after which a packet is of no use to a game
)

// repeatLimits makes the interceptor that holds repeats to a share of the media. It
// stands where repeats have no transport-wide number yet: one that was given a number
// and then held back would look lost.
type repeatLimits struct{}

func (repeatLimits) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &repeatLimit{}, nil
}

type repeatLimit struct{ interceptor.NoOp }

func (*repeatLimit) BindLocalStream(info *interceptor.StreamInfo, next interceptor.RTPWriter) interceptor.RTPWriter {
	if info.ClockRate != videoClock {
		return next // sound is never repeated
	}
	var mu sync.Mutex // repeats come from goroutines of their own
	var budget repeatBudget
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		mu.Lock()
		send := budget.allow(h.SequenceNumber, h.Timestamp, len(payload))
		mu.Unlock()
		if !send {
			return len(payload), nil
		}
		return next.Write(h, payload, a)
	})
}

// repeatBudget tells new packets from repeats and says which repeats to send. It has no
// clock: what was sent anew earns what may be sent again.
type repeatBudget struct {
	begun  bool
	newest uint16 // sequence number
	stamp  uint32 // of the newest packet
	tokens int    // bytes
}

func (r *repeatBudget) allow(seq uint16, stamp uint32, size int) bool {
	if !r.begun || int16(seq-r.newest) > 0 {
		if !r.begun {
			r.tokens = repeatBurst
		}
		r.begun, r.newest, r.stamp = true, seq, stamp
		r.tokens = min(repeatBurst, r.tokens+size/repeatShare)
		return true
	}
	if r.stamp-stamp > repeatLate*videoClock/1000 || size > r.tokens {
		return false
	}
	r.tokens -= size
	return true
}
