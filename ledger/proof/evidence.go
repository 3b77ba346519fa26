package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Kinds of fraud proofs that this package judges, as in the ledger's FraudProof.kind. 3 is
// not among them: a wrong segment rests on a committee.
const (
	FraudTile    = tx.FraudTile   // a tile that recomputes differently
	FraudPath    = tx.FraudPath   // an opening that does not lead to its root
	FraudCommits = tx.FraudCommit // two commits of a container for one epoch
	FraudSeconds = tx.FraudSecond // two commitments of a container for one second of a session
	FraudWork    = tx.FraudVote   // a vote that its own checks contradict
	FraudVotes   = tx.FraudVotes  // two statements of a checker on one question
)

// Errors of evidence.
var (
	// ErrInnocent is evidence that does not convict; the text says why.
	ErrInnocent = errors.New("proof: this does not convict")
	// ErrUnknown is evidence that cannot be judged here: another kind, or an epoch whose
	// seed is not known any more.
	ErrUnknown = errors.New("proof: cannot be judged")
)

// Rules are what evidence is judged by. Two nodes with the same rules come to the same
// answer.
type Rules struct {
	Chain  string
	Kernel Kernel
	// Matcher has the rules of matches, and Facts is what the ledger knows of them. Without
	// the first no certificate is judged, without the second only what recomputes from it.
	Matcher Matcher
	Facts   Facts
	// Seed is the ledger's seed of an epoch; ok is false where it is not known (any more).
	Seed func(epoch uint64) (seed [32]byte, ok bool)
}

// Conviction is what a fraud proof shows.
type Conviction struct {
	Guilty  key.Node
	Offence economics.Offence
	Reason  Reason
	Epoch   uint64 // in which it happened; 0 for a second of a session
	// Name is the same for every proof of the same misdeed, whatever tile or pair shows it:
	// nobody is punished twice for one round.
	Name [32]byte
}

var (
	shapeTile = shapeOf(func() proto.Message { return new(TileEvidence) })
	shapePath = shapeOf(func() proto.Message { return new(PathEvidence) })
	shapePair = shapeOf(func() proto.Message { return new(PairEvidence) })
	shapeWork = shapeOf(func() proto.Message { return new(WorkEvidence) })
)

// Check judges a fraud proof: a Conviction, or ErrInnocent with why, ErrMalformed,
// ErrSignature and so on for what is no evidence at all. It renders at most MaxTiles tiles,
// and only when everything else fits.
func Check(r Rules, f *tx.FraudProof) (Conviction, error) {
	c, err := Prepare(r, f)
	if err != nil {
		return Conviction{}, err
	}
	return c.Judge()
}

// Case is a fraud proof in which everything fits that can be told without rendering.
type Case struct {
	conviction Conviction
	samples    uint64
	render     func() error               // nil when it convicts
	judge      func() (Conviction, error) // instead, where what it convicts of is found out on the way
}

// Samples is how many samples Judge will render, at most those of MaxTiles tiles of the
// kernel's largest size: rendering is all that a proof costs.
func (c *Case) Samples() uint64 { return c.samples }

// Name is that of the misdeed, should it convict.
func (c *Case) Name() [32]byte { return c.conviction.Name }

// Judge renders, and convicts or returns ErrInnocent; ErrOld where it is too late to tell.
func (c *Case) Judge() (Conviction, error) {
	if c.judge != nil {
		return c.judge()
	}
	if c.render != nil {
		if err := c.render(); err != nil {
			return Conviction{}, err
		}
	}
	return c.conviction, nil
}

// Prepare is the cheap part of Check: forms, limits, signatures and digests. What it
// refuses costs a few signatures, however it was made.
func Prepare(r Rules, f *tx.FraudProof) (*Case, error) {
	if len(f.GetEvidence()) > MaxEvidence {
		return nil, fmt.Errorf("%w: evidence: %d bytes, at most %d", ErrTooLarge, len(f.GetEvidence()), MaxEvidence)
	}
	if f.GetKind() == FraudMatch {
		return r.match(f)
	}
	o, err := open(&Signed{Statement: f.GetStatement(), Signer: f.GetSubject(), Signature: f.GetSignature()}, nil)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if err := o.Verify(r.Chain); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if e, ok := o.Epoch(); ok && e != f.GetEpoch() {
		return nil, fmt.Errorf("%w: %d, the statement is about %d; report it under its own", ErrEpoch, f.GetEpoch(), e)
	}
	switch f.GetKind() {
	case FraudTile:
		return r.tile(o, f.GetEvidence())
	case FraudPath:
		return r.path(o, f.GetEvidence())
	case FraudCommits, FraudSeconds, FraudVotes:
		return r.pair(f.GetKind(), o, f.GetEvidence())
	case FraudWork:
		return r.work(o, f.GetEvidence())
	}
	return nil, fmt.Errorf("%w: kind %d; this package judges 1, 2 and 4 to 8", ErrUnknown, f.GetKind())
}

