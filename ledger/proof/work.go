package proof

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
)

// work: a vote whose work nobody else computes, or that passed over a wrong tile among its
// own picks.
func (r Rules) work(o *Opened, evidence []byte) (*Case, error) {
	var e WorkEvidence
	if err := decode(evidence, shapeWork(), &e); err != nil {
		return nil, err
	}
	v := o.Statement.GetVote()
	if v == nil {
		return nil, fmt.Errorf("%w: statement: is a %s", ErrKind, o.Kind())
	}
	if int(e.GetFinding()) >= len(v.GetFindings()) {
		return nil, wrong("finding", "%d of %d; findings count from 0", e.GetFinding(), len(v.GetFindings()))
	}
	f := v.GetFindings()[e.GetFinding()]
	if len(f.GetWork()) == 0 {
		return nil, innocent("the finding claims no work")
	}
	commit, err := r.inside("commit", e.GetCommit())
	if err != nil {
		return nil, err
	}
	nonce, err := r.inside("nonce", e.GetNonce())
	if err != nil {
		return nil, err
	}
	if string(commit.Digest[:]) != string(f.GetCommit()) {
		return nil, innocent("the finding is about another commit")
	}
	if err := commit.Of(KindCapCommit, v.GetEpoch()); err != nil {
		return nil, innocent("the finding is about something else: %v", err)
	}
	if err := nonce.Of(KindNonce, v.GetEpoch()); err != nil {
		return nil, innocent("that nonce does not belong to the vote: %v", err)
	}
	if nonce.Signer != o.Signer {
		return nil, innocent("the nonce is another checker's")
	}
	x, err := r.committed(commit, e.GetRoots())
	if err != nil {
		return nil, err
	}
	picks := r.Kernel.Picks([32]byte(nonce.Statement.GetNonce().GetNonce()), commit.Digest, x.says.GetFrames(), x.tiles, int(f.GetTiles()))
	if e.GetOpening() != nil {
		return r.passedOver(o, f, x, picks, e.GetOpening())
	}
	c := conviction(o.Signer, v.GetEpoch(), economics.OffenceForged, ReasonWork)
	return &Case{conviction: c, samples: uint64(len(picks)) * x.each, render: func() error {
		got, err := r.Kernel.Work(x.task, x.Signer, o.Signer, x.says.GetSize(), x.roots, picks)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		if string(got[:]) == string(f.GetWork()) {
			return innocent("the work recomputes")
		}
		return nil
	}}, nil
}

// passedOver: whoever claims the work of its picks and votes ok has seen that each of them
// recomputes. A path binds a leaf to the root, so nobody can show it another one later.
func (r Rules) passedOver(o *Opened, f *Finding, x *committed, picks []Pick, it *Opening) (*Case, error) {
	if f.GetVerdict() != VerdictOK {
		return nil, innocent("the finding is %s, not ok", VerdictName(f.GetVerdict()))
	}
	mine := false
	for _, p := range picks {
		mine = mine || p == Pick{it.GetFrame(), it.GetTile()}
	}
	if !mine {
		return nil, innocent("the wrong tile is none of this checker's picks")
	}
	render, err := r.wrongTile(x, it)
	if err != nil {
		return nil, err
	}
	epoch, _ := o.Epoch()
	return &Case{conviction: conviction(o.Signer, epoch, economics.OffenceForged, ReasonSawWrong), samples: x.each, render: render}, nil
}
