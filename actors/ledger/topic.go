package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/quote"
)

const (
	tellGap  = time.Second / 4 // between two heads that this node tells; the topic takes five a second
	tellTime = 5 * time.Second // for one
)

// teller decides which heads are worth telling: those that no other has told yet.
type teller struct {
	mu    sync.Mutex
	heard [32]byte // hash of the last head that somebody told, or this node did
	last  time.Time
}

func (t *teller) hear(hash []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	copy(t.heard[:], hash)
}

// worth says whether to tell a head now, or to look again after a while.
func (t *teller) worth(h Head, now time.Time) (tell bool, later time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := now.Sub(t.last)
	switch {
	case h.Hash == t.heard:
		return false, 0
	case since >= 0 && since < tellGap:
		return false, tellGap - since
	}
	t.last, t.heard = now, h.Hash
	return true, 0
}

// hear takes a notice of the topic. A head makes the source look; nothing in it is
// believed. A quote counts when an oracle of this network signed it.
func (l *Ledger) hear(from peer.ID, body []byte) {
	n, err := light.DecodeNotice(body)
	if err != nil {
		l.metrics.notices.WithLabelValues("invalid").Inc()
		return
	}
	switch w := n.GetWhat().(type) {
	case *light.Notice_Head:
		l.metrics.notices.WithLabelValues("head").Inc()
		l.teller.hear(w.Head.GetHash())
		l.o.Source.Hint(from.String(), w.Head.GetHeight())
	case *light.Notice_Quote:
		q, err := quote.Decode(w.Quote)
		if err != nil || !l.quotes.take(q, l.nowMS(), l.Params().OracleMaxAgeMS) {
			l.metrics.notices.WithLabelValues("invalid").Inc()
			return
		}
		l.metrics.notices.WithLabelValues("quote").Inc()
	}
}

// tell spreads a head. That nobody listens yet is no trouble: the next one comes soon.
func (l *Ledger) tell(ctx context.Context, h Head) {
	body, err := light.EncodeHead(h.Summary)
	if err == nil {
		err = l.publish(ctx, body)
	}
	if err != nil {
		l.o.Log.Debug("a head was not told", "height", h.Height, "err", err)
	}
}

func (l *Ledger) publish(ctx context.Context, body []byte) error {
	if l.o.Topic == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	return l.o.Topic.Publish(ctx, body)
}
