package judge_test

import (
	"bytes"
	"testing"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/proof"
)

// missing is a finding that names a session from which the container went.
func missing(f *proof.Finding, session byte) *proof.Finding {
	f.Dropped = fill(session, proof.SessionSize)
	return f
}

// TestAQuorumSaysThatAContainerWent whatever its round came to; fewer say nothing, and nobody's
// pay hangs on it: not everybody hears of a complaint.
func TestAQuorumSaysThatAContainerWent(t *testing.T) {
	one, gone := func() findings { return findings{ok(0, 1, 13_020)} }, func(s byte) findings { return findings{missing(ok(0, 1, 13_020), s)} }
	lost := func(s byte) findings { return findings{missing(absent(0), s)} }
	for name, c := range map[string]struct {
		found   []findings
		dropped []byte
		by      uint64 // who named it
		verdict uint32
		correct uint64
	}{
		"nobody":                      {[]findings{one(), one(), one(), one(), one()}, nil, 0, proof.VerdictOK, 31},
		"N liars":                     {[]findings{one(), one(), one(), gone(1), gone(1)}, nil, 0, proof.VerdictOK, 31},
		"a quorum":                    {[]findings{one(), one(), gone(2), gone(2), gone(2)}, fill(2, 16), 0b11100, proof.VerdictOK, 31},
		"of two sessions":             {[]findings{gone(1), gone(1), gone(2), gone(2), gone(1)}, fill(1, 16), 0b10011, proof.VerdictOK, 31},
		"about sessions of their own": {[]findings{gone(1), gone(2), gone(3), gone(4), gone(5)}, nil, 0, proof.VerdictOK, 31},
		"before it committed":         {[]findings{lost(4), lost(4), lost(4), lost(4), lost(4)}, fill(4, 16), 0b11111, proof.VerdictAbsent, 31},
		"between two verdicts":        {[]findings{gone(4), gone(4), lost(4), lost(4), nil}, fill(4, 16), 0b01111, proof.VerdictNone, 0},
	} {
		out := judge.Judge(input(batch(1), five(t, c.found...)...))
		e := out.Entries[0]
		if !bytes.Equal(e.Dropped, c.dropped) || e.Found != c.by || e.Verdict != c.verdict || out.Correct != c.correct || out.Wrong != 0 {
			t.Errorf("%s: dropped %x by %05b, verdict %s, correct %05b, wrong %05b", name, e.Dropped, e.Found, proof.VerdictName(e.Verdict), out.Correct, out.Wrong)
		}
	}
}

// A container that is found bad and went is accused of having gone: the session stands in the
// place of evidence that a fraud proof shows or that is no file. Only what the certificate alone
// accuses of, which costs more, stands before it; or a container could go for nothing by
// leaving a tile unopened.
func TestASessionStandsInThePlaceOfEvidence(t *testing.T) {
	for reason, evidence := range map[proof.Reason]bool{
		proof.ReasonTile: false, proof.ReasonUnopened: false, proof.ReasonAudit: false, proof.ReasonSegment: true, proof.ReasonModule: true,
	} {
		found := func() findings {
			f := bad(0, 1, 7)
			f.Reason = uint32(reason)
			return findings{missing(f, 4)}
		}
		out := judge.Judge(input(batch(1), five(t, found(), found(), found(), nil, nil)...))
		e := out.Entries[0]
		if e.Verdict != proof.VerdictBad || e.Reason != reason || e.Evidence.Names([32]byte(fill(7, 32))) != evidence || bytes.Equal(e.Dropped, fill(4, 16)) == evidence {
			t.Errorf("%s: %+v", reason, e)
		}
		if _, err := proof.DecodeResult(out.Bytes); err != nil {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

// TestAPanelIsAsked: more than half of all must have heard nothing, and 2N + 1 who heard it
// clear it: N liars in the committee and N in its reserve do not; what others say, or what is about something else, counts nothing.
func TestAPanelIsAsked(t *testing.T) {
	container, session := named(1), [16]byte(fill(2, 16))
	watch := func(place int, answered uint32, change func(*proof.Watch)) *proof.Opened {
		w := &proof.Watch{Epoch: epoch, Container: container[:], Session: session[:], Asked: 6, Answered: answered}
		if change != nil {
			change(w)
		}
		o, err := proof.Sign(chain, member(place), &proof.Statement{Says: &proof.Statement_Watch{Watch: w}})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	var asked [][32]byte
	for i := range 10 {
		asked = append(asked, node(member(i)))
	}
	said := func(silent, heard int) (all []*proof.Opened) {
		for i := range silent {
			all = append(all, watch(i, 0, nil), watch(i, 0, nil))
		}
		for i := range heard {
			all = append(all, watch(silent+i, 1, nil))
		}
		return all
	}
	for name, c := range map[string]struct {
		watches          []*proof.Opened
		missed, answered bool
	}{
		"nobody says anything":      {nil, false, false},
		"half of them":              {said(5, 0), false, false},
		"more than half":            {said(6, 0), true, false},
		"N who heard it":            {said(6, 2), true, false},
		"2N who heard it":           {said(6, 4), true, false},
		"2N + 1 who heard it":       {said(3, 5), false, true},
		"others":                    {append(said(0, 4), watch(20, 0, nil), watch(21, 1, nil), watch(22, 1, nil), watch(23, 1, nil)), false, false},
		"of another epoch":          {append(said(0, 4), watch(5, 1, func(w *proof.Watch) { w.Epoch++ })), false, false},
		"about another session":     {append(said(0, 4), watch(5, 1, func(w *proof.Watch) { w.Session = fill(9, 16) })), false, false},
		"about another container":   {append(said(0, 4), watch(5, 1, func(w *proof.Watch) { w.Container = fill(9, 32) })), false, false},
		"in statements of any kind": {append(said(0, 4), cast(t, member(5), absent(0))), false, false},
	} {
		missed, answered := judge.Missed(asked, c.watches, container, session, epoch, params())
		if missed != c.missed || answered != c.answered {
			t.Errorf("%s: missed %v, answered %v", name, missed, answered)
		}
	}
}

// TestAWatchFitsEveryEpoch: it is over before votes are made, and a minute where there is time.
func TestAWatchFitsEveryEpoch(t *testing.T) {
	for _, s := range []uint64{1, 2, 5, 8, 20, 60, 120, 720, 900, 3600, 86_400} {
		p := econ(s)
		times := judge.Schedule(p, 3, 1_800_000_000_000)
		if w := p.WatchMS(); w == 0 || times.Start+w >= times.OpeningsBy || w > 60_000 || s >= 720 && w != 60_000 {
			t.Errorf("epochs of %d s: a watch of %d ms", s, w)
		}
	}
}
