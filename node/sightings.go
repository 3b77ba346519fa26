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
	leastWitness  = 2         // of different networks: one operator's many nodes are one
	leastShare    = 3         // at least one in so many of all who say where they see this node
	maxWitnesses  = 256       // of each family of addresses
	settledTime   = 5 * time.Minute
	lookAroundGap = time.Minute
)

// witness is the network that somebody speaks from: a /24 of IPv4, or a /32 of IPv6, of which a
// provider has one and anybody can have many smaller parts.
type witness string

const witnessV6 = 4 // bytes

func witnessOf(s subnet.Subnet) witness {
	if len(s) == subnet.SizeV6 {
		return witness(s[:witnessV6])
	}
	return witness(s)
}

// sighting is what a witness said last.
type sighting struct {
	where subnet.Subnet
	at    time.Time
}

// sightings are the subnets in which others say that they see this node. Whatever is believed is
// declared to the ledger, where it keeps checkers who live there from being drawn: so a few who
// name a place of their choice must not outdo the many who name where the node is.
type sightings struct {
	said map[witness]sighting
}

// saw remembers what somebody in a subnet of its own said. Beyond its bounds it takes no more.
func (s *sightings) saw(now time.Time, where, by subnet.Subnet) {
	if s.said == nil {
		s.said = make(map[witness]sighting)
	}
	s.forget(now)
	w := witnessOf(by)
	if _, known := s.said[w]; known || s.witnesses(len(where)) < maxWitnesses {
		s.said[w] = sighting{where, now}
	}
}

// witnesses is how many speak of subnets of so many bytes.
func (s *sightings) witnesses(size int) (n int) {
	for _, x := range s.said {
		if len(x.where) == size {
			n++
		}
	}
	return n
}

func (s *sightings) forget(now time.Time) {
	for w, x := range s.said {
		if now.Sub(x.at) > sightingTime {
			delete(s.said, w)
		}
	}
}

// believed are the subnets that enough others name, those that most name first, at most
// subnet.Max: of each family what a third or more of its witnesses say.
func (s *sightings) believed(now time.Time) (out []subnet.Subnet) {
	s.forget(now)
	by := make(map[subnet.Subnet]int)
	for _, x := range s.said {
		by[x.where]++
	}
	for where, n := range by {
		if n >= leastWitness && n*leastShare >= s.witnesses(len(where)) {
			out = append(out, where)
		}
	}
	slices.SortFunc(out, func(a, b subnet.Subnet) int { return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b)) })
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
