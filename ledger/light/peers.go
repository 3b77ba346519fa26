package light

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	banTime  = 10 * time.Minute // for a provable lie or a broken message
	restUnit = time.Second      // after a failure, doubled for each one in a row
	restMost = time.Minute
	maxPeers = 64  // of the transport that are looked at
	maxKnown = 512 // that are remembered
)

// book remembers how peers have behaved. It is shared by all questions of a client.
type book struct {
	now   func() time.Time
	fault func(peer string, err error)

	mu    sync.Mutex
	known map[string]*record
	turn  int // rotates who is asked first among equals
}

type record struct {
	full     bool
	failures int       // in a row
	rest     time.Time // until then it is asked only when nobody else is left
	banned   time.Time // until then it is not asked
}

func newBook(now func() time.Time, fault func(string, error)) *book {
	return &book{now: now, fault: fault, known: map[string]*record{}}
}

// choose orders the peers that may be asked: those that do not rest first, then those with
// fewer failures, equals in turn; with full, those first that say they answer with proofs.
// Peers that are out are left out. At most n.
func (b *book) choose(peers []string, n int, full bool) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.forget(peers, now)
	b.turn++
	type ranked struct {
		peer               string
		resting, light     bool
		failures, rotation int
	}
	var all []ranked
	for i, p := range peers[:min(len(peers), maxPeers)] {
		r := b.known[p]
		if r == nil {
			r = &record{}
		}
		if now.Before(r.banned) || slices.ContainsFunc(all, func(x ranked) bool { return x.peer == p }) {
			continue
		}
		all = append(all, ranked{p, now.Before(r.rest), full && !r.full, r.failures, (i + b.turn) % len(peers)})
	}
	slices.SortFunc(all, func(x, y ranked) int {
		return cmp.Or(order(x.resting, y.resting), order(x.light, y.light),
			cmp.Compare(x.failures, y.failures), cmp.Compare(x.rotation, y.rotation))
	})
	out := make([]string, 0, n)
	for _, r := range all[:min(n, len(all))] {
		out = append(out, r.peer)
	}
	return out
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// forget keeps the memory bounded: who is not connected and not banned is forgotten.
func (b *book) forget(peers []string, now time.Time) {
	if len(b.known) < maxKnown {
		return
	}
	for p, r := range b.known {
		if !slices.Contains(peers, p) && !now.Before(r.banned) {
			delete(b.known, p)
		}
	}
	if len(b.known) >= 2*maxKnown { // so many bans at once: the oldest lies are forgiven
		clear(b.known)
	}
}

func (b *book) of(peer string) *record {
	r := b.known[peer]
	if r == nil {
		r = &record{}
		b.known[peer] = r
	}
	return r
}

// good forgives earlier failures.
func (b *book) good(peer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.of(peer)
	r.failures, r.rest = 0, time.Time{}
}

// says notes whether a peer claims to be a full node.
func (b *book) says(peer string, full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(peer).full = full
}

// mute lets a peer rest that did not answer, or not usefully: that proves nothing.
func (b *book) mute(peer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.of(peer)
	r.failures++
	r.rest = b.now().Add(min(restUnit<<min(r.failures-1, 10), restMost))
}

// lied drops a peer and reports it: what it sent was wrong, not merely late.
func (b *book) lied(peer string, err error) {
	b.mu.Lock()
	b.of(peer).banned = b.now().Add(banTime)
	b.mu.Unlock()
	if b.fault != nil {
		b.fault(peer, err)
	}
}

// banned says whether a peer is out.
func (b *book) isBanned(peer string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.known[peer]
	return r != nil && b.now().Before(r.banned)
}

// onlyFull are those of the peers that say they are full nodes.
func (b *book) onlyFull(peers []string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(peers), func(p string) bool { return b.known[p] == nil || !b.known[p].full })
}
