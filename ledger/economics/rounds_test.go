package economics_test

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
)

func TestCapRound(t *testing.T) {
	for _, c := range []struct{ measured, median, cap, want uint64 }{
		{500, 0, 1_200_000, 500},
		{500, 400, 1_200_000, 480},
		{480, 400, 1_200_000, 480},
		{100, 400, 1_200_000, 100},
		{5, 0, 0, 5},
		{9, 1, 1_000_000, 1},
		{1 << 40, 1<<64 - 1, 4_000_000, 1 << 32},
		{1 << 40, 0, 1_200_000, 1 << 32},
	} {
		if got := economics.CapRound(c.measured, c.median, c.cap); got != c.want {
			t.Errorf("CapRound(%d, %d, %d) = %d, want %d", c.measured, c.median, c.cap, got, c.want)
		}
	}
}

// A machine four times as fast as before is believed step by step, never at once.
func TestScoreGrowsSlowly(t *testing.T) {
	rounds := []uint64{100, 100, 100, 100, 100, 100, 100, 100}
	grown := 0
	for ; economics.MedianRound(rounds) < 400; grown++ {
		if grown > 100 {
			t.Fatal("never believed")
		}
		rounds = append(rounds[1:], economics.CapRound(400, economics.MedianRound(rounds), 1_200_000))
	}
	if grown < economics.KeptRounds {
		t.Errorf("believed after %d rounds", grown)
	}
}

func TestMedianRound(t *testing.T) {
	for _, c := range []struct {
		rounds []uint64
		want   uint64
	}{
		{nil, 0}, {[]uint64{7}, 7}, {[]uint64{9, 3}, 3}, {[]uint64{9, 3, 5}, 5}, {[]uint64{1, 2, 3, 4}, 2},
	} {
		if got := economics.MedianRound(c.rounds); got != c.want {
			t.Errorf("median of %v is %d, want %d", c.rounds, got, c.want)
		}
	}
	kept := []uint64{3, 1, 2}
	if economics.MedianRound(kept); kept[0] != 3 {
		t.Error("the rounds were sorted in place")
	}
}

func TestSmoothQuality(t *testing.T) {
	for _, c := range []struct{ old, measured, want uint64 }{
		{950_000, 0, 950_000}, {800_000, 1_000_000, 825_000}, {800_000, 1, 700_000},
		{1_000_000, 2_000_000, 1_000_000}, {5_000_000, 0, 1_000_000},
	} {
		if got := economics.SmoothQuality(c.old, c.measured); got != c.want {
			t.Errorf("SmoothQuality(%d, %d) = %d, want %d", c.old, c.measured, got, c.want)
		}
	}
}

func TestOnlineSecondsAndLoad(t *testing.T) {
	if got := economics.OnlineSeconds(900, 999_999); got != 899 {
		t.Errorf("got %d s", got)
	}
	if got := economics.OnlineSeconds(900, 5_000_000); got != 900 {
		t.Errorf("got %d s", got)
	}
	if got := economics.Load(1<<40, 1<<40); got != 1<<64-1 {
		t.Errorf("got %d", got)
	}
	if got := economics.Load(1_500, 10); got != 15_000 {
		t.Errorf("got %d", got)
	}
}
