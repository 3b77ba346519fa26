package state

import (
	"slices"
	"sync"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Option is something that a machine is opened with.
type Option func(*Machine)

// WithKernel gives the machine the kernel by which fraud proofs are recomputed. Every node
// that follows blocks needs one: a machine without it stops at the first proof.
func WithKernel(k proof.Kernel) Option { return func(m *Machine) { m.kernel = k } }

// WithDraws lets machines of one network share what they have drawn.
func WithDraws(d *Draws) Option { return func(m *Machine) { m.draws = d } }

// Attests verifies the signatures of the certificate in t by the members of a panel, in its
// order, as VoteCertificate.VerifyBy does for the network's name. *tx.Verifier does, and
// remembers what it found right. It is called from several goroutines.
type Attests interface {
	VerifyBy(t *tx.Tx, panel []key.Node) error
}

// WithAttests spares a machine what another one of the node has verified.
func WithAttests(a Attests) Option { return func(m *Machine) { m.attests = a } }

// Draws remembers the assignments of the last epochs and the committees of their appeals:
// drawing one takes a time that grows with the number of nodes, and it never changes. It may be
// used by several machines of one network at once.
type Draws struct {
	mu      sync.Mutex
	known   []*judge.Assignment // the latest drawn last
	appeals []appealDraw        // the latest drawn last
}

// appealDraw is the committee of one appeal and all that it follows from, but for the
// candidates: they were frozen long before the seed.
type appealDraw struct {
	seed, accusation [32]byte
	except           []judge.Candidate
	members          []key.Node
}

// keptDraws is how many assignments are remembered, and keptAppeals how many committees of
// appeals: two epochs take certificates at a time.
const (
	keptDraws   = 4
	keptAppeals = 2 * MaxAppeals
)

func (d *Draws) get(epoch uint64, seed [32]byte) *judge.Assignment {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.known {
		if a.Epoch == epoch && a.Seed == seed {
			return a
		}
	}
	return nil
}

func (d *Draws) add(a *judge.Assignment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = append(d.known, a)
	d.known = d.known[max(0, len(d.known)-keptDraws):]
}

func (d *Draws) appeal(seed, accusation [32]byte, except []judge.Candidate) []key.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.appeals {
		if a.seed == seed && a.accusation == accusation && slices.EqualFunc(a.except, except, sameCandidate) {
			return a.members
		}
	}
	return nil
}

// sameCandidate compares what appealDraw.except has of somebody.
func sameCandidate(a, b judge.Candidate) bool {
	return a.Node == b.Node && a.Owner == b.Owner
}

func (d *Draws) addAppeal(a appealDraw) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.appeals = append(d.appeals, a)
	d.appeals = d.appeals[max(0, len(d.appeals)-keptAppeals):]
}

// DrawnFor is the assignment of an epoch as it follows from r: from its seed and the candidates
// that were frozen before anybody could know it. ok is false for an epoch that had no block
// or whose candidates are long gone.
func DrawnFor(r Reader, chain string, epoch uint64, p economics.Params) (a *judge.Assignment, ok bool, err error) {
	seed, ok, err := ReadSeed(r, epoch)
	if err != nil || !ok {
		return nil, false, err
	}
	containers, ok, err := drawable(r, epoch, economics.RoleContainer)
	if err != nil || !ok {
		return nil, false, err
	}
	checkers, ok, err := drawable(r, epoch, economics.RoleChecker)
	if err != nil || !ok {
		return nil, false, err
	}
	return judge.Assign(chain, seed, epoch, containers, checkers, judge.From(p)), true, nil
}

func drawable(r Reader, epoch uint64, role economics.Role) ([]judge.Candidate, bool, error) {
	set, ok, err := ReadCandidates(r, epoch, role)
	if err != nil || !ok {
		return nil, false, err
	}
	return Drawable(set), true, nil
}

// Drawable are candidates as the draw takes them.
func Drawable(set []Candidate) []judge.Candidate {
	out := make([]judge.Candidate, len(set))
	for i, c := range set {
		out[i] = judge.Candidate{Node: c.Node, Stake: c.Stake, Owner: c.Owner, Subnets: c.Subnets}
	}
	return out
}

// assignment is who checks whom in an epoch, drawn once.
func (m *Machine) assignment(epoch uint64) (*judge.Assignment, error) {
	seed, ok, err := ReadSeed(m.overlay, epoch)
	if err != nil {
		return nil, err
	}
	if ok {
		if a := m.draws.get(epoch, seed); a != nil {
			return a, nil
		}
		a, drawn, err := DrawnFor(m.overlay, m.network.Chain, epoch, m.params)
		if err != nil {
			return nil, err
		}
		if drawn {
			m.draws.add(a)
			return a, nil
		}
	}
	return nil, refuse(ErrBatch, "epoch %d drew none; nobody renders in an epoch without a block", epoch)
}

// times are the moments of an epoch's round.
func (m *Machine) times(epoch uint64) judge.Times {
	return judge.Schedule(judge.From(m.params), epoch, m.network.GenesisMS)
}

// appealCommittee draws who looks at an accusation again: without those whose word it rests
// on, the accused, whoever shares an owner with one of them, and the accused's neighbours.
func (m *Machine) appealCommittee(epoch uint64, id [32]byte, a Accusation) ([]key.Node, error) {
	members, ok, err := m.draws.appealCommittee(m.overlay, epoch, id, a, m.params)
	if err == nil && !ok {
		err = refuse(ErrBatch, "epoch %d drew no committee; nobody judges in an epoch without a block", epoch)
	}
	return members, err
}

// AppealCommittee is who answers an appeal in an epoch, as it follows from r, in the order of
// a result's bits; 2·(N + 1) of them make a certificate. ok is false for an epoch that had no
// block or whose candidates are long gone.
func AppealCommittee(r Reader, epoch uint64, id [32]byte, a Accusation, p economics.Params) (members []key.Node, ok bool, err error) {
	return new(Draws).appealCommittee(r, epoch, id, a, p)
}

// appealCommittee is AppealCommittee, drawn once. Where the accused lives is as it was
// when it was accused: one that moves later gets no other judges. Those who judged before may change
// hands in between, so what was drawn counts for the owners that they had.
func (d *Draws) appealCommittee(r Reader, epoch uint64, id [32]byte, a Accusation, p economics.Params) (members []key.Node, ok bool, err error) {
	seed, ok, err := ReadSeed(r, epoch)
	if err != nil || !ok {
		return nil, false, err
	}
	var except []judge.Candidate
	for _, id := range a.Signers {
		n, known, err := ReadNode(r, id)
		if err != nil {
			return nil, false, err
		}
		c := judge.Candidate{Node: id}
		if known {
			c.Owner = n.Owner
		}
		except = append(except, c)
	}
	except = append(except, judge.Candidate{Node: a.Node, Owner: a.Owner})
	if known := d.appeal(seed, id, except); known != nil {
		return known, true, nil
	}
	checkers, ok, err := drawable(r, epoch, economics.RoleChecker)
	if err != nil || !ok {
		return nil, false, err
	}
	all := slices.Clone(except)
	all[len(all)-1].Subnets = a.Subnets // who judged before may have neighbours among those who judge now
	members = judge.Appeal(seed, id, checkers, all, judge.From(p))
	d.addAppeal(appealDraw{seed, id, except, members})
	return members, true, nil
}
