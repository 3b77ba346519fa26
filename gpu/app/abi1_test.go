package app_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, code []byte, o app.Options) app.Runtime {
	t.Helper()
	r, err := app.Open(t.Context(), code, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

// input is a player who is never still, and the same for everybody.
func input(tick uint64) *app.Input {
	in := &app.Input{Tick: tick, WallMS: 1_700_000_000_000 + int64(tick)*16}
	s := &in.Seats[0]
	s.Flags = app.SeatConnected | app.SeatGamepad | app.SeatPointer
	h := uint32(tick/7)*2654435761 + 12345
	if h>>29&1 != 0 {
		s.Buttons |= app.ButtonUp
	}
	if h>>28&1 != 0 {
		s.Buttons |= app.ButtonDown
	}
	s.Axes[0] = int16(h >> 16)
	s.SetKey(uint8(0x4f+h>>20&3), true)
	s.SetKey(0x1b, h>>19&1 != 0)
	s.X, s.Y = uint16(h), uint16(h>>8)
	s.PointerButtons = uint8(h >> 11 & 7)
	return in
}

// play runs n ticks and returns a digest of all pictures and sounds.
func play(t testing.TB, r app.Runtime, n int) [32]byte {
	t.Helper()
	h := sha256.New()
	for range n {
		f, pcm, err := r.Tick(t.Context(), input(r.NextTick()))
		if err != nil {
			t.Fatal(err)
		}
		h.Write(f.Pix)
		for _, s := range pcm {
			h.Write([]byte{byte(s), byte(uint16(s) >> 8)})
		}
	}
	return [32]byte(h.Sum(nil))
}

func stateHash(t testing.TB, r app.Runtime) [32]byte {
	t.Helper()
	h, err := r.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// testDeterminism plays twice, then restores the middle into a third runtime
// and plays on: all three must end alike.
func testDeterminism(t *testing.T, code []byte, n int) {
	t.Helper()
	cache := t.TempDir()
	o := app.Options{Seed: 42, CacheDir: cache}
	a, b := open(t, code, o), open(t, code, o)
	play(t, a, n)
	snap, err := a.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	second := play(t, a, n)
	play(t, b, n)
	if play(t, b, n) != second || stateHash(t, a) != stateHash(t, b) {
		t.Fatal("two runs of the same inputs differ")
	}
	// The seed of the new one differs: all of it must come from the snapshot.
	c := open(t, code, app.Options{Seed: 7, CacheDir: cache})
	play(t, c, 3)
	if err := c.Restore(snap); err != nil {
		t.Fatal(err)
	}
	if got := c.NextTick(); got != uint64(n) {
		t.Fatalf("after a restore the next tick is %d, not %d", got, n)
	}
	if play(t, c, n) != second || stateHash(t, c) != stateHash(t, a) {
		t.Fatal("a restored game goes on differently")
	}
	d := open(t, code, app.Options{Seed: 43, CacheDir: cache})
	play(t, d, 2*n)
	if stateHash(t, d) == stateHash(t, a) {
		t.Fatal("the seed changes nothing")
	}
}

func TestABI1Determinism(t *testing.T) { testDeterminism(t, read(t, "probe.wasm"), 50) }

func TestABI1Picture(t *testing.T) {
	r := open(t, read(t, "probe.wasm"), app.Options{})
	want := app.Info{Width: 64, Height: 48, FPS: 60, AudioRate: 48000, AudioChannels: 1, Seats: 1, ABI: app.ABI1}
	if r.Info() != want {
		t.Fatalf("info %+v", r.Info())
	}
	f, pcm, err := r.Tick(t.Context(), &app.Input{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Stride != 256 || len(f.Pix) != 64*48*4 || len(pcm) != 800 {
		t.Fatalf("frame %d×%d stride %d of %d bytes, %d samples", f.Width, f.Height, f.Stride, len(f.Pix), len(pcm))
	}
	if string(f.Pix[4:8]) != "\xff\xff\xff\xff" || string(f.Pix[8:12]) == "\xff\xff\xff\xff" {
		t.Fatalf("the white column is not at x=1: % x", f.Pix[:16])
	}
	if pcm[1] == pcm[0] {
		t.Fatal("silence")
	}
}

// press runs one tick with these buttons down.
func press(t *testing.T, r app.Runtime, buttons uint32) error {
	t.Helper()
	in := &app.Input{Tick: r.NextTick()}
	in.Seats[0] = app.Seat{Flags: app.SeatConnected, Buttons: buttons}
	_, _, err := r.Tick(t.Context(), in)
	return err
}

func TestABI1Faults(t *testing.T) {
	for _, c := range []struct {
		name    string
		buttons uint32
		want    []error
		says    string
	}{
		{"trap", app.ButtonX, []error{app.ErrTrap}, "unreachable"},
		{"exit", app.ButtonY, []error{app.ErrExit}, "code 7: last words"},
		{"recursion", app.ButtonL1, []error{app.ErrTrap}, "stack overflow"},
		{"memory", app.ButtonB, []error{app.ErrTrap, app.ErrMemory}, "limit is 1 MiB"},
		{"pointer", app.ButtonR1, []error{app.ErrTrap}, "outside memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, read(t, "probe.wasm"), app.Options{MemoryLimit: 1 << 20})
			play(t, r, 5)
			snap, err := r.Snapshot(nil)
			if err != nil {
				t.Fatal(err)
			}
			hash := stateHash(t, r)
			err = press(t, r, c.buttons)
			for _, w := range c.want {
				if !errors.Is(err, w) {
					t.Fatalf("%v is not %v", err, w)
				}
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%q does not say %q", err, c.says)
			}
			if err := press(t, r, 0); !errors.Is(err, app.ErrStopped) {
				t.Fatalf("after a fault: %v", err)
			}
			if _, err := r.StateHash(); !errors.Is(err, app.ErrStopped) {
				t.Fatalf("hash after a fault: %v", err)
			}
			if err := r.Restore(snap); err != nil {
				t.Fatal(err)
			}
			if stateHash(t, r) != hash {
				t.Fatal("the restored state is another")
			}
			play(t, r, 5)
		})
	}
}

func TestABI1Deadline(t *testing.T) {
	r := open(t, read(t, "probe.wasm"), app.Options{Deadline: true})
	play(t, r, 3)
	snap, err := r.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	in := &app.Input{Tick: r.NextTick()}
	in.Seats[0].Buttons = app.ButtonA
	if _, _, err := r.Tick(ctx, in); !errors.Is(err, app.ErrTooLong) {
		t.Fatalf("an endless loop ended with %v", err)
	}
	if err := r.Restore(snap); err != nil {
		t.Fatal(err)
	}
	play(t, r, 3)
}
