package sim

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/proof"
)

func TestHonestCalm(t *testing.T) {
	w := New(Default())
	r := w.Run(5)
	t.Logf("%+v", *r)
	for i := range w.containers {
		f := w.Container(i)
		if f.Verdicts[proof.VerdictOK] != 5 {
			t.Errorf("container %d: %+v", i, f)
		}
	}
	for i := range w.checkers {
		t.Logf("checker %d %+v", i, w.Checker(i))
	}
}
