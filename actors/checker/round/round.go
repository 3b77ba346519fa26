package round

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Setup is what a Round is told of its epoch.
type Setup struct {
	Chain      string
	Key        ed25519.PrivateKey // the checker's node key
	Assignment *judge.Assignment
	Times      judge.Times
	Params     judge.Params
	Kernel     proof.Kernel
	Standing   func(container key.Node) judge.Standing // as on the ledger when the epoch began

	// Secret hides this checker's nonce and votes until they are revealed. It is never
	// the same in two epochs; see Secret.
	Secret [32]byte
	// CrossPPM is how often the work of another member is recomputed, per container.
	CrossPPM uint64
	// InSession says whether the session is an open one of the container on the ledger; nil
	// takes the container's word.
	InSession func(container key.Node, session []byte) bool
}

// Secret derives a checker's secret of an epoch from its node key. So a checker that lost
// its disk still knows the nonce that it is bound to.
func Secret(k ed25519.PrivateKey, chain string, epoch uint64) [32]byte {
	h := hmac.New(sha256.New, k.Seed())
	h.Write([]byte("framemesh/" + chain + "/round/1"))
	h.Write(binary.BigEndian.AppendUint64(nil, epoch))
	return [32]byte(h.Sum(nil))
}

// Round is one checker in one epoch.
type Round struct {
	s     Setup
	me    key.Node
	epoch uint64
	seed  [32]byte // of the epoch
	nonce [32]byte

	duties  []*duty              // by batch, rising
	where   map[key.Node]placeOf // of each container
	peers   map[key.Node]*peer   // members of this checker's batches, itself included
	counts  map[error]int        // refusals
	bound   *proof.Opened        // this checker's NonceCommit
	bared   bool                 // its nonce is revealed
	accused map[key.Node]bool    // by this checker, already
	proven  [][32]byte           // digests of evidence that the ledger convicted by
	refuted [][32]byte           // digests of votes likewise
	end     uint64               // nothing is done from here on, ms
}

type placeOf struct {
	duty  *duty
	place int
}

// peer is what another member bound itself to and revealed.
type peer struct {
	bound *proof.Opened // its NonceCommit
	nonce *proof.Opened // what fits it
}

// New begins an epoch. It returns ErrSetup for what cannot be.
func New(s Setup) (*Round, error) {
	if len(s.Key) != ed25519.PrivateKeySize || s.Chain == "" || s.Assignment == nil || s.Kernel == nil || s.Standing == nil {
		return nil, fmt.Errorf("%w: Chain, Key, Assignment, Kernel and Standing are needed", ErrSetup)
	}
	if err := rising(s.Times); err != nil {
		return nil, err
	}
	r := &Round{s: s, me: key.Node(s.Key[ed25519.SeedSize:]), epoch: s.Assignment.Epoch, seed: s.Assignment.Seed, end: s.Times.End,
		where: map[key.Node]placeOf{}, peers: map[key.Node]*peer{}, counts: map[error]int{}, accused: map[key.Node]bool{}}
	r.nonce = r.derive("nonce", 0, 0)
	for _, a := range s.Assignment.Duties(r.me) {
		r.duties = append(r.duties, r.newDuty(a))
	}
	return r, nil
}

// rising refuses times of which one does not come before the next.
func rising(t judge.Times) error {
	all := []uint64{t.T0, t.NonceBy, t.CommitBy, t.NonceReveal, t.OpeningsBy, t.VoteBy, t.RevealBy, t.AttestBy, t.End}
	for i := 1; i < len(all); i++ {
		if all[i-1] > all[i] {
			return fmt.Errorf("%w: times do not rise: %d before %d", ErrSetup, all[i], all[i-1])
		}
	}
	return nil
}

// derive is a secret of this epoch for one purpose.
func (r *Round) derive(purpose string, batch, attempt uint32) [32]byte {
	h := hmac.New(sha256.New, r.s.Secret[:])
	h.Write([]byte(purpose))
	h.Write(binary.BigEndian.AppendUint64(nil, r.epoch))
	h.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, batch), attempt))
	return [32]byte(h.Sum(nil))
}

// Me is the checker.
func (r *Round) Me() key.Node { return r.me }

// Duties is how many batches this checker judges, as member of a committee or of a reserve.
func (r *Round) Duties() int { return len(r.duties) }

// Containers are those that this checker may have to judge, batch by batch.
func (r *Round) Containers() (all []key.Node) {
	for _, d := range r.duties {
		for _, s := range d.subjects {
			all = append(all, s.node)
		}
	}
	return all
}

// Member says whether a node may gossip in one of this checker's batches.
func (r *Round) Member(n key.Node) bool { return r.peers[n] != nil }

// Refused is how many inputs were refused with an error.
func (r *Round) Refused(err error) int { return r.counts[err] }

func (r *Round) refuse(err error) error {
	for _, kind := range refusals {
		if errors.Is(err, kind) {
			r.counts[kind]++
			break
		}
	}
	return err
}

func (r *Round) subject(n key.Node) (*duty, int, bool) {
	w, ok := r.where[n]
	return w.duty, w.place, ok
}

// sign makes a statement of this checker.
func (r *Round) sign(s *proof.Statement) *proof.Opened {
	o, err := proof.Sign(r.s.Chain, r.s.Key, s)
	if err != nil {
		panic("round: a statement of our own is none: " + err.Error())
	}
	return o
}

// At is told the time, at the moments that Wake named or at others. What should have been
// done at an earlier moment is done now, if there is still a use for it.
func (r *Round) At(now uint64) []Action {
	t := r.s.Times
	var todo []Action
	if len(r.duties) == 0 || now >= r.end {
		return nil
	}
	if r.bound == nil && now < t.NonceBy {
		digest := proof.NonceDigest(r.me, r.epoch, r.nonce)
		r.bound = r.sign(&proof.Statement{Says: &proof.Statement_NonceCommit{NonceCommit: &proof.NonceCommit{Epoch: r.epoch, Digest: digest[:]}}})
		r.peers[r.me].bound = r.bound
		todo = append(todo, Publish{Opened: r.bound})
	}
	if r.bound != nil && !r.bared && now >= t.NonceReveal {
		r.bared = true
		o := r.sign(&proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: r.epoch, Nonce: r.nonce[:]}}})
		r.peers[r.me].nonce = o
		todo = append(todo, Publish{Opened: o})
	}
	if r.bound != nil {
		for _, d := range r.duties {
			todo = append(todo, r.advance(now, d)...)
		}
	}
	if next := r.next(now); next != 0 {
		todo = append(todo, Wake{next})
	}
	return todo
}

// next is the first moment after now at which something falls due, 0 for none.
func (r *Round) next(now uint64) (next uint64) {
	soonest := func(at uint64) {
		if at > now && at < r.end && (next == 0 || at < next) {
			next = at
		}
	}
	soonest(r.s.Times.NonceReveal)
	for _, d := range r.duties {
		if d.certified {
			continue
		}
		for _, at := range d.windows.moments() {
			soonest(at)
		}
		for _, c := range d.subjects {
			soonest(c.again)
		}
		soonest(d.draftAt)
		soonest(d.submitAt)
	}
	return next
}

// OnLedger says that a batch of this epoch has its certificate: nothing more is to be done
// about it.
func (r *Round) OnLedger(batch uint32) {
	for _, d := range r.duties {
		if d.batch == batch {
			d.certified = true
		}
	}
}

// attest signs a result as the ledger's certificate wants it.
func (r *Round) attest(d *duty, result []byte) []byte {
	return tx.Attest(r.s.Chain, r.s.Key, r.epoch, d.batch, result)
}
