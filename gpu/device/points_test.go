package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/kernel"
)

func TestRatePoints(t *testing.T) {
	b := kernel.CPU(1)
	defer b.Close()
	p, err := RatePoints(t.Context(), b, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	sorted := p.Windows
	slices.Sort(sorted[:])
	if p.Backend != "go" || p.Kernel != kernel.Name || sorted[0] == 0 || p.MilliRP != kernel.RP(sorted[1], time.Second) || p.Class != kernel.Class(sorted[1], 10_000) {
		t.Errorf("%+v", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := RatePoints(ctx, b, time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// brittle fails after some frames.
type brittle struct {
	kernel.Backend
	left int
}

var errGone = errors.New("gone")

func (b *brittle) Render(ctx context.Context, s kernel.Size, seed kernel.Seed, out []uint32) error {
	if b.left--; b.left < 0 {
		return errGone
	}
	return b.Backend.Render(ctx, s, seed, out)
}

func TestRatePointsOfADeviceThatFails(t *testing.T) {
	b := kernel.CPU(1)
	defer b.Close()
	for _, left := range []int{0, 3} {
		if _, err := RatePoints(t.Context(), &brittle{b, left}, time.Microsecond); !errors.Is(err, errGone) {
			t.Errorf("after %d frames: %v", left, err)
		}
	}
	if p := served(&brittle{b, 1}, nil); p.Error == "" || p.MilliRP != 0 {
		t.Errorf("%+v", p)
	}
}

func TestMeasurePointsOfProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list, err := MeasurePoints(t.Context(), self, "points")
	if err != nil || len(list) != 2 || list[0].Backend != "go" || list[0].MilliRP == 0 || list[1].Backend != "webgpu" {
		t.Errorf("%+v %v", list, err)
	}
	for _, mood := range []string{"crash", "junk", "no-encoder", "flood"} {
		if _, err := MeasurePoints(t.Context(), self, mood); !errors.Is(err, ErrBenchmark) {
			t.Errorf("%s: %v", mood, err)
		}
	}
}

func FuzzPoints(f *testing.F) {
	for _, l := range [][]Points{nil, {{Backend: "go", Kernel: kernel.Name, MilliRP: 5}}, {{Backend: "webgpu", Kernel: kernel.Name, Error: "none"}}} {
		b, err := json.Marshal(l)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parsePoints(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := parsePoints(again); err != nil || !slices.Equal(l, list) {
			t.Fatalf("%s becomes %v: %v", bytes.TrimSpace(again), l, err)
		}
	})
}
