package judge

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sort"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// Candidate is a node of the frozen set of an epoch.
type Candidate struct {
	Node  key.Node
	Stake uint64 // base units; what checkers are drawn by, 0 counts as 1
	Owner key.Address
	// Subnets are where it says it lives. Whoever declares none is nobody's neighbour.
	Subnets []subnet.Subnet
}

// Assignment says who checks whom in an epoch.
type Assignment struct {
	Epoch   uint64
	Seed    [32]byte
	Task    [32]byte // what the containers render from
	Batches []Batch

	places map[key.Node]place
}

// Batch is up to Params.Batch containers and who checks them.
type Batch struct {
	Containers []key.Node // in the order of votes and results
	Committee  []key.Node // attempt 0: 2N + 1, fewer where there are not so many
	Reserve    []key.Node // attempt 1: as many again from those who are left
}

// Members are who votes at an attempt.
func (b *Batch) Members(attempt uint32) []key.Node {
	switch attempt {
	case 0:
		return b.Committee
	case 1:
		return b.Reserve
	}
	return nil
}

type place struct{ batch, place int }

// Duty is one batch that a checker has to judge.
type Duty struct {
	Batch   int
	Attempt uint32 // 0 as a member of the committee, 1 of the reserve
	Place   int    // in it
}

// Assign draws the batches and committees of an epoch from its seed. Candidates are taken in
// the order of their keys, whatever order they come in; one that stands there twice counts
// once. Containers are shuffled (Fisher–Yates) and cut into batches; the members of a batch
// are drawn by stake without replacement from all checkers that are none of its containers
// and share neither an owner nor a subnet with one, first the committee, then the reserve.
func Assign(chain string, seed [32]byte, epoch uint64, containers, checkers []Candidate, p Params) *Assignment {
	a := &Assignment{Epoch: epoch, Seed: seed, Task: proof.Task(chain, epoch, seed), places: make(map[key.Node]place, len(containers))}
	containers, checkers = ordered(containers), ordered(checkers)
	s := newStream("framemesh/shuffle/1", seed[:], be64(epoch))
	for i := len(containers) - 1; i > 0; i-- {
		j := int(s.below(uint64(i) + 1))
		containers[i], containers[j] = containers[j], containers[i]
	}
	u := newUrn(checkers)
	size := max(1, min(p.Batch, proof.MaxBatch))
	for len(containers) > 0 {
		n := min(size, len(containers))
		a.Batches = append(a.Batches, a.batch(containers[:n], u, p))
		containers = containers[n:]
	}
	return a
}

func (a *Assignment) batch(containers []Candidate, u *urn, p Params) Batch {
	var b Batch
	number := len(a.Batches)
	for i, c := range containers {
		b.Containers = append(b.Containers, c.Node)
		a.places[c.Node] = place{number, i}
		u.withdraw(c)
	}
	s := newStream("framemesh/committee/1", a.Seed[:], be64(a.Epoch), be32(uint32(number)))
	b.Committee = u.draw(s, p.Members())
	b.Reserve = u.draw(s, p.Members())
	u.restore()
	return b
}

// Of is the batch of a container and its place in it.
func (a *Assignment) Of(container key.Node) (batch, at int, ok bool) {
	p, ok := a.places[container]
	return p.batch, p.place, ok
}

// Duties are the batches that a checker has to judge, by batch.
func (a *Assignment) Duties(checker key.Node) (duties []Duty) {
	for i := range a.Batches {
		for attempt := range uint32(2) {
			if at := slices.Index(a.Batches[i].Members(attempt), checker); at >= 0 {
				duties = append(duties, Duty{i, attempt, at})
			}
		}
	}
	return duties
}

// Appeal draws the committee that judges an accusation again: 4N + 3 checkers by stake,
// without those in except (who judged before, and the accused) and without all who share
// an owner or a subnet with one of except.
func Appeal(seed, accusation [32]byte, checkers, except []Candidate, p Params) []key.Node {
	u := newUrn(ordered(checkers))
	for _, c := range except {
		u.withdraw(c)
	}
	return u.draw(newStream("framemesh/appeal/1", seed[:], accusation[:]), 2*p.Members()+1)
}

