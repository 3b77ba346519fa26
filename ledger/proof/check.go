package proof

import (
	"crypto/sha256"
	"fmt"
	"unicode"

	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/key"
)

// How fields are checked, and what the errors are.
var (
	fields                         = canonical.Fields{Err: ErrMalformed}
	wrong, sized, optional, within = fields.Wrong, fields.Sized, fields.Optional, fields.Within
)

// Verdicts about a container in a round. The numbers stand in votes and results.
const (
	VerdictNone    = 0 // no quorum; only in a Result
	VerdictOK      = 1 // committed in time, and what was checked is right
	VerdictLate    = 2 // committed, after the deadline
	VerdictBad     = 3 // committed what does not recompute, or would not open it
	VerdictAbsent  = 4 // no commit came
	VerdictBusy    = 5 // in a session
	VerdictRefused = 6 // something came that is no commit
	verdictEnd     = 7
)

var verdictNames = [verdictEnd]string{"none", "ok", "late", "bad", "absent", "busy", "refused"}

// VerdictName is the verdict in one word; "" for a number that is none.
func VerdictName(v uint32) string {
	if v >= verdictEnd {
		return ""
	}
	return verdictNames[v]
}

// What an audit of a session came to, in Sample.audit.
const (
	AuditNone    = 0
	AuditEqual   = 1 // replayed and equal
	AuditWrong   = 2 // replayed and not equal
	AuditNotHad  = 3 // asked for and not given
	auditOutcome = 4
)

// check holds a statement to its limits: all that can be said of it alone.
func check(st *Statement) error {
	switch s := st.GetSays().(type) {
	case *Statement_NonceCommit:
		return sized("digest", s.NonceCommit.GetDigest(), sha256.Size)
	case *Statement_Nonce:
		return sized("nonce", s.Nonce.GetNonce(), 32)
	case *Statement_Commit:
		return checkCommit(s.Commit)
	case *Statement_Openings:
		return checkOpenings(s.Openings)
	case *Statement_VoteCommit:
		return canonical.First(
			within("attempt", uint64(s.VoteCommit.GetAttempt()), 0, 1),
			sized("digest", s.VoteCommit.GetDigest(), sha256.Size))
	case *Statement_Vote:
		return checkVote(s.Vote)
	case *Statement_Draft:
		return checkDraft(s.Draft)
	case *Statement_Segment:
		return checkSegment(s.Segment)
	case *Statement_Pong:
		return canonical.First(
			sized("nonce", s.Pong.GetNonce(), 32),
			sized("checker", s.Pong.GetChecker(), key.Size),
			within("sessions", uint64(s.Pong.GetSessions()), 0, 1<<16))
	case *Statement_Audit:
		return checkAudit(s.Audit)
	case *Statement_Quality:
		return checkQuality(s.Quality)
	case *Statement_AuditRequest:
		r := s.AuditRequest
		return canonical.First(
			sized("session", r.GetSession(), SessionSize),
			within("seconds", uint64(r.GetSeconds()), 1, MaxWindow))
	case *Statement_Watch:
		w := s.Watch
		return canonical.First(
			sized("container", w.GetContainer(), key.Size),
			sized("session", w.GetSession(), SessionSize),
			within("asked", uint64(w.GetAsked()), 1, MaxPings),
			within("answered", uint64(w.GetAnswered()), 0, uint64(w.GetAsked())))
	}
	return fmt.Errorf("%w: statement: says nothing", ErrMalformed)
}

func checkCommit(c *CapCommit) error {
	if err := canonical.First(
		plain("backend", c.GetBackend(), MaxBackend),
		plain("device", c.GetDevice(), MaxDevice),
	); err != nil {
		return err
	}
	if b := c.GetBusy(); b != nil {
		if c.GetFrames() != 0 || c.GetSize() != 0 || len(c.GetRoots()) != 0 {
			return wrong("busy", "with frames; a container in a session leaves them out")
		}
		if c.GetKernel() != "" && c.GetKernel() != KernelRP1 {
			return wrong("kernel", "%.16q is not known; use %s", c.GetKernel(), KernelRP1)
		}
		if err := sized("session", b.GetSession(), SessionSize); err != nil {
			return err
		}
		return checkInner("segment", b.GetSegment(), KindSegCommit)
	}
	if c.GetKernel() != KernelRP1 {
		return wrong("kernel", "%.16q is not known; use %s", c.GetKernel(), KernelRP1)
	}
	return canonical.First(
		within("frames", uint64(c.GetFrames()), 1, MaxFrames),
		within("size", uint64(c.GetSize()), 0, 255),
		sized("roots", c.GetRoots(), sha256.Size))
}

