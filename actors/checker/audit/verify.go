package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Errors of VerifyFile.
var (
	// ErrOther: the file proves something about no session.
	ErrOther = errors.New("audit: the file is about no second of a session; verify it as what it is")
	// ErrNoProof: what the file shows is not bound by what the container signed, so it
	// proves nothing about anybody.
	ErrNoProof = errors.New("audit: the file proves nothing")
)

// Verdict is what a file proves.
type Verdict struct {
	Guilty  bool // the container signed what is not so
	Session [16]byte
	Second  uint32
	Field   string // what is wrong, as in Finding
	Text    string // a sentence for people
}

// VerifyFile reruns a proof about a second of a session, offline. module finds the app
// with a SHA-256. A file whose parts do not belong together is ErrNoProof, whatever
// somebody wrote into it; a machine that cannot replay gives segment.ErrArch or
// segment.ErrReplay.
func VerifyFile(ctx context.Context, f *proof.File, module func(sha [32]byte) ([]byte, error), replay segment.Auditor) (Verdict, error) {
	x := f.GetSecond()
	if x == nil {
		return Verdict{}, ErrOther
	}
	all, err := proof.OpenSecond(f.GetChain(), x)
	if err != nil {
		return Verdict{}, fmt.Errorf("%w: %w", ErrNoProof, err)
	}
	w, err := segment.ParseWindow(x.GetProof())
	if err != nil {
		return Verdict{}, fmt.Errorf("%w: %w", ErrNoProof, err)
	}
	if len(w.Seconds) != 1 {
		return Verdict{}, fmt.Errorf("%w: it has %d seconds; a proof is about one", ErrNoProof, len(w.Seconds))
	}
	last := all[len(all)-1].Statement.GetSegment()
	v := Verdict{Session: [16]byte(last.GetSession()), Second: w.Seconds[0].Number}
	if len(x.GetInputs()) > 0 {
		return verifyInputs(f, x, all, w, v)
	}
	sec := &w.Seconds[0]
	if sec.Number != last.GetSecond() || sec.Restored || last.GetRestored() || !bytes.Equal(w.Params.App[:], last.GetApp()) {
		return v, fmt.Errorf("%w: the window is of second %d, the commitment of second %d", ErrNoProof, sec.Number, last.GetSecond())
	}
	sec.Roots = rootsOf(last)
	if !sec.Bound() {
		return v, fmt.Errorf("%w: the container did not sign for these inputs", ErrNoProof)
	}
	if len(all) == 2 && !bytes.Equal(sec.Start[:], all[0].Statement.GetSegment().GetState()) {
		v.Guilty, v.Field = true, segment.FieldStart
		v.Text = fmt.Sprintf("Second %d begins elsewhere than second %d ended, and the container signed both.", v.Second, v.Second-1)
		return v, nil
	}
	code, err := module(w.Params.App)
	if err != nil {
		return v, fmt.Errorf("audit: the app %x is needed to replay it: %w", w.Params.App[:8], err)
	}
	got, err := replay.VerifySecond(ctx, code, w)
	switch {
	case errors.Is(err, segment.ErrUnbound), errors.Is(err, segment.ErrMalformed), errors.Is(err, segment.ErrModule):
		return v, fmt.Errorf("%w: %w", ErrNoProof, err)
	case err != nil:
		return v, fmt.Errorf("audit: %w", err)
	}
	if got.Field == segment.FieldStart {
		return v, fmt.Errorf("%w: how the app was started is in no commitment", ErrNoProof)
	}
	v.Guilty, v.Field = got.Bad(), got.Field
	v.Text = fmt.Sprintf("Second %d of the session was replayed: %v.", v.Second, got)
	return v, nil
}

// verifyInputs checks the proof of an input that nobody sent: the container signed the
// second with it, and named there or in the next one the player's record, which has
// another message under that number.
func verifyInputs(f *proof.File, x *proof.Second, all []*proof.Opened, w segment.Window, v Verdict) (Verdict, error) {
	if len(all) != 2 || len(x.GetInputs()) != 1 {
		return v, fmt.Errorf("%w: an input is disproved by two seconds and one record", ErrNoProof)
	}
	sec, c, next := &w.Seconds[0], all[0].Statement.GetSegment(), all[1].Statement.GetSegment()
	sec.Roots = rootsOf(c)
	if sec.Number != c.GetSecond() || !sec.Bound() {
		return v, fmt.Errorf("%w: the container did not sign for these inputs", ErrNoProof)
	}
	b, err := openBatch(Terms{Chain: f.GetChain(), Container: all[0].Signer, Session: v.Session}, x.GetInputs()[0])
	if err != nil {
		return v, fmt.Errorf("%w: %w", ErrNoProof, err)
	}
	if !bytes.Equal(b.digest[:], c.GetPlayerInputs()) && !bytes.Equal(b.digest[:], next.GetPlayerInputs()) {
		return v, fmt.Errorf("%w: the container never named this record", ErrNoProof)
	}
	v.Text = "Every input of the second that the record speaks of was sent by the player."
	if contradictsAny(&b, sec) {
		v.Guilty, v.Field = true, FieldPlayer
		v.Text = fmt.Sprintf("In second %d a message reached the game that its player did not send.", v.Second)
	}
	return v, nil
}

func rootsOf(c *proof.SegCommit) segment.Roots {
	return segment.Roots{State: [32]byte(c.GetState()), Input: [32]byte(c.GetInputs()), Frame: [32]byte(c.GetFrames()), Audio: [32]byte(c.GetAudio()), Ticks: c.GetTicks()}
}