// Rank is whose turn it is to draft a result: the place of me, from 0, among the members in
// the order of SHA-256("framemesh/rank/1" ‖ seed (32) ‖ batch (4) ‖ attempt (4) ‖ member (32)).
// It is len(members) for who is none.
func Rank(seed [32]byte, batch, attempt uint32, members []key.Node, me key.Node) int {
	if !slices.Contains(members, me) {
		return len(members)
	}
	mine, before := rankHash(seed, batch, attempt, me), 0
	for _, m := range members {
		if h := rankHash(seed, batch, attempt, m); bytes.Compare(h[:], mine[:]) < 0 {
			before++
		}
	}
	return before
}

func rankHash(seed [32]byte, batch, attempt uint32, member key.Node) [32]byte {
	b := append([]byte("framemesh/rank/1"), seed[:]...)
	b = append(append(b, be32(batch)...), be32(attempt)...)
	return sha256.Sum256(append(b, member[:]...))
}

// ordered is a copy of the candidates by key, each once.
func ordered(all []Candidate) []Candidate {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Candidate) int { return bytes.Compare(a.Node[:], b.Node[:]) })
	return slices.CompactFunc(all, func(a, b Candidate) bool { return a.Node == b.Node })
}

// urn draws checkers by stake without replacement. sums is a Fenwick tree over the weights,
// so that one draw among n checkers takes log n steps.
type urn struct {
	checkers []Candidate // by key
	weight   []uint64    // what each would weigh
	sums     []uint64
	total    uint64
	out      []int // withdrawn or drawn
	isOut    []bool
	owners   map[key.Address][]int
	subnets  map[subnet.Subnet][]int
}

func newUrn(checkers []Candidate) *urn {
	n := len(checkers)
	u := &urn{checkers: checkers, weight: make([]uint64, n), sums: make([]uint64, n+1), isOut: make([]bool, n),
		owners: make(map[key.Address][]int, n), subnets: make(map[subnet.Subnet][]int)}
	most := heaviest(checkers)
	for i, c := range checkers {
		u.weight[i] = min(max(c.Stake, 1), most)
		u.total += u.weight[i]
		u.add(i, u.weight[i])
		u.owners[c.Owner] = append(u.owners[c.Owner], i)
		for _, s := range c.Subnets {
			u.subnets[s] = append(u.subnets[s], i)
		}
	}
	return u
}

// heaviest is what one stake weighs at most: anything, as long as all of them together stay
// below 2^63, which is more than there is. Else an equal part of it, so that any input can
// be drawn from.
func heaviest(checkers []Candidate) uint64 {
	sum := uint64(0)
	for _, c := range checkers {
		if sum += min(max(c.Stake, 1), 1<<63); sum >= 1<<63 {
			return 1 << 63 / uint64(len(checkers))
		}
	}
	return 1 << 63
}

// add changes the weight of a checker in the sums; to take away, add the negative.
func (u *urn) add(i int, v uint64) {
	for i++; i < len(u.sums); i += i & -i {
		u.sums[i] += v
	}
}

// take keeps a checker from being drawn until restore.
func (u *urn) take(i int) {
	if u.isOut[i] {
		return
	}
	u.isOut[i], u.out = true, append(u.out, i)
	u.total -= u.weight[i]
	u.add(i, -u.weight[i])
}

// withdraw takes a container's own node, all checkers of its owner and all its neighbours.
func (u *urn) withdraw(c Candidate) {
	at := sort.Search(len(u.checkers), func(i int) bool { return bytes.Compare(u.checkers[i].Node[:], c.Node[:]) >= 0 })
	if at < len(u.checkers) && u.checkers[at].Node == c.Node {
		u.take(at)
	}
	for _, i := range u.owners[c.Owner] {
		u.take(i)
	}
	for _, s := range c.Subnets {
		for _, i := range u.subnets[s] {
			u.take(i)
		}
	}
}

// draw takes up to n checkers, in the order drawn.
func (u *urn) draw(s *stream, n int) (drawn []key.Node) {
	for len(drawn) < n && u.total > 0 {
		i := u.find(s.below(u.total))
		u.take(i)
		drawn = append(drawn, u.checkers[i].Node)
	}
	return drawn
}

// find is the checker on whose part of the total v falls.
func (u *urn) find(v uint64) int {
	at, step := 0, 1
	for step*2 < len(u.sums) {
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if next := at + step; next < len(u.sums) && u.sums[next] <= v {
			at, v = next, v-u.sums[next]
		}
	}
	return at
}

func (u *urn) restore() {
	for _, i := range u.out {
		u.isOut[i] = false
		u.total += u.weight[i]
		u.add(i, u.weight[i])
	}
	u.out = u.out[:0]
}
