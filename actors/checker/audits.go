package checker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// AuditOptions are what a checker needs to audit sessions. All are needed.
type AuditOptions struct {
	// Ask brings a question to a container and returns its signed answer.
	Ask func(ctx context.Context, container peer.ID, req *wire.AuditRequest) ([]byte, error)
	// Session is what the ledger knows of a session; ok is false for one that it does not.
	Session func(ctx context.Context, container key.Node, session [16]byte) (s AuditSession, ok bool, err error)
	// Module finds an app by its SHA-256, if need be at the container itself.
	Module func(ctx context.Context, sha [32]byte, container peer.ID) ([]byte, error)
	// Judge judges an answer, as audit.Audit does; replay.Process does so where a hostile
	// module can do no harm.
	Judge func(ctx context.Context, t audit.Terms, answer *proof.Opened, code []byte) (audit.Finding, *proof.File, error)
}

func (o *AuditOptions) valid() bool {
	return o == nil || o.Ask != nil && o.Session != nil && o.Module != nil && o.Judge != nil
}

// AuditSession is a session on the ledger.
type AuditSession struct {
	Player   [32]byte // key of the player who opened it
	OpenedMS uint64
}

const (
	auditTries   = 4 // questions about one session; answers get lost, and others ask too
	auditPause   = 400 * time.Millisecond
	auditFor     = 2 * time.Minute // at most, for one session
	auditBack    = 200             // seconds of play among which the lot draws: states are kept for five minutes
	auditMargin  = 4               // newest seconds that are left out: the player's word for them is still to come
	auditWindow  = proof.MaxWindow
	auditProven  = 30_000 // ms after which a session that is on the ledger must have signed a second
	keptFindings = 256    // that came too late for their vote
	keptSeconds  = 8192   // commitments that later ones are held against
)

type (
	auditsDue struct {
		epoch   uint64
		reserve bool // what it judges in a reserve
	}
	auditDone struct {
		epoch   uint64
		busy    round.Busy
		finding audit.Finding
		file    *proof.File
		answer  *proof.Opened
		signed  []*proof.Opened // seconds that the container has signed: named and shown
		err     error
	}
	auditKept struct {
		epoch     uint64
		container key.Node
		sample    *proof.Sample
		reason    proof.Reason // 0 = nothing is held against it
		evidence  [32]byte
	}
)

// scheduleAudits waits until the nonces are out: from them follows which seconds are looked at.
// A reserve waits until the committee has bound its votes, so that containers are asked by half
// as many at once, and a machine of several checkers is done with what is wanted first.
func (s *rounds) scheduleAudits(c *supervise.Ctx) {
	if s.r.o.Audits == nil {
		return
	}
	t := s.roll.Times
	at := t.NonceReveal + (t.OpeningsBy-t.NonceReveal)/8
	c.After(s.until(at), auditsDue{s.epoch, false})
	c.After(s.until(max(at, t.VoteBy)), auditsDue{s.epoch, true})
}

// auditsDue audits the sessions of this checker's containers one after the other, as long as
// the epoch lasts. What it finds after its vote is made goes into the next one on that
// container, if there is any.
func (s *rounds) auditsDue(c *supervise.Ctx, m auditsDue) {
	if m.epoch != s.epoch || s.round == nil {
		return
	}
	if !m.reserve { // of both, once
		late := s.late
		s.late = nil
		for _, k := range late {
			s.enter(c, k)
		}
	}
	busy := slices.DeleteFunc(s.round.Busy(), func(b round.Busy) bool { return b.Reserve != m.reserve })
	if len(busy) == 0 {
		return
	}
	epoch, seed, r, self, log := s.epoch, s.roll.Seed, s.r, c.Self(), c.Log()
	left := s.until(r.o.Book.EpochStart(epoch + 1))
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		for _, b := range busy {
			select {
			case r.auditing <- struct{}{}: // also that of an epoch before
			case <-ctx.Done():
				return nil
			}
			one, cancel := context.WithTimeout(ctx, auditFor)
			done := r.audit(one, epoch, seed, b)
			cancel()
			<-r.auditing
			if ctx.Err() != nil && done.err != nil {
				r.metrics.audits.WithLabelValues("late").Inc()
				log.Warn("an audit was not done when its epoch ended; this machine is busy with other things", "container", b.Container, "epoch", epoch)
				return nil
			}
			if self.Tell(done) != nil {
				r.metrics.dropped.Inc()
				log.Warn("what an audit found is lost: too much comes at once", "container", b.Container)
			}
		}
		return nil
	})
}