// committed is a commit with the frames behind it, both checked against each other.
type committed struct {
	*Opened
	says  *CapCommit
	tiles uint32 // of a frame
	each  uint64 // samples of a tile
	roots [][32]byte
	task  [32]byte
}

// committed takes a commit whose signature is right and the frame roots that are said to be
// behind it. It wraps ErrInnocent when they are not.
func (r Rules) committed(o *Opened, roots []byte) (*committed, error) {
	c := o.Statement.GetCommit()
	switch {
	case c == nil:
		return nil, fmt.Errorf("%w: commit: is a %s", ErrKind, o.Kind())
	case c.GetBusy() != nil:
		return nil, innocent("the container was busy and committed no frames")
	case c.GetKernel() != r.Kernel.Version():
		return nil, fmt.Errorf("%w: kernel %.16q, this is %s; use a release that has it", ErrUnknown, c.GetKernel(), r.Kernel.Version())
	}
	seed, ok := r.Seed(c.GetEpoch())
	if !ok {
		return nil, fmt.Errorf("%w: the seed of epoch %d is not known here", ErrUnknown, c.GetEpoch())
	}
	tiles, each, ok := r.Kernel.Shape(c.GetSize())
	if !ok {
		return nil, fmt.Errorf("%w: size class %d is none of %s", ErrUnknown, c.GetSize(), r.Kernel.Version())
	}
	x := &committed{Opened: o, says: c, tiles: tiles, each: each / uint64(max(tiles, 1)), task: Task(r.Chain, c.GetEpoch(), seed)}
	if len(roots) != int(c.GetFrames())*32 {
		return nil, innocent("%d bytes of roots, the commit counts %d frames", len(roots), c.GetFrames())
	}
	x.roots = split(roots)
	if got := r.Kernel.RootsRoot(x.roots); string(got[:]) != string(c.GetRoots()) {
		return nil, innocent("these are not the roots of the commit")
	}
	return x, nil
}

