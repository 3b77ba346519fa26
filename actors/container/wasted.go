package container

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// wasted counts the leases of each peer that ran out without an offer. A lease costs
// nothing to ask for, so a peer could keep every slot to itself without playing. It is
// pure: time comes as an argument.
type wasted map[peer.ID][]time.Time

const (
	wastedFor  = time.Minute // that a wasted lease counts
	wastedMost = 3           // wasted leases that are forgiven, at least; twice the slots if that is more
)

// add notes that a lease of this peer ran out.
func (w wasted) add(id peer.ID, now time.Time) { w[id] = append(w.recent(id, now), now) }

// tooMany says whether the peer has to wait until some are forgotten.
func (w wasted) tooMany(id peer.ID, slots int, now time.Time) bool {
	return len(w.recent(id, now)) >= max(wastedMost, 2*slots)
}

func (w wasted) recent(id peer.ID, now time.Time) []time.Time {
	all := w[id]
	for len(all) > 0 && now.Sub(all[0]) >= wastedFor {
		all = all[1:]
	}
	return all
}

// forget drops what counts no more, so that only peers of the last minute are kept: no
// more than leases can run out in that time.
func (w wasted) forget(now time.Time) {
	for id := range w {
		if rest := w.recent(id, now); len(rest) == 0 {
			delete(w, id)
		} else {
			w[id] = rest
		}
	}
}
