package app_test

import (
	"context"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games"
)

// game returns a module built from Go with the guest library.
func game(t testing.TB, name string) []byte {
	t.Helper()
	b, err := games.FS.ReadFile(name + "/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoGameDeterminism(t *testing.T) { testDeterminism(t, game(t, "latency"), 40) }

// TestTickAllocates holds the host to its word: a tick allocates nothing.
func TestTickAllocates(t *testing.T) {
	for name, code := range map[string][]byte{"abi1": read(t, "probe.wasm"), "wasm4": read(t, "draws.wasm"), "go": game(t, "latency")} {
		r := open(t, code, app.Options{})
		ctx := context.Background()
		var in app.Input
		step := func() {
			in.Tick = r.NextTick()
			if _, _, err := r.Tick(ctx, &in); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			step()
		}
		if n := testing.AllocsPerRun(200, step); n >= 1 {
			t.Errorf("%s: %v allocations per tick", name, n)
		}
	}
}

// BenchmarkTick says how many ticks a core does in a second, for each test module,
// with and without a deadline.
func BenchmarkTick(b *testing.B) {
	for _, c := range []struct {
		name string
		code []byte
	}{{"probe", read(b, "probe.wasm")}, {"draws", read(b, "draws.wasm")}, {"ball", read(b, "ball.wasm")}, {"latency", game(b, "latency")}, {"novareef", game(b, "novareef")}} {
		for _, deadline := range []bool{false, true} {
			name := c.name
			if deadline {
				name += "-deadline"
			}
			b.Run(name, func(b *testing.B) {
				r := open(b, c.code, app.Options{Deadline: deadline})
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				in := input(0)
				b.ReportAllocs()
				for b.Loop() {
					in.Tick = r.NextTick()
					if _, _, err := r.Tick(ctx, in); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ticks/s")
			})
		}
	}
}

// BenchmarkOpen starts a game: cold compiles, warm reads compiled code from disk,
// check is what is done before anything is compiled.
func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		name string
		code []byte
	}{{"probe", read(b, "probe.wasm")}, {"latency", game(b, "latency")}} {
		once := func(b *testing.B, dir string) {
			r, err := app.Open(b.Context(), c.code, app.Options{CacheDir: dir})
			if err != nil {
				b.Fatal(err)
			}
			r.Close(b.Context())
		}
		b.Run(c.name+"/cold", func(b *testing.B) {
			for b.Loop() {
				once(b, "")
			}
		})
		b.Run(c.name+"/warm", func(b *testing.B) {
			dir := b.TempDir()
			once(b, dir)
			for b.Loop() {
				once(b, dir)
			}
		})
		b.Run(c.name+"/check", func(b *testing.B) {
			for b.Loop() {
				if err := app.Check(c.code); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSnapshot takes, puts back and hashes a game's state.
func BenchmarkSnapshot(b *testing.B) {
	for _, c := range []struct {
		name string
		code []byte
	}{{"ball", read(b, "ball.wasm")}, {"latency", game(b, "latency")}} {
		r := open(b, c.code, app.Options{})
		play(b, r, 10)
		var snap []byte
		b.Run(c.name+"/take", func(b *testing.B) {
			for b.Loop() {
				var err error
				if snap, err = r.Snapshot(snap[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(snap)), "bytes")
		})
		b.Run(c.name+"/restore", func(b *testing.B) {
			for b.Loop() {
				if err := r.Restore(snap); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/hash", func(b *testing.B) {
			for b.Loop() {
				if _, err := r.StateHash(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
