package audit_test

import (
	"context"
	"os"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/gpu/segment"
)

// What an audit of ten seconds of a game costs a checker, from the answer to the finding.
func BenchmarkAuditTenSeconds(b *testing.B) {
	for _, name := range []string{"novareef", "cometcup"} {
		b.Run(name, func(b *testing.B) {
			code, err := os.ReadFile("../../../gpu/app/games/" + name + "/module.wasm")
			if err != nil {
				b.Fatal(err)
			}
			p := start(b, segments.Honest, code, code)
			p.Seconds(14)
			answer, err := p.store.Data(context.Background(), id, 0, 10)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(answer.Raw)), "answer-B")
			for b.Loop() {
				f, _, err := audit.Audit(context.Background(), p.terms, answer, code, segment.Auditor{CacheDir: cache})
				if err != nil || f.Outcome != audit.Equal {
					b.Fatal(f, err)
				}
			}
		})
	}
}
