package sim

import (
	"os"
	"strconv"
	"testing"
)

// epochs is how long the tests run: FRAMEMESH_SIM_EPOCHS, or short.
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
	h := HonestEpochs(epochs(t, 60))
	t.Log(h)
	if len(h.Convictions) != 0 || h.FalseProofs != 0 || h.BadCertificates != 0 || h.WrongVotes != 0 {
		t.Errorf("convictions %v, %d false proofs, %d bad certificates, %d called wrong", h.Convictions, h.FalseProofs, h.BadCertificates, h.WrongVotes)
	}
	if h.Unjust != 0 || h.False == 0 {
		t.Errorf("%d of %d containers that were there are said to have gone; %d players said so", h.Unjust, h.Dropped, h.False)
	}
	if h.Certified != h.Batches {
		t.Errorf("%d of %d batches certified", h.Certified, h.Batches)
	}
	if h.Verified+h.Excused != h.All {
		t.Errorf("%d of %d epochs verified, only %d of the rest excused", h.Verified, h.All, h.Excused)
	}
}

// TestCrashesPunishNobody lets nine of ten nodes crash in every epoch, wherever it is.
func TestCrashesPunishNobody(t *testing.T) {
	c := Default()
	c.Containers, c.Checkers, c.Frames = 8, 10, 16
	c.Net = Net{LatencyMS: 80, JitterMS: 60, LossPPM: 10_000, CrashPPM: 900_000}
	w := New(c)
	r := w.Run(epochs(t, 40))
	t.Logf("%d of %d batches certified, %d by the reserve", r.Certified, r.Batches, r.ByReserve)
	if len(r.Convictions) != 0 || r.FalseProofs != 0 || r.BadCertificates != 0 {
		t.Errorf("convictions %v, %d false proofs, %d bad certificates", r.Convictions, r.FalseProofs, r.BadCertificates)
	}
	for i := range w.checkers {
		if f := w.Checker(i); f.Wrong != 0 {
			t.Errorf("checker %d was called wrong %d times", i, f.Wrong)
		}
	}
	if r.ByReserve == 0 || r.Certified*10 < r.Batches*5 {
		t.Errorf("%d of %d batches certified, %d of them by the reserve", r.Certified, r.Batches, r.ByReserve)
	}
}

// TestSameSeedSameRun says that a run can be had again.
func TestSameSeedSameRun(t *testing.T) {
	if a, b := HonestEpochs(3), HonestEpochs(3); a.String() != b.String() || a.Refused != b.Refused || a.Tiles != b.Tiles {
		t.Errorf("two runs differ:\n%s, %d, %d\n%s, %d, %d", a, a.Refused, a.Tiles, b, b.Refused, b.Tiles)
	}
}
