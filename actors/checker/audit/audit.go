// Package audit judges what a container shows of a session's seconds: that it signed
// them one after the other, that the app it advertised gives them bit by bit when played
// again, and that the inputs were the players' (docs/spec/work.md).
//
// A finding is about the container. What prevents this machine from judging, such as
// another architecture or a deadline, is an error and no finding.
package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Terms are what the auditor knows of a session by itself, and what it asked for.
type Terms struct {
	Chain     string
	Container key.Node
	Session   [16]byte
	App       [32]byte // SHA-256 of the module, as the match certificate or the ad has it
	Owner     [32]byte // key of the player who opened the session; zero when it is not known
	From      uint32   // second asked for
	Seconds   uint32   // from there, 1 to proof.MaxWindow
	// Named is the digest of the commitment that the container named before anybody knew
	// which seconds would be asked for, and NamedSecond is what it is about. The seconds shown
	// must lead there. Zero when it named none.
	Named       [32]byte
	NamedSecond uint32
	// Epoch and Seed go into a proof file.
	Epoch uint64
	Seed  [32]byte
}

// Outcome is what an audit came to.
type Outcome int

// Outcomes.
const (
	Equal    Outcome = iota + 1 // replayed, equal, and every input is the players'
	Unproven                    // replayed and equal, but of some inputs nobody signed that they were sent
	Wrong                       // not what the container signed, advertised, or was sent
	NotGiven                    // what the container showed is not an answer to what it was asked
)

// String says the outcome in a word or two.
func (o Outcome) String() string {
	switch o {
	case Equal:
		return "equal"
	case Unproven:
		return "unproven inputs"
	case Wrong:
		return "wrong"
	case NotGiven:
		return "not given"
	}
	return "not audited"
}

// Sample is the outcome as proof.Sample.audit has it.
func (o Outcome) Sample() uint32 {
	switch o {
	case Equal, Unproven:
		return proof.AuditEqual
	case Wrong:
		return proof.AuditWrong
	case NotGiven:
		return proof.AuditNotHad
	}
	return proof.AuditNone
}

// Fields that may be wrong beside those of segment.Verdict.
const (
	FieldApp    = "module" // another app than the advertised one
	FieldPlayer = "player" // an input that the player did not send
)

// Finding is what an audit found.
type Finding struct {
	Outcome  Outcome
	Reason   proof.Reason // with Wrong and NotGiven
	FirstBad uint32       // with Wrong: the first second that is
	Field    string       // and what is wrong with it
	Text     string       // a sentence
	Seconds  uint32       // that were replayed
	Restored bool         // the first one went on from where a crashed worker was put back to, which nothing vouches for
	Inputs   Inputs
}

// Inputs counts the messages that reached the game in the seconds.
type Inputs struct {
	Applied  int // in all
	Proven   int // signed by their player
	Released int // empty ones by which the container lets go for a page that went
	Guests   int // of the proven, those of other players than the owner
}

// withhold makes a finding of a container that did not answer.
func withhold(format string, args ...any) Finding {
	return Finding{Outcome: NotGiven, Reason: proof.ReasonAudit, Text: fmt.Sprintf(format, args...)}
}

// Audit judges an answer. code is the module of the terms' app. The file, which anybody
// can rerun, comes with a finding of Wrong that recomputes; it is nil otherwise.
func Audit(ctx context.Context, t Terms, answer *proof.Opened, code []byte, replay segment.Auditor) (Finding, *proof.File, error) {
	sh, bad := unpack(t, answer)
	if bad != nil {
		return *bad, nil, nil
	}
	if app := sh.segments[0].Statement.GetSegment().GetApp(); !bytes.Equal(app, t.App[:]) {
		return sh.otherModule("The container signed for the module %x; it was matched for %x.", app[:8], t.App[:8]), nil, nil
	}
	f, proofOf, err := sh.replay(ctx, code, replay)
	if err != nil || f.Outcome != Equal {
		return f, proofOf, err
	}
	return sh.players(f)
}

// shown is an answer whose form and signatures hold.
type shown struct {
	t        Terms
	w        segment.Window
	before   *proof.Opened   // commitment of the second before the window; nil for the session's first
	segments []*proof.Opened // one for each second of the window
	batches  []batch
}

func (s *shown) first() uint32 { return s.w.Seconds[0].Number }

