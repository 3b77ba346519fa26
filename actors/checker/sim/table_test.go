package sim

import (
	"math"
	"strings"
	"testing"
)

// The interval is Wilson's: figures from his formula by hand, and the rule of three at the edges.
func TestIntervalsOfTheTable(t *testing.T) {
	for _, tc := range []struct {
		share     float64
		trials    int
		low, high float64
	}{
		{0.5, 100, 0.4038, 0.5962},
		{0.1, 400, 0.0743, 0.1333},
		{1, 400, 0.9905, 1},
		{0, 400, 0, 0.0095},
		{1, 1, 0.2065, 1},
	} {
		low, high := wilson(tc.share, tc.trials)
		if math.Abs(low-tc.low) > 5e-5 || math.Abs(high-tc.high) > 5e-5 {
			t.Errorf("%v of %d: %.4f to %.4f, want %.4f to %.4f", tc.share, tc.trials, low, high, tc.low, tc.high)
		}
	}
}

// What was never looked at is not called measured.
func TestTheTableSaysNothingOfWhatWasNotTried(t *testing.T) {
	skip := Shown()[1]
	text := Markdown([]Row{
		{Cheat: skip, Epochs: 4, One: [2]float64{0, 0.915}, Epoch: [2]float64{0, 0.1}},
		{Cheat: skip, Epochs: 400, Looks: 200, One: [2]float64{0.93, 0.915}, Epoch: [2]float64{0.1, 0.1}},
	})
	for _, want := range []string{"| – | 0 | 0.0 % [0.0–49.0] (10.0 %) | 4 |", "| 93.0 % [88.6–95.8] (91.5 %) | 200 | 10.0 % [7.4–13.3] (10.0 %) | 400 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
