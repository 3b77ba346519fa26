package gateway

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Bounds of asking strangers for manifests: an ad may name 64 apps that do not exist,
// and whoever sent it may let every question hang until its deadline.
const (
	maxErrands        = 1024 // that wait
	maxErrandsPerPeer = 64   // that wait for one container
	maxAsking         = 16   // under way
	maxAskingPerPeer  = 4    // under way at one container
	maxTries          = 5    // of one app at one container
)

// errand is a manifest to be asked for at a container that advertised its app.
type errand struct {
	app  sha
	from peer.ID
}

// errands are the manifests still to be asked for, in the order in which they were
// wanted; a container that does not answer holds up its own apps alone. It is pure.
type errands struct {
	waiting []errand
	asking  map[errand]bool
	tries   map[errand]int
}

func newErrands() *errands {
	return &errands{asking: map[errand]bool{}, tries: map[errand]int{}}
}

// want remembers an errand unless it was tried often enough or there are too many.
func (e *errands) want(x errand) {
	if e.asking[x] || e.tries[x] >= maxTries || len(e.waiting) >= maxErrands {
		return
	}
	mine := 0
	for _, w := range e.waiting {
		if w == x {
			return
		}
		if w.from == x.from {
			mine++
		}
	}
	if mine < maxErrandsPerPeer {
		e.waiting = append(e.waiting, x)
	}
}

// next starts the first errand that may be run now; those whose app is known by now
// are dropped.
func (e *errands) next(known func(sha) bool) (x errand, ok bool) {
	e.waiting = slices.DeleteFunc(e.waiting, func(w errand) bool { return known(w.app) })
	if len(e.asking) >= maxAsking {
		return errand{}, false
	}
	at := map[peer.ID]int{}
	for a := range e.asking {
		at[a.from]++
	}
	i := slices.IndexFunc(e.waiting, func(w errand) bool { return at[w.from] < maxAskingPerPeer })
	if i < 0 {
		return errand{}, false
	}
	x = e.waiting[i]
	e.waiting = slices.Delete(e.waiting, i, i+1)
	e.asking[x] = true
	e.tries[x]++
	return x, true
}

// done ends an errand; one that brought the manifest leaves no trace.
func (e *errands) done(x errand, got bool) {
	delete(e.asking, x)
	if got {
		delete(e.tries, x)
	}
}

// keep forgets what is no longer on offer.
func (e *errands) keep(offered func(errand) bool) {
	for x := range e.tries {
		if !e.asking[x] && !offered(x) {
			delete(e.tries, x)
		}
	}
	e.waiting = slices.DeleteFunc(e.waiting, func(w errand) bool { return !offered(w) })
}
