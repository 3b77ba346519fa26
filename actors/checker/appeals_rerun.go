package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker/audit"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// errDoubt: what was found says neither that the accused is guilty nor that it is not, and will
// not say more later. The text says why.
var errDoubt = errors.New("checker: the evidence settles nothing")

func doubt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDoubt, fmt.Sprintf(format, args...))
}

// rerun gets the evidence of an accusation and judges it: proof.VerdictBad confirms,
// proof.VerdictOK says that it does not show what the accused is accused of. Errors that wrap
// errDoubt are for good; others may pass.
func (a *Appeals) rerun(ctx context.Context, x ledgeractor.Appeal) (uint32, error) {
	if a.o.Rerun != nil {
		verdict, ok := a.o.Rerun(x)
		if !ok {
			return 0, doubt("this checker was told to say nothing")
		}
		return verdict, nil
	}
	switch {
	case x.Accusation.Offence == economics.OffenceDrop:
		return a.askAll(ctx, x)
	case x.Accusation.Offence != economics.OffenceForged:
		return 0, doubt("what it is accused of (%s) was measured, and cannot be measured again", x.Accusation.Offence)
	case x.Accusation.Evidence.IsZero():
		return 0, doubt("the accusation names none")
	}
	from := a.holders(x)
	b, err := a.o.Evidence(ctx, x.Accusation.Evidence, from)
	if err != nil {
		return 0, fmt.Errorf("checker: the evidence of an appeal: %w", err)
	}
	if f, err := proof.ParseFile(b); err == nil {
		return a.rerunFile(ctx, x, f, b, from)
	}
	o, err := proof.Open(a.o.Book.Chain(), b)
	if err != nil {
		return 0, doubt("it is neither a proof file nor a statement: %v", err)
	}
	return a.rerunAnswer(ctx, x, o, from)
}

// holders are those who may have the evidence and the app: who accused; the accused, which may
// want to be acquitted; and the other members, of whom some may have been in the committee that
// found it, and some may have got it already.
func (a *Appeals) holders(x ledgeractor.Appeal) (ids []peer.ID) {
	for _, n := range slices.Concat(x.Accusation.Signers, []key.Node{x.Accusation.Node}, x.Members) {
		if id, err := n.Peer(); err == nil && n != a.self {
			ids = append(ids, id)
		}
	}
	return ids
}

// rerunFile judges a proof file, by which everybody comes to the same answer.
func (a *Appeals) rerunFile(ctx context.Context, x ledgeractor.Appeal, f *proof.File, raw []byte, from []peer.ID) (uint32, error) {
	second := f.GetSecond()
	if second == nil || f.GetChain() != a.o.Book.Chain() || string(second.GetSubject()) != string(x.Accusation.Node[:]) {
		return 0, doubt("the file is about no session of the accused")
	}
	all, err := proof.OpenSecond(f.GetChain(), second)
	if err != nil {
		return 0, doubt("%v", err)
	}
	app := [32]byte(all[len(all)-1].Statement.GetSegment().GetApp())
	code, missing := a.o.Module(ctx, app, from) // some proofs need none
	v, err := a.o.Verify(ctx, raw, code)
	switch {
	case errors.Is(err, audit.ErrNoProof), errors.Is(err, audit.ErrOther), errors.Is(err, segment.ErrArch), errors.Is(err, segment.ErrReplay):
		return 0, doubt("%v", err)
	case err != nil:
		return 0, fmt.Errorf("checker: rerun the evidence of an appeal: %w", errors.Join(err, missing))
	case v.Guilty:
		return proof.VerdictBad, nil
	}
	return proof.VerdictOK, nil
}

// rerunAnswer judges what the accused has signed in an audit. It can convict. It acquits
// nobody: who accused may have known of the session what does not stand in the answer.
func (a *Appeals) rerunAnswer(ctx context.Context, x ledgeractor.Appeal, o *proof.Opened, from []peer.ID) (uint32, error) {
	data := o.Statement.GetAudit()
	if data == nil || o.Signer != x.Accusation.Node || len(data.GetSegments()) == 0 {
		return 0, doubt("the statement is no answer of the accused to an audit")
	}
	last := data.GetSegments()[len(data.GetSegments())-1]
	c, err := proof.OpenSigned(a.o.Book.Chain(), last)
	if err != nil || c.Signer != x.Accusation.Node || c.Statement.GetSegment() == nil {
		return 0, doubt("the answer shows no second that the accused has signed")
	}
	seg := c.Statement.GetSegment()
	t := audit.Terms{Chain: a.o.Book.Chain(), Container: x.Accusation.Node, Session: [16]byte(data.GetSession()), App: [32]byte(seg.GetApp()),
		From: data.GetFrom(), Seconds: min(seg.GetSecond()-min(data.GetFrom(), seg.GetSecond())+1, proof.MaxWindow), Epoch: x.Accusation.Epoch, Seed: x.Seed}
	code, err := a.o.Module(ctx, t.App, from)
	if err != nil {
		return 0, fmt.Errorf("checker: the app of an appeal: %w", err)
	}
	f, _, err := a.o.Judge(ctx, t, o, code)
	switch {
	case errors.Is(err, segment.ErrArch), errors.Is(err, segment.ErrReplay):
		return 0, doubt("%v", err)
	case err != nil:
		return 0, fmt.Errorf("checker: rerun the answer of an appeal: %w", err)
	case f.Outcome == audit.Wrong:
		return proof.VerdictBad, nil
	}
	return 0, doubt("the answer replays: %s", f.Text)
}
