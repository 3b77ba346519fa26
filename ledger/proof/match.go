package proof

import (
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// FraudMatch is an indexer's certificate that does not recompute. Its statement is the sealed
// certificate; there is nothing else to it.
const FraudMatch = tx.FraudMatch

// MatchSamples is what judging a certificate counts for in a block: a few signatures and
// hashes, half a millisecond, are counted as some four milliseconds of rendering.
const MatchSamples = 1 << 16

// ErrOld is evidence that cannot be judged any more, or not yet: what it would be compared
// with is forgotten, or still to come. It costs nobody a bond.
var ErrOld = errors.New("proof: too long ago to be judged, or too early")

// Figures is what the ledger says of a container after a block: of one of which it says
// nothing, zeros.
type Figures struct {
	RPMilli     uint64 // median of what its rounds counted, milli-RP
	QualityPPM  uint32
	PriorityPPM uint32
	ProvenUntil uint64 // last epoch in which it may stand by
}

// Match is what a certificate says that the ledger knows better.
type Match struct {
	Indexer key.Node   // who sealed it
	Beacon  [32]byte   // that it says it was drawn with; zero where it says none
	Drawn   []key.Node // indexers that it names as drawn
	Strange bool       // it names one as drawn whose key can be no node's
	Choices []MatchChoice
}

// MatchChoice is one choice of a certificate.
type MatchChoice struct {
	// Container is who sealed the ad; zero, with Forged, where nobody did.
	Container key.Node
	// Held says that ad and figures are under the certificate's root, so that the indexer
	// says that it had them before it.
	Held bool
	// Forged says that the ad is not sealed by any container.
	Forged  bool
	Figures *MatchFigures // nil where it rests on what the ad claims
}

// MatchFigures are figures as a certificate has them.
type MatchFigures struct {
	Figures
	Height uint64 // of the block after which they were read
	Epoch  uint64 // of that block
}

// Matcher recomputes match certificates. The node hands one in; its rules stand in
// docs/spec/match.md. Everything here is a pure function.
type Matcher interface {
	// Version is the name of the rules: match-1.
	Version() string
	// Open says what a sealed certificate says of itself, after its seal was verified: one
	// signature. Of its choices it has only the figures. It wraps ErrMalformed, or ErrSignature where the seal
	// is wrong or made for another network.
	Open(chain string, sealed []byte) (*Match, error)
	// Recompute is Open with the choices, and says whether these follow from what stands in
	// the certificate: wrong is nil, or what does not.
	Recompute(chain string, sealed []byte) (m *Match, wrong error, err error)
}

// Answer is what the ledger knows about a claim.
type Answer uint8

// Answers. Unknown is neither: it was too long ago, or is still to come.
const (
	Unknown Answer = iota
	Right
	Wrong
)

// Facts is the ledger, as whoever judges a certificate asks it.
type Facts interface {
	// Beacon is the epoch whose seed this is; ok is false for what was no epoch's.
	Beacon(seed [32]byte) (epoch uint64, ok bool)
	// Block says whether there was a block of that height in that epoch, below the one in
	// which it is judged. One that may still come is Unknown.
	Block(height, epoch uint64) Answer
	// Figures says whether a container had these figures after that block.
	Figures(container key.Node, height uint64, f Figures) Answer
	// Indexer says whether a node may have been drawn as an indexer in an epoch, in the one
	// before, or in the one after.
	Indexer(n key.Node, epoch uint64) Answer
}

// MatchFraud proves that a sealed certificate is wrong. epoch is that of its beacon or, where
// that is none's seed, of its first figures that name a block.
func MatchFraud(indexer key.Node, epoch uint64, sealed []byte) *tx.FraudProof {
	return &tx.FraudProof{Kind: FraudMatch, Subject: indexer[:], Epoch: epoch, Statement: sealed}
}

// ReportMatch makes the report of a certificate: by whom it is, and of which epoch. That it is
// wrong is for Check to say. Errors are those of Matcher.Open, and ErrUnknown where nothing
// says when it was made.
func (r Rules) ReportMatch(sealed []byte) (*tx.FraudProof, error) {
	m, err := r.Matcher.Open(r.Chain, sealed)
	if err != nil {
		return nil, err
	}
	epoch, err := r.dated(m, 0)
	if err != nil {
		return nil, err
	}
	return MatchFraud(m.Indexer, epoch, sealed), nil
}

// match prepares a certificate for judgement: it is the accused's, and of the epoch that it
// is reported under.
func (r Rules) match(f *tx.FraudProof) (*Case, error) {
	if r.Matcher == nil {
		return nil, fmt.Errorf("%w: a match, without its rules", ErrUnknown)
	}
	m, err := r.Matcher.Open(r.Chain, f.GetStatement())
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if m.Indexer != key.Node(f.GetSubject()) {
		return nil, innocent("the certificate is of another indexer, %s", m.Indexer)
	}
	epoch, err := r.dated(m, f.GetEpoch())
	if err != nil {
		return nil, err
	}
	if epoch != f.GetEpoch() {
		return nil, fmt.Errorf("%w: %d, the certificate is of epoch %d; report it under its own", ErrEpoch, f.GetEpoch(), epoch)
	}
	judge := func() (Conviction, error) { return r.judgeMatch(f.GetStatement(), epoch) }
	// Whoever was convicted of forged candidates has nothing left to lose for that epoch;
	// whoever was convicted of less may have done worse.
	return &Case{conviction: matchConviction(m.Indexer, epoch, ReasonCandidates), samples: MatchSamples, judge: judge}, nil
}

// dated is the epoch that a certificate is of, by what the ledger knows. The indexer's clock
// counts for nothing. Without the ledger it is what somebody says.
func (r Rules) dated(m *Match, said uint64) (uint64, error) {
	if r.Facts == nil {
		return said, nil
	}
	if epoch, ok := r.Facts.Beacon(m.Beacon); ok {
		return epoch, nil
	}
	for _, c := range m.Choices {
		if c.Figures != nil && r.Facts.Block(c.Figures.Height, c.Figures.Epoch) == Right {
			return c.Figures.Epoch, nil
		}
	}
	return 0, fmt.Errorf("%w: neither beacon nor figures of the certificate say when it was made", ErrUnknown)
}

// judgeMatch convicts of the worst that a certificate shows.
func (r Rules) judgeMatch(sealed []byte, epoch uint64) (Conviction, error) {
	m, wrong, err := r.Matcher.Recompute(r.Chain, sealed)
	if err != nil {
		return Conviction{}, fmt.Errorf("statement: %w", err)
	}
	old := false
	for _, c := range m.Choices {
		switch r.candidate(c) {
		case Wrong:
			return matchConviction(m.Indexer, epoch, ReasonCandidates), nil
		case Unknown:
			old = true
		}
	}
	if wrong != nil {
		return matchConviction(m.Indexer, epoch, ReasonMatch), nil
	}
	switch answer := r.drawn(m, epoch); {
	case answer == Wrong:
		return matchConviction(m.Indexer, epoch, ReasonMatch), nil
	case old || answer == Unknown:
		if r.Facts == nil {
			return Conviction{}, fmt.Errorf("%w: the certificate recomputes; whether its figures and its draw are the ledger's, only that knows", ErrUnknown)
		}
		return Conviction{}, fmt.Errorf("%w: the certificate recomputes, and what the ledger would say to it is forgotten or still to come", ErrOld)
	}
	return Conviction{}, innocent("the certificate recomputes, and says what the ledger says")
}

// candidate judges what stands under the root for a choice: Wrong is what could not stand
// there.
func (r Rules) candidate(c MatchChoice) Answer {
	switch {
	case !c.Held:
		return Right // the indexer does not say that it was there
	case c.Forged:
		return Wrong
	case c.Figures == nil:
		return Right
	case r.Facts == nil:
		return Unknown
	}
	if a := r.Facts.Block(c.Figures.Height, c.Figures.Epoch); a != Right {
		return a
	}
	return r.Facts.Figures(c.Container, c.Figures.Height, c.Figures.Figures)
}

// drawn judges what a certificate that recomputes says of its draw, and that it rests on
// what was measured.
func (r Rules) drawn(m *Match, epoch uint64) Answer {
	for _, c := range m.Choices {
		if c.Figures == nil {
			return Wrong
		}
	}
	if r.Facts == nil {
		return Unknown
	}
	if _, ok := r.Facts.Beacon(m.Beacon); !ok || m.Strange {
		return Wrong
	}
	out := r.Facts.Indexer(m.Indexer, epoch)
	for _, n := range m.Drawn {
		if out != Right {
			return out
		}
		out = r.Facts.Indexer(n, epoch)
	}
	return out
}

// matchConviction names the deed by the indexer, the epoch and how bad it is, so that a small
// deed that a friend reports first is no shelter for a great one.
func matchConviction(indexer key.Node, epoch uint64, r Reason) Conviction {
	c := Conviction{Guilty: indexer, Offence: economics.OffenceMatch, Reason: r, Epoch: epoch}
	if r == ReasonCandidates {
		c.Offence = economics.OffenceCandidates
	}
	c.Name = name(indexer, FraudMatch, epoch, []byte{byte(r)})
	return c
}
