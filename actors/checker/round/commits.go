package round

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// stage is how far a container's check has come.
type stage uint8

const (
	silent    stage = iota // nothing came
	stamped                // its commitment did
	asked                  // a question is on its way
	verifying              // its answer is being recomputed
	settled                // there is nothing more to find out
)

// subject is what this checker knows of one container of one of its batches.
type subject struct {
	node     key.Node
	standing judge.Standing

	stage   stage
	commit  *proof.Opened
	arrival uint64 // ms after T0, by this checker's clock
	rtt     uint32 // ms
	samples uint64
	checked bool // drawn, or too good to be believed

	picks []proof.Pick
	tries int
	again uint64     // when it is asked once more, ms
	roots [][32]byte // as the container opened them, after they fitted

	verdict  uint32 // 0 = as the commitment says
	reason   proof.Reason
	work     []byte
	evidence []byte // digest of a proof file

	pings, pongs uint32
	sample       *proof.Sample
	dropped      []byte // the session whose player missed it, as this checker did
}

// Committed takes a container's commitment, which came from it directly, and the round trip
// to it in ms. The answer is the digest of the commitment that this checker has, whether or
// not it is this one. It returns ErrForeign, ErrMember, ErrEarly, ErrClosed, ErrMalformed,
// or ErrDuplicate for another one than it has.
func (r *Round) Committed(now uint64, from key.Node, o *proof.Opened, rtt uint32) (have [32]byte, todo []Action, err error) {
	s, d, err := r.commits(now, from, o)
	if err != nil {
		return have, nil, r.refuse(err)
	}
	if s.commit != nil {
		s.rtt = min(s.rtt, rtt)
		if s.commit.Digest == o.Digest {
			return s.commit.Digest, nil, nil
		}
		todo, digest := r.accuse(proof.PairFraud(s.commit, o))
		s.stage, s.verdict, s.reason, s.evidence = settled, proof.VerdictBad, proof.ReasonTwoCommits, digest
		return s.commit.Digest, todo, r.refuse(fmt.Errorf("%w: %s committed to %x first", ErrDuplicate, from, s.commit.Digest[:8]))
	}
	r.stamp(s, o, now-r.s.Times.T0, rtt)
	return o.Digest, r.check(now, d, s), nil
}

// stamp enters a commitment. A busy container has nothing to open.
func (r *Round) stamp(s *subject, o *proof.Opened, arrival uint64, rtt uint32) {
	c := o.Statement.GetCommit()
	s.commit, s.rtt, s.arrival, s.stage = o, min(rtt, proof.MaxTimeMS), arrival, stamped
	if c.GetBusy() != nil {
		s.stage = settled
		return
	}
	_, samples, _ := r.s.Kernel.Shape(c.GetSize())
	s.samples = samples * uint64(c.GetFrames())
}

// commits says whether a commitment may be stamped at all.
func (r *Round) commits(now uint64, from key.Node, o *proof.Opened) (*subject, *duty, error) {
	c := o.Statement.GetCommit()
	if c == nil || o.Signer != from {
		return nil, nil, fmt.Errorf("%w: no commitment by %s", ErrMember, from)
	}
	d, place, ok := r.subject(from)
	switch {
	case c.GetEpoch() != r.epoch:
		return nil, nil, fmt.Errorf("%w: commitment of epoch %d, it is %d", ErrForeign, c.GetEpoch(), r.epoch)
	case !ok:
		return nil, nil, fmt.Errorf("%w: %s is in none of this checker's batches", ErrMember, from)
	case now < r.s.Times.T0:
		return nil, nil, fmt.Errorf("%w: a commitment %d ms before the round; set the clocks", ErrEarly, r.s.Times.T0-now)
	case now > r.s.Times.OpeningsBy || now-r.s.Times.T0 > proof.MaxTimeMS:
		return nil, nil, fmt.Errorf("%w: a commitment %d ms after the round began", ErrClosed, now-r.s.Times.T0)
	case c.GetBusy() == nil && c.GetKernel() != r.s.Kernel.Version():
		return nil, nil, fmt.Errorf("%w: kernel %q, this one is %s", ErrMalformed, c.GetKernel(), r.s.Kernel.Version())
	}
	if c.GetBusy() == nil {
		tiles, samples, ok := r.s.Kernel.Shape(c.GetSize())
		if !ok || c.GetFrames() == 0 || c.GetFrames() > proof.MaxFrames || tiles == 0 || samples == 0 {
			return nil, nil, fmt.Errorf("%w: %d frames of size %d; 1 to %d of a size that the kernel has", ErrMalformed, c.GetFrames(), c.GetSize(), proof.MaxFrames)
		}
	}
	return d.subjects[place], d, nil
}

// late says whether the commitment came too late to count.
func (r *Round) late(s *subject) bool { return r.s.Times.T0+s.arrival > r.s.Times.CommitBy }

// Measured adds what this checker found out about a container in other ways: liveness
// nonces sent and answered, and what it saw as a player or in an audit, which may be
// nil. The newest sample of each kind counts.
func (r *Round) Measured(container key.Node, pings, pongs uint32, sample *proof.Sample) {
	d, place, ok := r.subject(container)
	if !ok {
		return
	}
	s := d.subjects[place]
	s.pings += min(pings, proof.MaxPings-min(s.pings, proof.MaxPings))
	s.pongs = min(s.pongs+min(pongs, proof.MaxPings), s.pings)
	if sample != nil {
		s.sample = merge(s.sample, sample)
	}
}