// checkInner looks at a statement inside another one, if there is one. Its signature is for
// whoever needs it: the outer signer may be quoting what it was told.
func checkInner(name string, s *Signed, kind Kind) error {
	if s == nil {
		return nil
	}
	if len(s.GetStatement()) > kind.Limit() {
		return wrong(name, "%d bytes, at most %d", len(s.GetStatement()), kind.Limit())
	}
	o, err := open(s, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if o.Kind() != kind {
		return wrong(name, "is a %s, must be a %s", o.Kind(), kind)
	}
	return nil
}

func checkOpenings(o *Openings) error {
	if err := canonical.First(
		sized("checker", o.GetChecker(), key.Size),
		sized("commit", o.GetCommit(), sha256.Size),
		within("roots", uint64(len(o.GetRoots())), 1, MaxFrames),
		within("items", uint64(len(o.GetItems())), 1, MaxTiles),
	); err != nil {
		return err
	}
	for i, r := range o.GetRoots() {
		if len(r) != sha256.Size {
			return wrong("roots", "number %d has %d bytes, must be %d", i+1, len(r), sha256.Size)
		}
	}
	for i, it := range o.GetItems() {
		if err := checkOpening(it, len(o.GetRoots())); err != nil {
			return fmt.Errorf("items, number %d: %w", i+1, err)
		}
	}
	return nil
}

func checkOpening(it *Opening, frames int) error {
	if int(it.GetFrame()) >= frames {
		return wrong("frame", "%d of %d; frames count from 0", it.GetFrame(), frames)
	}
	if err := canonical.First(
		within("tile", uint64(it.GetTile()), 0, 1<<MaxSiblings-1),
		sized("leaf", it.GetLeaf(), sha256.Size),
	); err != nil {
		return err
	}
	for i, s := range it.GetSiblings() {
		if len(s) != sha256.Size {
			return wrong("siblings", "number %d has %d bytes, must be %d", i+1, len(s), sha256.Size)
		}
	}
	return nil
}

func checkSegment(s *SegCommit) error {
	previous := sized("previous", s.GetPrevious(), sha256.Size)
	if s.GetSecond() == 0 {
		previous = nil
		if len(s.GetPrevious()) != 0 {
			previous = wrong("previous", "before second 0; leave it out")
		}
	}
	return canonical.First(
		previous,
		sized("session", s.GetSession(), SessionSize),
		sized("state", s.GetState(), sha256.Size),
		sized("inputs", s.GetInputs(), sha256.Size),
		sized("frames", s.GetFrames(), sha256.Size),
		sized("audio", s.GetAudio(), sha256.Size),
		within("ticks", uint64(s.GetTicks()), 0, MaxTicks),
		sized("app", s.GetApp(), sha256.Size),
		optional("player_inputs", s.GetPlayerInputs(), sha256.Size))
}

func checkAudit(a *AuditData) error {
	if err := canonical.First(
		sized("session", a.GetSession(), SessionSize),
		within("segments", uint64(len(a.GetSegments())), 1, MaxWindow+1),
	); err != nil {
		return err
	}
	for i, s := range a.GetSegments() {
		if err := checkInner("segments", s, KindSegCommit); err != nil {
			return fmt.Errorf("number %d: %w", i+1, err)
		}
	}
	for i, s := range a.GetAfter() {
		if err := checkInner("after", s, KindSegCommit); err != nil {
			return fmt.Errorf("number %d: %w", i+1, err)
		}
	}
	for i, r := range a.GetInputs() {
		if len(r) > MaxRecord+overhead {
			return wrong("inputs", "number %d has %d bytes, at most %d", i+1, len(r), MaxRecord+overhead)
		}
	}
	return nil
}

func checkQuality(q *Quality) error {
	if q.GetSample() == nil {
		return wrong("sample", "is missing")
	}
	return canonical.First(
		sized("session", q.GetSession(), SessionSize),
		checkSample(q.GetSample()),
		optional("receipts", q.GetReceipts(), sha256.Size),
		plain("exit", q.GetExit(), MaxExit))
}

func checkSample(s *Sample) error {
	return canonical.First(
		within("launch_ms", uint64(s.GetLaunchMs()), 0, MaxTimeMS),
		within("first_frame_ms", uint64(s.GetFirstFrameMs()), 0, MaxTimeMS),
		within("asked_fps", uint64(s.GetAskedFps()), 0, 1000),
		within("fps_milli", uint64(s.GetFpsMilli()), 0, MaxRate),
		within("p50_ms", uint64(s.GetP50Ms()), 0, MaxTimeMS),
		within("p95_ms", uint64(s.GetP95Ms()), 0, MaxTimeMS),
		within("lost_ppm", uint64(s.GetLostPpm()), 0, PPM),
		within("cells_seen", uint64(s.GetCellsSeen()), 0, uint64(s.GetCellsAsked())),
		within("audit", uint64(s.GetAudit()), 0, auditOutcome-1),
		optional("app", s.GetApp(), sha256.Size))
}

// plain is a text that a terminal and a page can show: no control, no invisible and no
// direction-turning characters.
func plain(name, s string, most int) error {
	if len(s) > most {
		return wrong(name, "%d bytes, at most %d", len(s), most)
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return wrong(name, "holds a character that cannot be shown")
		}
	}
	return nil
}
