package audit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/container/segments/segmentstest"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
)

// name has the container name its newest second, as its commitment to a round does.
func (p *play) name() *proof.Opened {
	p.t.Helper()
	if _, err := p.store.Data(context.Background(), id, 0, 1); err != nil { // waits until all is written
		p.t.Fatal(err)
	}
	o := p.store.Latest(id)
	p.terms.Named, p.terms.NamedSecond = o.Digest, o.Statement.GetSegment().GetSecond()
	return o
}

// linked asks for ten seconds that lead to the named one.
func (p *play) linked(from uint32) *proof.Opened {
	p.t.Helper()
	o, err := p.store.Linked(context.Background(), id, from, 10, p.terms.NamedSecond)
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

// judge judges an answer by what p's container named.
func (p *play) judge(from uint32, answer *proof.Opened) audit.Finding {
	p.t.Helper()
	p.terms.From = from
	f, file, err := audit.Audit(context.Background(), p.terms, answer, p.code, segment.Auditor{CacheDir: cache})
	if err != nil || file != nil {
		p.t.Fatalf("%v, with a file: %t", err, file != nil)
	}
	return f
}

// Whatever was named and whatever happened on the way, an honest past leads there.
func TestAnHonestPastLeadsToTheNamedSecond(t *testing.T) {
	code := cart(t)
	p := start(t, segments.Honest, code, code)
	p.Seconds(15)
	p.name()
	p.Seconds(8) // while the audit is under way

	for _, from := range []uint32{0, 10} { // the second window holds the named second itself
		if f := p.judge(from, p.linked(from)); f.Outcome != audit.Equal {
			t.Errorf("from second %d: %v: %s", from, f.Outcome, f.Text)
		}
	}
	b, seats := p.Snapshot()
	p.Seconds(8)
	p.Crash(b, seats)
	p.Seconds(9)
	p.name()
	p.Seconds(3)
	for _, from := range []uint32{10, 20} {
		answer := p.linked(from)
		if f := p.judge(from, answer); f.Outcome != audit.Equal {
			t.Errorf("over a restored worker, from second %d: %v: %s", from, f.Outcome, f.Text)
		}
		all := answer.Statement.GetAudit().GetAfter()
		if last, err := proof.OpenSigned("demo", all[len(all)-1]); err != nil || last.Digest != p.terms.Named || len(all) != int(p.terms.NamedSecond-from-9) {
			t.Errorf("%d commitments after the window, up to %v, %v", len(all), last, err)
		}
	}
}

// A container that names one past and makes another for the audit, which replays bit by bit,
// is found whichever way it puts the two together.
func TestAnotherPastDoesNotLeadToTheNamedSecond(t *testing.T) {
	code := cart(t)
	fake := start(t, segments.Poke, code, code) // what it did in truth
	fake.Seconds(34)
	named := fake.name()
	honest := start(t, segments.Honest, code, code) // what it makes on demand, with the same key
	honest.Seconds(34)
	honest.terms.Named, honest.terms.NamedSecond = named.Digest, named.Statement.GetSegment().GetSecond()
	answer, real := honest.linked(10), fake.linked(10).Statement.GetAudit()

	for name, c := range map[string]struct {
		change func(a *proof.AuditData)
		says   string
	}{
		"leads elsewhere":         {func(*proof.AuditData) {}, "do not lead to"},
		"leads nowhere":           {func(a *proof.AuditData) { a.After = nil }, "do not lead to"},
		"stops before":            {func(a *proof.AuditData) { a.After = a.After[:len(a.After)-1] }, "do not lead to"},
		"goes on with the truth":  {func(a *proof.AuditData) { a.After = real.GetAfter() }, "does not follow"},
		"only the named one":      {func(a *proof.AuditData) { a.After = []*proof.Signed{named.Signed} }, "does not follow"},
		"turns to the truth":      {func(a *proof.AuditData) { a.After[8] = real.GetAfter()[8] }, "does not follow"},
		"a signature left out":    {func(a *proof.AuditData) { a.After[3].Signature = make([]byte, 64) }, "not the container's"},
		"the seconds in disorder": {func(a *proof.AuditData) { a.After[1], a.After[2] = a.After[2], a.After[1] }, "does not follow"},
	} {
		o, err := proof.Decode(append([]byte(nil), answer.Raw...))
		if err != nil {
			t.Fatal(err)
		}
		a := o.Statement.GetAudit()
		c.change(a)
		if o, err = proof.Sign("demo", segmentstest.PlayerKey(200), &proof.Statement{Says: &proof.Statement_Audit{Audit: a}}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f := honest.judge(10, o); f.Outcome != audit.NotGiven || f.Reason != proof.ReasonAudit || !strings.Contains(f.Text, c.says) {
			t.Errorf("%s: %v: %s", name, f.Outcome, f.Text)
		}
	}
	// Without a second that was named before, nobody can tell.
	honest.terms.Named = [32]byte{}
	if f := honest.judge(10, answer); f.Outcome != audit.Equal {
		t.Errorf("unnamed: %v: %s", f.Outcome, f.Text)
	}
}