// unpack checks an answer: by whom it is, of what, and that the commitments are a chain.
func unpack(t Terms, answer *proof.Opened) (*shown, *Finding) {
	refuse := func(format string, args ...any) (*shown, *Finding) {
		f := withhold(format, args...)
		return nil, &f
	}
	a := answer.Statement.GetAudit()
	if a == nil || answer.Signer != t.Container || answer.Verify(t.Chain) != nil {
		return refuse("The answer is not an audit signed by the container.")
	}
	if !bytes.Equal(a.GetSession(), t.Session[:]) {
		return refuse("The answer is about session %x.", a.GetSession())
	}
	w, err := segment.ParseWindow(a.GetWindow())
	if err != nil || len(w.Seconds) == 0 {
		return refuse("The window does not parse: %v.", err)
	}
	s := &shown{t: t, w: w}
	first, n := s.first(), uint32(len(w.Seconds))
	if first != a.GetFrom() || first > t.From || uint64(first)+uint64(n) < uint64(t.From)+1 || n > proof.MaxWindow {
		return refuse("The answer is about seconds %d to %d; asked for were %d from %d on.", first, first+n-1, t.Seconds, t.From)
	}
	for i, raw := range a.GetSegments() {
		o, err := proof.OpenSigned(t.Chain, raw)
		if err != nil || o.Kind() != proof.KindSegCommit || o.Signer != t.Container || !bytes.Equal(o.Statement.GetSegment().GetSession(), t.Session[:]) {
			return refuse("Commitment %d of the answer is not the container's for this session.", i+1)
		}
		s.segments = append(s.segments, o)
	}
	if first > 0 {
		s.before, s.segments = s.segments[0], s.segments[1:]
	}
	if len(s.segments) != int(n) {
		return refuse("The answer has %d commitments for %d seconds.", len(s.segments), n)
	}
	if text := s.chained(); text != "" {
		return refuse("%s", text)
	}
	if text := s.linked(a.GetAfter()); text != "" {
		return refuse("%s", text)
	}
	if s.batches, err = s.records(a.GetInputs()); err != nil {
		return refuse("The players' records do not hold: %v.", err)
	}
	if text := s.withheld(); text != "" {
		return refuse("%s", text)
	}
	return s, nil
}

// chained says what is wrong with the row of commitments, or nothing.
func (s *shown) chained() string {
	previous := s.before
	for i, o := range s.segments {
		c, sec := o.Statement.GetSegment(), &s.w.Seconds[i]
		if c.GetSecond() != sec.Number || c.GetRestored() != sec.Restored {
			return fmt.Sprintf("Commitment %d is about second %d; the window has second %d there.", i+1, c.GetSecond(), sec.Number)
		}
		if previous != nil {
			p := previous.Statement.GetSegment()
			if !bytes.Equal(c.GetPrevious(), previous.Digest[:]) || !bytes.Equal(c.GetApp(), p.GetApp()) || c.GetSecond() <= p.GetSecond() ||
				c.GetSecond() != p.GetSecond()+1 && !c.GetRestored() {
				return fmt.Sprintf("The commitment of second %d does not follow that of second %d.", c.GetSecond(), p.GetSecond())
			}
		}
		previous = o
	}
	return ""
}

// linked says why the commitments shown are not the past of the one that the container named,
// or nothing. A second that was never signed may be missing on the way: what counts is that
// nothing else can have come before.
func (s *shown) linked(after []*proof.Signed) string {
	if s.t.Named == ([32]byte{}) {
		return ""
	}
	previous := s.segments[len(s.segments)-1]
	for _, raw := range after {
		o, err := proof.OpenSigned(s.t.Chain, raw)
		if err != nil || o.Signer != s.t.Container {
			return fmt.Sprintf("The commitment that is shown after second %d is not the container's.", previous.Statement.GetSegment().GetSecond())
		}
		c, p := o.Statement.GetSegment(), previous.Statement.GetSegment()
		if !bytes.Equal(c.GetSession(), s.t.Session[:]) || c.GetSecond() <= p.GetSecond() || !bytes.Equal(c.GetPrevious(), previous.Digest[:]) {
			return fmt.Sprintf("The commitment of second %d does not follow that of second %d.", c.GetSecond(), p.GetSecond())
		}
		previous = o
	}
	for _, o := range append([]*proof.Opened{previous}, s.segments...) {
		if o.Digest == s.t.Named {
			return ""
		}
	}
	return fmt.Sprintf("The seconds shown do not lead to the commitment of second %d that the container had named before it knew what it would be asked for.", s.t.NamedSecond)
}

// claimed are the roots that the container signed.
func (s *shown) claimed() []segment.Roots {
	out := make([]segment.Roots, len(s.segments))
	for i, o := range s.segments {
		c := o.Statement.GetSegment()
		out[i] = segment.Roots{State: [32]byte(c.GetState()), Input: [32]byte(c.GetInputs()), Frame: [32]byte(c.GetFrames()), Audio: [32]byte(c.GetAudio()), Ticks: c.GetTicks()}
	}
	return out
}

