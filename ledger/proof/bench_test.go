package proof_test

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/proof"
)

// BenchmarkOpen is what a node does with a vote of another: 16 findings.
func BenchmarkOpen(b *testing.B) {
	r := render(b, container, 3, nil)
	v := goodVote(r)
	for len(v.GetFindings()) < 16 {
		v.Findings = append(v.Findings, &proof.Finding{Container: uint32(6 + len(v.GetFindings())), Verdict: proof.VerdictOK,
			Commit: fill(1, 32), Samples: 1 << 30, ArrivalMs: 10_020, Work: fill(2, 32), Tiles: 48, Pings: 15, Pongs: 15})
	}
	raw := sign(b, checker, &proof.Statement{Says: &proof.Statement_Vote{Vote: v}}).Raw
	b.ReportAllocs()
	for b.Loop() {
		if _, err := proof.Open(chain, raw); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(raw)))
}

// BenchmarkDecodeOpenings is the largest answer there is, without its signature.
func BenchmarkDecodeOpenings(b *testing.B) {
	r := render(b, container, 3, nil)
	raw := r.openings(b, container, []proof.Pick{{}}, func(o *proof.Openings) {
		for len(o.GetRoots()) < proof.MaxFrames {
			o.Roots = append(o.Roots, fill(1, 32))
		}
		for it := o.GetItems()[0]; len(o.GetItems()) < 48; {
			for len(it.GetSiblings()) < 12 {
				it.Siblings = append(it.Siblings, fill(1, 32))
			}
			o.Items = append(o.Items, it)
		}
	}).Raw
	b.ReportAllocs()
	for b.Loop() {
		if _, err := proof.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(raw)))
}