// inside opens a statement that evidence quotes.
func (r Rules) inside(name string, s *Signed) (*Opened, error) {
	if s == nil {
		return nil, wrong(name, "is missing")
	}
	o, err := open(s, nil)
	if err == nil {
		err = o.Verify(r.Chain)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

// tile: the commit's own roots lead to a leaf that nobody else computes.
func (r Rules) tile(o *Opened, evidence []byte) (*Case, error) {
	var e TileEvidence
	if err := decode(evidence, shapeTile(), &e); err != nil {
		return nil, err
	}
	x, err := r.committed(o, e.GetRoots())
	if err != nil {
		return nil, err
	}
	render, err := r.wrongTile(x, e.GetOpening())
	if err != nil {
		return nil, err
	}
	return &Case{conviction: x.convict(economics.OffenceForged, ReasonTile), samples: x.each, render: render}, nil
}

// wrongTile prepares the recomputation of one opening of a commit.
func (r Rules) wrongTile(x *committed, it *Opening) (func() error, error) {
	if it == nil {
		return nil, wrong("opening", "is missing")
	}
	if err := checkOpening(it, len(x.roots)); err != nil {
		return nil, err
	}
	if it.GetTile() >= x.tiles {
		return nil, wrong("tile", "%d of %d; tiles count from 0", it.GetTile(), x.tiles)
	}
	return func() error {
		switch err := r.checkTile(x, it); {
		case err == nil:
			return innocent("tile %d of frame %d recomputes", it.GetTile(), it.GetFrame())
		case errors.Is(err, ErrTile):
			return nil
		case errors.Is(err, ErrPath):
			return innocent("the opening does not lead to the root of frame %d: it is not the container's", it.GetFrame())
		default:
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
	}, nil
}

func (r Rules) checkTile(x *committed, it *Opening) error {
	siblings := make([][32]byte, len(it.GetSiblings()))
	for i, s := range it.GetSiblings() {
		siblings[i] = [32]byte(s)
	}
	return r.Kernel.CheckTile(x.task, x.Signer, x.says.GetSize(), x.roots,
		Pick{it.GetFrame(), it.GetTile()}, [32]byte(it.GetLeaf()), siblings)
}

// path: the container signed openings that do not fit together.
func (r Rules) path(o *Opened, evidence []byte) (*Case, error) {
	var e PathEvidence
	if err := decode(evidence, shapePath(), &e); err != nil {
		return nil, err
	}
	said := o.Statement.GetOpenings()
	if said == nil {
		return nil, fmt.Errorf("%w: statement: is a %s", ErrKind, o.Kind())
	}
	c, err := r.inside("commit", e.GetCommit())
	if err != nil {
		return nil, err
	}
	switch {
	case c.Signer != o.Signer:
		return nil, innocent("the commit is another container's")
	case c.Digest != [32]byte(said.GetCommit()):
		return nil, innocent("the openings are of another commit")
	}
	if err := c.Of(KindCapCommit, said.GetEpoch()); err != nil {
		return nil, innocent("the openings name another epoch than their commit: %v", err)
	}
	roots := make([]byte, 0, 32*len(said.GetRoots()))
	for _, b := range said.GetRoots() {
		roots = append(roots, b...)
	}
	x, err := r.committed(c, roots)
	if errors.Is(err, ErrInnocent) && c.Statement.GetCommit().GetBusy() == nil {
		// The container signed that these are the roots of that commit, and they are not.
		return &Case{conviction: conviction(c.Signer, said.GetEpoch(), economics.OffenceForged, ReasonRoots)}, nil
	}
	if err != nil {
		return nil, err
	}
	if int(e.GetItem()) >= len(said.GetItems()) {
		return nil, wrong("item", "%d of %d; items count from 0", e.GetItem(), len(said.GetItems()))
	}
	it := said.GetItems()[e.GetItem()]
	guilty := x.convict(economics.OffenceForged, ReasonPath)
	if it.GetTile() >= x.tiles {
		return &Case{conviction: guilty}, nil // a tile that no frame has
	}
	return &Case{conviction: guilty, samples: x.each, render: func() error {
		switch err := r.checkTile(x, it); {
		case errors.Is(err, ErrPath):
			return nil
		case err == nil:
			return innocent("item %d leads to its root", e.GetItem())
		case errors.Is(err, ErrTile):
			return innocent("item %d leads to its root; its tile is wrong, which is a fraud of kind %d", e.GetItem(), FraudTile)
		default:
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
	}}, nil
}

func (x *committed) convict(o economics.Offence, r Reason) Conviction {
	return conviction(x.Signer, x.says.GetEpoch(), o, r)
}

// conviction names the misdeed by who did it and when: a container's in an epoch is one,
// whichever of its tiles shows it, and so is a checker's.
func conviction(guilty key.Node, epoch uint64, o economics.Offence, r Reason) Conviction {
	kind := uint32(FraudTile)
	switch r {
	case ReasonWork, ReasonSawWrong:
		kind = FraudWork
	case ReasonTwoVotes:
		kind = FraudVotes
	}
	return Conviction{Guilty: guilty, Offence: o, Reason: r, Epoch: epoch, Name: name(guilty, kind, epoch, nil)}
}

// CheckerDeeds are the names of the misdeeds that a checker can be convicted of in an epoch.
func CheckerDeeds(checker key.Node, epoch uint64) [2][32]byte {
	return [2][32]byte{name(checker, FraudWork, epoch, nil), name(checker, FraudVotes, epoch, nil)}
}

// name is SHA-256("framemesh/misdeed/1" ‖ node (32) ‖ kind (4) ‖ epoch (8) ‖ session).
func name(guilty key.Node, kind uint32, epoch uint64, session []byte) [32]byte {
	b := append([]byte("framemesh/misdeed/1"), guilty[:]...)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint64(b, epoch)
	return sha256.Sum256(append(b, session...))
}

func innocent(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInnocent, fmt.Sprintf(format, args...))
}

func join(roots [][32]byte) []byte {
	b := make([]byte, 0, 32*len(roots))
	for _, r := range roots {
		b = append(b, r[:]...)
	}
	return b
}

func split(b []byte) [][32]byte {
	out := make([][32]byte, len(b)/32)
	for i := range out {
		out[i] = [32]byte(b[32*i:])
	}
	return out
}
