package sim

import (
	"os"
	"strconv"
	"testing"

	"github.com/framemesh/framemesh/ledger/proof"
)

// rough is a network as bad as networks of volunteers get.
func rough() Net {
	return Net{LatencyMS: 80, JitterMS: 60, LossPPM: 10_000, GossipPPM: 2_000, TwicePPM: 10_000,
		SkewMS: 2_000, Skewed: 2, LoadPPM: 100_000, CrashPPM: 10_000}
}

// epochs is how long the long tests run: FRAMEMESH_SIM_EPOCHS, or short.
func epochs(t *testing.T, short int) int {
	n, err := strconv.Atoi(os.Getenv("FRAMEMESH_SIM_EPOCHS"))
	if err != nil {
		return short
	}
	t.Logf("%d epochs", n)
	return n
}

// TestHonestEpochs lets honest nodes live through a rough network: nobody is punished, and
// whoever was there is verified and paid.
func TestHonestEpochs(t *testing.T) {
	c := Default()
	c.Containers, c.Checkers, c.Frames, c.Net = 8, 10, 12, rough()
	w := New(c)
	n := epochs(t, 60)
	r := w.Run(n)
	t.Logf("%d of %d batches certified, %d by the reserve, %d submitted, %d inputs refused, %d tiles", r.Certified, r.Batches, r.ByReserve, r.Submitted, r.Refused, r.Tiles)
	if len(r.Convictions) != 0 || r.FalseProofs != 0 || r.BadCertificates != 0 {
		t.Errorf("convictions %v, %d false proofs, %d bad certificates", r.Convictions, r.FalseProofs, r.BadCertificates)
	}
	for i := range w.containers {
		f := w.Container(i)
		unpaid := f.Epochs - f.Verdicts[proof.VerdictOK]
		t.Logf("container %d skew %d: %+v", i, w.containers[i].skew, f)
		if unpaid > f.CutOff+1 { // the first round finds out how far its clock is off
			t.Errorf("container %d: %d of %d epochs unpaid, it was cut off in %d", i, unpaid, f.Epochs, f.CutOff)
		}
	}
	for i := range w.checkers {
		f := w.Checker(i)
		t.Logf("checker %d: %+v", i, f)
		if f.Wrong != 0 {
			t.Errorf("checker %d was called wrong in %d epochs", i, f.Wrong)
		}
	}
}
