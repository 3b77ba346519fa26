package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// MatchEpochs is for how many epochs after its own a match certificate is compared with what
// the ledger said then. What recomputes from the certificate alone convicts for longer.
const MatchEpochs = 6

// WithMatcher gives the machine the rules of matches. Every node that follows blocks needs
// them: a machine without them stops at the first certificate that is reported.
func WithMatcher(x proof.Matcher) Option { return func(m *Machine) { m.matcher = x } }

// matchFacts is the state as whoever judges a certificate asks it. Reading may fail, which
// must stop the node and never decide a question: bad has the first error.
type matchFacts struct {
	r           Reader
	now, height uint64 // epoch and height of the block that judges
	frozen      uint64 // last epoch whose candidates are known
	bad         error
}

var _ proof.Facts = (*matchFacts)(nil)

func (m *Machine) matchFacts() *matchFacts {
	return &matchFacts{r: m.overlay, now: m.head.Epoch, height: m.head.Height, frozen: m.head.Frozen}
}

// number reads a record of 8 bytes.
func (f *matchFacts) number(k []byte) (v uint64, ok bool) {
	b, err := f.r.Get(k)
	if err == nil && b != nil && len(b) != 8 {
		err = fmt.Errorf("%w: %q", ErrRecord, k)
	}
	if err != nil {
		f.bad = err
		return 0, false
	}
	if b == nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

// Beacon implements proof.Facts.
func (f *matchFacts) Beacon(seed [32]byte) (uint64, bool) { return f.number(BeaconKey(seed)) }

func (f *matchFacts) past(epoch uint64) bool { return epoch < f.now && f.now-epoch > MatchEpochs }

// Block implements proof.Facts. The block that judges is not over: nobody has read what
// stands after it. A block of this epoch or a later one that is still to come is not wrong:
// it may be there when a report of it is judged, and whoever reports it would lose a bond for
// having been early.
func (f *matchFacts) Block(height, epoch uint64) proof.Answer {
	switch {
	case epoch > f.now || epoch == f.now && height >= f.height:
		return proof.Unknown
	case f.past(epoch):
		return proof.Unknown
	case height >= f.height:
		return proof.Wrong
	}
	first, ok := f.number(BeganKey(epoch))
	if !ok || height < first {
		return proof.Wrong
	}
	for e := epoch + 1; e <= f.now; e++ { // not by a range: whoever has only proofs asks the same
		if next, ok := f.number(BeganKey(e)); ok {
			return answer(height < next)
		}
	}
	return proof.Right
}

func answer(right bool) proof.Answer {
	if right {
		return proof.Right
	}
	return proof.Wrong
}

// Figures implements proof.Facts, for blocks that Block calls right.
func (f *matchFacts) Figures(container key.Node, height uint64, said proof.Figures) proof.Answer {
	c, _, err := load(f.r, FiguresKey(container), DecodeChanges)
	if err != nil {
		f.bad = err
		return proof.Unknown
	}
	return c.After(height, said)
}

// Indexer implements proof.Facts. Nodes may be an epoch apart, so the sets of the epochs
// before and after count as well; none after that, or what was wrong when it was reported
// could be right when it is judged.
func (f *matchFacts) Indexer(n key.Node, epoch uint64) proof.Answer {
	if f.past(epoch) {
		return proof.Unknown
	}
	for e := epoch - min(epoch, 1); e <= epoch+1; e++ {
		if e > f.frozen {
			return proof.Unknown
		}
		listed, err := Listed(f.r, e, economics.RoleIndexer, n)
		if err != nil {
			f.bad = err
			return proof.Unknown
		}
		if listed {
			return proof.Right
		}
	}
	return proof.Wrong
}

// JudgeMatch says what a sealed certificate would convict its indexer of if it were reported
// as r stands, and the report: what the ledger says to it, too. It only gets single values, so
// that it works over proofs. Errors are those of proof.Check, or of reading.
func JudgeMatch(r Reader, chain string, x proof.Matcher, sealed []byte) (*tx.FraudProof, proof.Conviction, error) {
	h, ok, err := load(r, HeadKey(), DecodeHead)
	if err == nil && !ok {
		err = fmt.Errorf("%w: no head", ErrState)
	}
	if err != nil {
		return nil, proof.Conviction{}, err
	}
	facts := &matchFacts{r: r, now: h.Epoch, height: h.Height + 1, frozen: h.Frozen} // as in the next block
	rules := proof.Rules{Chain: chain, Matcher: x, Facts: facts}
	op, err := rules.ReportMatch(sealed)
	var found proof.Conviction
	if err == nil {
		found, err = proof.Check(rules, op)
	}
	if facts.bad != nil {
		return nil, proof.Conviction{}, fmt.Errorf("state: %w", facts.bad)
	}
	return op, found, err
}

// Listed says whether a node is a candidate of a role in an epoch: it looks only at the pages
// where the node would stand. A set that is not known lists nobody.
func Listed(r Reader, epoch uint64, role economics.Role, n key.Node) (bool, error) {
	_, ok, err := candidate(r, epoch, role, n)
	return ok, err
}

// candidate is a node as it stands in a set; ok is false where it does not.
func candidate(r Reader, epoch uint64, role economics.Role, n key.Node) (c Candidate, ok bool, err error) {
	page := func(i uint32) (CandidatePage, bool, error) {
		return load(r, CandidatesKey(epoch, role, i), DecodeCandidates)
	}
	first, ok, err := page(0)
	if err != nil || !ok || first.Total == 0 {
		return c, false, err
	}
	// The page of a node is the last one whose first candidate is not above it.
	low, high := uint32(0), (first.Total-1)/PageSize
	at := first
	for low < high {
		mid := low + (high-low+1)/2
		p, ok, err := page(mid)
		if err != nil || !ok || len(p.Candidates) == 0 {
			return c, false, err
		}
		if bytes.Compare(p.Candidates[0].Node[:], n[:]) <= 0 {
			low, at = mid, p
		} else {
			high = mid - 1
		}
	}
	i := sort.Search(len(at.Candidates), func(i int) bool { return bytes.Compare(at.Candidates[i].Node[:], n[:]) >= 0 })
	if i == len(at.Candidates) || at.Candidates[i].Node != n {
		return c, false, nil
	}
	return at.Candidates[i], true, nil
}