// replay plays the seconds again.
func (s *shown) replay(ctx context.Context, code []byte, a segment.Auditor) (Finding, *proof.File, error) {
	claimed := s.claimed()
	if s.torn(claimed[0]) {
		v := segment.Verdict{Number: s.first(), Field: segment.FieldStart, Got: [32]byte(s.before.Statement.GetSegment().GetState()), Claimed: s.w.Seconds[0].Start}
		return s.wrong(v), s.header(0, claimed), nil
	}
	v, err := a.Audit(ctx, code, s.w, claimed)
	switch {
	case errors.Is(err, segment.ErrForeign):
		return s.otherModule("The container signed for the module %x, and shows a state of another one: %v.", s.t.App[:8], err), nil, nil
	case errors.Is(err, segment.ErrUnbound), errors.Is(err, segment.ErrMalformed):
		return withhold("What the container showed is not what it signed: %v.", err), nil, nil
	case errors.Is(err, segment.ErrModule) && s.w.Params.App != s.t.App:
		return s.otherModule("The container signed for the module %x, and shows a session of %x.", s.t.App[:8], s.w.Params.App[:8]), nil, nil
	case err != nil:
		return Finding{}, nil, fmt.Errorf("audit: %w", err)
	}
	f := Finding{Outcome: Equal, Seconds: uint32(len(claimed)), Restored: s.w.Seconds[0].Restored, Text: "Every second is what the container signed."}
	if !v.Bad() {
		return f, nil, nil
	}
	switch {
	case v.Field == segment.FieldStart && v.FirstBad > 0:
		return s.wrong(v), s.header(v.FirstBad, claimed), nil
	case v.Field == segment.FieldStart:
		// How the app was started is in no commitment, so no file can show this; the
		// container has signed it in its answer.
		return s.wrong(v), nil, nil
	}
	file, err := s.prove(ctx, code, a, claimed, v.FirstBad)
	return s.wrong(v), file, err
}

// wrong is the finding of a replay that does not come to what was signed.
func (s *shown) wrong(v segment.Verdict) Finding {
	return Finding{Outcome: Wrong, Reason: proof.ReasonSegment, FirstBad: v.Number, Field: v.Field, Seconds: uint32(len(s.segments)),
		Restored: s.w.Seconds[0].Restored, Text: fmt.Sprintf("The session does not replay: %v.", v)}
}

// otherModule is the finding of a session of another module than the container signed for. It
// rests on the container's signatures alone: commitments name the module, and the answer, which
// is signed as a whole, holds a state that names another. A container that runs what it says
// never signs the two together. Who writes the right name over the state has no answer that
// its commitments vouch for.
func (s *shown) otherModule(format string, args ...any) Finding {
	return Finding{Outcome: Wrong, Reason: proof.ReasonModule, FirstBad: s.first(), Field: FieldApp, Text: fmt.Sprintf(format, args...)}
}

// torn says whether the window's first second begins elsewhere than the one before it
// ended, by the container's own signatures.
func (s *shown) torn(claimed segment.Roots) bool {
	first := s.w.Seconds[0]
	first.Roots = claimed
	return s.before != nil && !first.Restored && first.Bound() && !bytes.Equal(first.Start[:], s.before.Statement.GetSegment().GetState())
}

// header is the proof that a second begins elsewhere than the one before it ended: both
// commitments, and what the later one was told. Nothing is replayed for it.
func (s *shown) header(k int, claimed []segment.Roots) *proof.File {
	sec := s.w.Seconds[k]
	sec.Roots = claimed[k]
	w := segment.Window{Params: s.w.Params, Seconds: []segment.Second{sec}}
	return s.file(&proof.Second{Subject: s.t.Container[:], Segments: []*proof.Signed{s.at(k - 1).Signed, s.segments[k].Signed}, Proof: w.Append(nil)})
}

// prove narrows the window down to the bad second, and puts it into a file with the two
// commitments that bind it. A second that was restored has no state that anybody signed,
// so it is found wrong and not proven.
func (s *shown) prove(ctx context.Context, code []byte, a segment.Auditor, claimed []segment.Roots, k int) (*proof.File, error) {
	w := s.w
	if k > 0 {
		var err error
		if w, err = a.Prove(ctx, code, s.w, claimed, k); err != nil {
			return nil, fmt.Errorf("audit: proof of second %d: %w", s.w.Seconds[k].Number, err)
		}
	}
	w.Seconds = w.Seconds[:1:1]
	w.Seconds[0].Roots = claimed[k]
	if w.Seconds[0].Restored {
		return nil, nil
	}
	segments := []*proof.Signed{s.segments[k].Signed}
	if before := s.at(k - 1); before != nil {
		segments = []*proof.Signed{before.Signed, segments[0]}
	}
	return s.file(&proof.Second{Subject: s.t.Container[:], Segments: segments, Proof: w.Append(nil)}), nil
}

// at is the commitment at an index of the window; -1 is the one before it.
func (s *shown) at(k int) *proof.Opened {
	if k < 0 {
		return s.before
	}
	return s.segments[k]
}

func (s *shown) file(x *proof.Second) *proof.File {
	return &proof.File{Version: 1, Chain: s.t.Chain, Epoch: s.t.Epoch, Seed: s.t.Seed[:], Holds: &proof.File_Second{Second: x}}
}