// window is which seconds are asked for: newest is the last one that the container has
// signed. ok is false while there are none.
func window(lot [32]byte, newest uint32) (from, seconds uint32, ok bool) {
	if newest < auditMargin {
		return 0, 0, false
	}
	last := newest - auditMargin
	if last < auditWindow {
		return 0, last + 1, true
	}
	// Starts are multiples of the distance between two states, so that a window has no
	// seconds that nobody asked for.
	top := (last - (auditWindow - 1)) / segment.StateEvery
	bottom := (last - min(last, auditBack) + segment.StateEvery - 1) / segment.StateEvery
	bottom = min(bottom, top)
	n := uint64(top - bottom + 1)
	return (bottom + uint32(binary.BigEndian.Uint64(lot[:])%n)) * segment.StateEvery, auditWindow, true
}

// errYoung: the session has not gone on for long enough.
var errYoung = errors.New("checker: there is nothing to audit yet")

// audit asks a container for seconds of the session that it named, and judges them.
func (r *Rounds) audit(ctx context.Context, epoch uint64, seed [32]byte, b round.Busy) (done auditDone) {
	done = auditDone{epoch: epoch, busy: b}
	o := r.o.Audits
	id, err := b.Container.Peer()
	if err != nil {
		done.err = err
		return done
	}
	session, ok, err := o.Session(ctx, b.Container, b.Session)
	if err == nil && !ok {
		err = errYoung // whether it should be there is asked for elsewhere
	}
	if done.err = err; err != nil {
		return done
	}
	t := audit.Terms{Chain: r.o.Book.Chain(), Container: b.Container, Session: b.Session, Owner: session.Player, Epoch: epoch, Seed: seed}
	if b.Segment == nil {
		if now := uint64(max(r.o.Now().UnixMilli(), 0)); now < session.OpenedMS+auditProven {
			done.err = errYoung
			return done
		}
		done.finding = audit.Finding{Outcome: audit.NotGiven, Reason: proof.ReasonAudit, Text: "The container names no second of a session that has lasted for long."}
		return done
	}
	c := b.Segment.Statement.GetSegment()
	if t.From, t.Seconds, ok = window(b.Lot, c.GetSecond()); !ok {
		done.err = errYoung
		return done
	}
	done.signed = []*proof.Opened{b.Segment}
	t.App, t.Named, t.NamedSecond = [32]byte(c.GetApp()), b.Segment.Digest, c.GetSecond()
	if done.answer, err = r.question(ctx, id, t); err != nil {
		if refused(ctx, err) {
			done.finding = audit.Finding{Outcome: audit.NotGiven, Reason: proof.ReasonAudit, Text: fmt.Sprintf("The container did not answer: %v.", err)}
			return done
		}
		done.err = err
		return done
	}
	done.signed = append(done.signed, shown(t.Chain, b, done.answer.Statement.GetAudit())...)
	code, err := o.Module(ctx, t.App, id)
	if err != nil {
		done.err = err
		return done
	}
	done.finding, done.file, done.err = o.Judge(ctx, t, done.answer, code)
	return done
}

