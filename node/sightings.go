package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/framemesh/framemesh/ledger/subnet"
)

// Bounds of what is remembered of what others say.
const (
	sightingTime  = time.Hour // for which it is believed
	leastWitness  = 2         // in subnets of their own: one operator's many nodes are one
	maxSightings  = 32        // subnets
	maxWitnesses  = 16        // of one of them
	settledTime   = 5 * time.Minute
	lookAroundGap = time.Minute
)

// sightings are the subnets in which others say that they see this node.
type sightings struct {
	seen map[subnet.Subnet]map[subnet.Subnet]time.Time // where, by whose subnet, when last
}

// saw remembers what somebody in a subnet of its own said. Beyond its bounds it forgets.
func (s *sightings) saw(now time.Time, where, by subnet.Subnet) {
	if s.seen == nil {
		s.seen = make(map[subnet.Subnet]map[subnet.Subnet]time.Time)
	}
	s.forget(now)
	w := s.seen[where]
	if w == nil {
		if len(s.seen) >= maxSightings {
			return
		}
		w = make(map[subnet.Subnet]time.Time)
		s.seen[where] = w
	}
	if _, known := w[by]; known || len(w) < maxWitnesses {
		w[by] = now
	}
}

func (s *sightings) forget(now time.Time) {
	for where, w := range s.seen {
		for by, at := range w {
			if now.Sub(at) > sightingTime {
				delete(w, by)
			}
		}
		if len(w) == 0 {
			delete(s.seen, where)
		}
	}
}

// believed are the subnets that enough others name, those that most name first, at most
// subnet.Max.
func (s *sightings) believed(now time.Time) (out []subnet.Subnet) {
	s.forget(now)
	for where, w := range s.seen {
		if len(w) >= leastWitness {
			out = append(out, where)
		}
	}
	slices.SortFunc(out, func(a, b subnet.Subnet) int {
		return cmp.Or(cmp.Compare(len(s.seen[b]), len(s.seen[a])), cmp.Compare(a, b))
	})
	return out[:min(len(out), subnet.Max)]
}

// drift waits until a node that has moved has settled.
type drift struct {
	missing []subnet.Subnet // seen there and not declared
	since   time.Time
}

// due is what the node should declare, once the same has been missing for settledTime: where it
// is seen and, as far as there is room, what it declared before, since others may still be
// connected to it there. Whoever is seen nowhere declares nothing new.
func (d *drift) due(now time.Time, seen, declared []subnet.Subnet) (want []subnet.Subnet, ok bool) {
	var missing []subnet.Subnet
	for _, s := range seen {
		if !slices.Contains(declared, s) {
			missing = append(missing, s)
		}
	}
	if missing = subnet.Sorted(missing); !slices.Equal(missing, d.missing) {
		d.missing, d.since = missing, now
	}
	if len(missing) == 0 || now.Sub(d.since) < settledTime {
		return nil, false
	}
	d.since = now // and again after as long, should it fail
	want = slices.Clone(seen[:min(len(seen), subnet.Max)])
	for _, s := range declared {
		if len(want) < subnet.Max && !slices.Contains(want, s) {
			want = append(want, s)
		}
	}
	return subnet.Sorted(want), true
}
