//go:build (linux || darwin || windows) && (amd64 || arm64)

package webgpu

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/kernel"
)

// must opens the shader on the card there is; without one the test is skipped, and
// fails where everything must be there.
func must(t testing.TB, source string) *device {
	t.Helper()
	d, err := open(source)
	if errors.Is(err, ErrNoDevice) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestOpenChecksTheDevice(t *testing.T) {
	must(t, shader)
	b, err := Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(b.Device())
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Render(t.Context(), kernel.Sizes()[0], kernel.Seed{}, make([]uint32, kernel.Sizes()[0].Words())); !errors.Is(err, ErrDriver) {
		t.Fatalf("a closed device renders: %v", err)
	}
}

func TestSameBitsAsTheTwin(t *testing.T) {
	d := must(t, shader)
	twin := kernel.CPU(0)
	defer twin.Close()
	r := rand.New(rand.NewPCG(3, 5))
	sizes := []kernel.Size{{Width: 16, Height: 16, SPP: 16}, {Width: 64, Height: 64, SPP: 1}, {Width: 64, Height: 32, SPP: 2}, kernel.Sizes()[0], {Width: 240, Height: 48, SPP: 3}}
	for n := range 200 {
		var seed kernel.Seed
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		size := sizes[n%len(sizes)]
		got, want := make([]uint32, size.Words()), make([]uint32, size.Words())
		if err := d.Render(t.Context(), size, seed, got); err != nil {
			t.Fatal(err)
		}
		if err := twin.Render(t.Context(), size, seed, want); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %x, %s differs", seed, size)
		}
	}
}

func TestLargeFramesAreSplit(t *testing.T) {
	d := must(t, shader)
	size := kernel.Sizes()[3]
	d.step = 3 * 256 * uint64(size.SPP) // tiles of one submission: the last one has fewer
	got, want := make([]uint32, size.Words()), make([]uint32, size.Words())
	if err := d.Render(t.Context(), size, kernel.Seed{7}, got); err != nil {
		t.Fatal(err)
	}
	twin := kernel.CPU(0)
	defer twin.Close()
	if err := twin.Render(t.Context(), size, kernel.Seed{7}, want); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatal("a frame in several submissions differs")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Render(ctx, size, kernel.Seed{8}, got); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want the context's error", err)
	}
	if err := d.Render(t.Context(), size, kernel.Seed{7}, got); err != nil || !slices.Equal(got, want) {
		t.Fatalf("the device is of no use after a frame was given up: %v", err)
	}
}

// A device that computes something slightly else is refused, whatever it is.
func TestWrongDevicesAreRefused(t *testing.T) {
	must(t, shader)
	for _, c := range []struct{ from, to string }{
		{"2654435769u", "2654435771u"},              // another random stream
		{"v.x * 16384 / l", "v.x * 16383 / l"},      // another unit
		{"disc > 0", "disc > 64"},                   // a hit in thousands missed
		{"32767;", "32766;"},                        // the horizon
		{"best) + u32(id)", "best & -2) + u32(id)"}, // the fold's lowest bit
		{"piece < 4u", "piece < 3u"},                // work left out
		{"s < spp", "s < spp - 1u"},
	} {
		if strings.Count(shader, c.from) == 0 {
			t.Fatalf("%q is not in the shader", c.from)
		}
		d := must(t, strings.Replace(shader, c.from, c.to, 1))
		if err := kernel.Check(d); !errors.Is(err, kernel.ErrWrong) || !strings.Contains(err.Error(), d.Device()) {
			t.Errorf("%q instead of %q: %v", c.to, c.from, err)
		}
	}
	// a shader that writes nothing, as devices do that run none
	d := must(t, strings.Replace(shader, "y >= frame.size.y", "y >= 0u", 1))
	if err := kernel.Check(d); !errors.Is(err, kernel.ErrEmpty) {
		t.Errorf("a device that writes nothing: %v", err)
	}
}

func TestRenderRefusesOtherSizes(t *testing.T) {
	d := must(t, shader)
	if err := d.Render(t.Context(), kernel.Size{Width: 20, Height: 20, SPP: 1}, kernel.Seed{}, make([]uint32, 800)); !errors.Is(err, kernel.ErrSize) {
		t.Error(err)
	}
	if err := d.Render(t.Context(), kernel.Sizes()[0], kernel.Seed{}, make([]uint32, 3)); !errors.Is(err, kernel.ErrBuffer) {
		t.Error(err)
	}
}

func BenchmarkRender(b *testing.B) {
	d := must(b, shader)
	size := kernel.Sizes()[3]
	out := make([]uint32, size.Words())
	n := 0
	for b.Loop() {
		if err := d.Render(context.Background(), size, kernel.Seed{byte(n)}, out); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)*float64(size.Samples())/b.Elapsed().Seconds()/1e6, "Msamples/s")
}