// question asks a few times: others ask at the same moment.
func (r *Rounds) question(ctx context.Context, id peer.ID, t audit.Terms) (*proof.Opened, error) {
	req := &wire.AuditRequest{Session: t.Session[:], From: t.From, Seconds: t.Seconds, Epoch: t.Epoch, Named: t.NamedSecond}
	for try := 1; ; try++ {
		raw, err := r.o.Audits.Ask(ctx, id, req)
		if err == nil {
			o, err := proof.Open(t.Chain, raw)
			if err != nil {
				return nil, &rpc.Error{Code: wire.Code_INVALID, Message: err.Error()}
			}
			return o, nil
		}
		if try == auditTries || ctx.Err() != nil {
			return nil, err
		}
		pause := auditPause << (try - 1)
		var said *rpc.Error
		if errors.As(err, &said) && said.RetryAfter > 0 && said.RetryAfter < 5*time.Second {
			pause = max(pause, said.RetryAfter)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// refused says whether a container was there and gave no answer, or kept the asker waiting. Of
// one that was not there, liveness tells.
func refused(ctx context.Context, err error) bool {
	var said *rpc.Error
	return ctx.Err() == nil && (errors.As(err, &said) || errors.Is(err, context.DeadlineExceeded))
}

// auditDone takes what an audit found.
func (s *rounds) auditDone(c *supervise.Ctx, m auditDone) {
	count := func(what string) { s.r.metrics.audits.WithLabelValues(what).Inc() }
	s.compare(c, m)
	switch {
	case errors.Is(m.err, errYoung):
		count("young")
		return
	case errors.Is(m.err, segment.ErrArch):
		count("skipped")
		c.Log().Debug("an audit needs another machine", "container", m.busy.Container, "err", m.err)
		return
	case m.err != nil:
		count("failed")
		c.Log().Warn("a session could not be audited", "container", m.busy.Container, "err", m.err)
		return
	}
	count(auditResult[m.finding.Outcome])
	rep := s.report(m.epoch)
	rep.Audited++
	k := auditKept{epoch: m.epoch, container: m.busy.Container, sample: &proof.Sample{AuditedSeconds: m.finding.Seconds, Audit: m.finding.Outcome.Sample()}}
	if m.busy.Segment != nil {
		k.sample.App = m.busy.Segment.Statement.GetSegment().GetApp()
	}
	switch {
	case m.finding.Outcome == audit.NotGiven && m.answer != nil:
		// It signed an answer that does not hold, which no lost packet does.
	case m.finding.Outcome == audit.NotGiven:
		c.Log().Warn("an audit was not answered", "container", k.container, "why", m.finding.Text)
		fallthrough
	case m.finding.Outcome != audit.Wrong:
		s.enter(c, k)
		return
	}
	rep.AuditsWrong++
	k.reason = m.finding.Reason
	c.Log().Warn("a session is not what its container says", "container", k.container, "epoch", m.epoch, "second", m.finding.FirstBad, "what", m.finding.Text)
	r, log := s.r, c.Log()
	c.Go(func(context.Context) any {
		name, evidence, err := r.evidence(m)
		if err != nil {
			log.Warn("evidence is not kept on the disk; make room there", "err", err)
		} else {
			log.Info("a proof was kept; see `framemesh proof show`", "proof", name)
		}
		k.evidence = evidence
		return k
	})
}

// shown are the seconds in an answer that the container has signed for the session. Some
// hundred signatures are verified here, beside the rounds.
func shown(chain string, b round.Busy, a *proof.AuditData) (all []*proof.Opened) {
	for _, part := range [][]*proof.Signed{a.GetSegments(), a.GetAfter()} {
		for _, raw := range part {
			o, err := proof.OpenSigned(chain, raw)
			if err == nil && o.Signer == b.Container && string(o.Statement.GetSegment().GetSession()) == string(b.Session[:]) {
				all = append(all, o)
			}
		}
	}
	return all
}

// compare holds what a container signed against all that this checker has seen of the same
// seconds. Whoever signs a better past for an audit has to lead it to the second that was named
// before, and signs that one or one on the way twice.
func (s *rounds) compare(c *supervise.Ctx, m auditDone) {
	for _, o := range m.signed {
		at := secondOf{o.Signer, m.busy.Session, o.Statement.GetSegment().GetSecond()}
		had, known := s.seconds.Get(at)
		if !known {
			s.seconds.Add(at, o)
			continue
		}
		if had.Digest != o.Digest && s.round != nil {
			s.do(c, s.round.TwoSeconds(o.Signer, had, o))
		}
	}
}

// secondOf names a second of a session.
type secondOf struct {
	container key.Node
	session   [16]byte
	second    uint32
}

func newSeconds() *simplelru.LRU[secondOf, *proof.Opened] {
	l, err := simplelru.NewLRU[secondOf, *proof.Opened](keptSeconds, nil)
	if err != nil {
		panic("checker: " + err.Error()) // only for a size below 1, and it is a constant
	}
	return l
}

var auditResult = map[audit.Outcome]string{audit.Equal: "equal", audit.Unproven: "unproven", audit.Wrong: "wrong", audit.NotGiven: "not_given"}

// evidence keeps what shows a finding, and names it: the proof file, or the container's own
// answer where no file can stand for itself.
func (r *Rounds) evidence(m auditDone) (name string, digest [32]byte, err error) {
	if m.file == nil {
		return m.keepAnswer(r)
	}
	b, err := proof.EncodeFile(m.file)
	if err != nil {
		return m.keepAnswer(r)
	}
	name, digest, err = r.proofs.keepAs(b, ProofSuffix)
	return name, digest, err
}

func (m *auditDone) keepAnswer(r *Rounds) (string, [32]byte, error) {
	return r.proofs.keepAs(m.answer.Raw, AnswerSuffix)
}

// enter puts a finding into the round that runs, or keeps it for the next one.
func (s *rounds) enter(c *supervise.Ctx, k auditKept) {
	if s.round == nil || s.now() >= s.round.Votes(k.container) {
		if s.epoch <= k.epoch+1 && len(s.late) < keptFindings {
			s.late = append(s.late, k)
		}
		return
	}
	s.round.Measured(k.container, 0, 0, k.sample)
	if k.reason != 0 && !s.round.Accuse(k.container, k.reason, k.evidence) {
		c.Log().Debug("a finding does not go into a vote", "container", k.container, "reason", k.reason)
	}
	s.changed(c)
}
