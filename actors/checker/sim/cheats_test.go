package sim

import (
	"math"
	"testing"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker/recompute"
)

// TestCheatersAreCaught runs every cheat: each is caught as often as theory says, and no
// honest node comes to harm.
func TestCheatersAreCaught(t *testing.T) {
	c := Default()
	c.Frames = 20
	for _, bad := range Shown() {
		t.Run(bad.String(), func(t *testing.T) {
			n := epochs(t, 8)
			switch bad.Name {
			case "skip", "replay", "precompute":
				n = epochs(t, 100) // of which the lot draws a tenth
			}
			r := Detect(c, bad, n)
			t.Logf("one %.3f of %d, epoch %.3f, gain %.2f, %s, harmed %d", r.One, r.Looks, r.Epoch, r.Gain, r.Caught, r.Harmed)
			if r.Harmed != 0 {
				t.Errorf("%d honest nodes or epochs came to harm", r.Harmed)
			}
			// Four standard deviations of so many trials, and a little for very few.
			far := func(p [2]float64, trials int) bool {
				return p[1] >= 0 && trials > 20 && math.Abs(p[0]-p[1]) > 4*math.Sqrt(p[1]*(1-p[1])/float64(trials))+0.05
			}
			if far(r.One, r.Looks) {
				t.Errorf("a checker that looks finds it with %.3f, theory says %.3f", r.One[0], r.One[1])
			}
			if far(r.Epoch, max(n, 21)) {
				t.Errorf("an epoch catches it with %.3f, theory says %.3f", r.Epoch[0], r.Epoch[1])
			}
			if bad.Name == "sybil" && math.Abs(r.Gain-1) > 0.05 {
				t.Errorf("%d names on one device are paid for %.2f devices", bad.Value, r.Gain)
			}
		})
	}
}

// TestRealTilesConvict runs the cheats that tiles give away against the kernel itself.
func TestRealTilesConvict(t *testing.T) {
	c := Default()
	c.Kernel, c.Frames = recompute.New(), 6
	for _, name := range []string{"overclaim=4", "skip=50", "path"} {
		bad, err := cheat.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if r := Detect(c, bad, 2); r.Epoch[0] != 1 || r.One[0] < 0.99 || r.Harmed != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestScale counts what a round of many nodes sends, on a small scale.
func TestScale(t *testing.T) {
	c := Large(200, 40, 5)
	c.Net.LatencyMS, c.Net.JitterMS = 20, 10
	w := New(c)
	r := w.Run(1)
	if r.Certified != r.Batches || r.Batches != 13 {
		t.Fatalf("%d of %d batches certified", r.Certified, r.Batches)
	}
	if got := r.Bytes["commit"].Messages; got != 200*10 {
		t.Errorf("%d commitments sent, each container has ten checkers", got)
	}
	if got := r.Bytes["vote"].Messages; got != 13*5 {
		t.Errorf("%d votes on 13 batches", got)
	}
	t.Log("\n" + w.Traffic())
}

// TestAHeadStartIsPaidLittle lets one container begin the moment that the block exists, as
// a validator's could, where honest ones learn of it up to two seconds later.
func TestAHeadStartIsPaidLittle(t *testing.T) {
	for _, x := range []struct {
		epochMS, durMS uint64
		most           float64 // of what the others are paid
	}{{900_000, 13_000, 1.2}, {20_000, 4_500, 1.8}} {
		c := Default()
		c.Containers, c.Checkers, c.Frames = 6, 5, 100
		c.Params.EpochMS, c.Params.DurMS = x.epochMS, x.durMS
		c.Net = Net{LatencyMS: 40, JitterMS: 20, LearnMS: 2_000}
		w := New(c)
		w.containers[0].prompt = true
		r := w.Run(epochs(t, 8))
		var others uint64
		for i := range w.containers {
			f := w.Container(i)
			if f.Paid != r.Epochs {
				t.Errorf("container %d was paid for %d of %d epochs", i, f.Paid, r.Epochs)
			}
			if i > 0 {
				others += f.Milli
			}
		}
		gain := float64(w.Container(0).Milli) * float64(c.Containers-1) / float64(others)
		t.Logf("epochs of %d s: %.3f times the others' score", x.epochMS/1000, gain)
		if gain > x.most || gain < 1.01 {
			t.Errorf("epochs of %d s: it is paid %.3f times what the others are", x.epochMS/1000, gain)
		}
		if len(r.Convictions) != 0 || r.FalseProofs != 0 {
			t.Errorf("%v, %d false proofs", r.Convictions, r.FalseProofs)
		}
	}
}
