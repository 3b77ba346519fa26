package encode

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestFramerLosesAndAddsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 2).Draw(t, "channels")
		f, err := NewFramer(channels)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []int16
		next := int16(0)
		for range rapid.IntRange(1, 20).Draw(t, "ticks") {
			piece := make([]int16, channels*rapid.IntRange(0, 1700).Draw(t, "samples"))
			for i := 0; i < len(piece); i += channels {
				next++
				for c := range channels {
					piece[i+c] = next * int16(1+c)
				}
				left, right := piece[i], piece[i+channels-1]
				want = append(want, left, right)
			}
			if err := f.Push(piece, func(p []int16) error { got = append(got, p...); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if len(got)%(AudioChannels*PacketLen) != 0 || len(got)+AudioChannels*f.Pending() != len(want) {
			t.Fatalf("%d in, %d out, %d wait", len(want), len(got), f.Pending())
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("value %d is %d, want %d", i, got[i], want[i])
			}
		}
	})
}

func TestFramerStopsAtAnError(t *testing.T) {
	f, _ := NewFramer(2)
	boom := errors.New("boom")
	calls := 0
	if err := f.Push(make([]int16, 8*PacketLen), func([]int16) error { calls++; return boom }); !errors.Is(err, boom) || calls != 1 {
		t.Fatalf("%v after %d calls", err, calls)
	}
	if _, err := NewFramer(3); err == nil {
		t.Error("took three channels")
	}
}

func TestFramerDoesNotAllocate(t *testing.T) {
	f, _ := NewFramer(2)
	tick := make([]int16, 2*800)
	n := testing.AllocsPerRun(100, func() { _ = f.Push(tick, func([]int16) error { return nil }) })
	if n != 0 {
		t.Fatalf("%v allocations in a tick", n)
	}
}
