package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

// goldenDraws is the SHA-256 of the picture of draws.wasm, 640×640 RGBA. Look at
// the picture before changing it: FRAMEMESH_PICTURES=folder writes it there.
const goldenDraws = "2e501d5a636de403c786da465b633d40c7caf60afaa125bb6b0b7a67804231c8"

func tick(t *testing.T, r app.Runtime, in *app.Input) (app.Frame, []int16) {
	t.Helper()
	in.Tick = r.NextTick()
	f, pcm, err := r.Tick(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return f, pcm
}

func picture(t *testing.T, name string, f app.Frame) {
	t.Helper()
	dir := os.Getenv("FRAMEMESH_PICTURES")
	if dir == "" {
		return
	}
	var b bytes.Buffer
	im := &image.NRGBA{Pix: f.Pix, Stride: f.Stride, Rect: image.Rect(0, 0, f.Width, f.Height)}
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWASM4Draws(t *testing.T) {
	r := open(t, read(t, "draws.wasm"), app.Options{})
	var sum [32]byte
	for i := range 3 { // the same each tick: the console clears the screen
		f, _ := tick(t, r, &app.Input{})
		picture(t, "draws", f)
		sum = sha256.Sum256(f.Pix)
		if got := hex.EncodeToString(sum[:]); got != goldenDraws {
			t.Fatalf("tick %d: the picture is %s, not %s", i, got, goldenDraws)
		}
	}
}

func TestWASM4Determinism(t *testing.T) {
	code := read(t, "ball.wasm")
	a, b := open(t, code, app.Options{}), open(t, code, app.Options{Seed: 9})
	play(t, a, 201) // the sound of a bounce is in the air
	snap, err := a.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	play(t, b, 10)
	if err := b.Restore(snap); err != nil {
		t.Fatal(err)
	}
	if play(t, a, 200) != play(t, b, 200) || stateHash(t, a) == [32]byte{} || stateHash(t, a) != stateHash(t, b) {
		t.Fatal("a restored cart goes on differently")
	}
}

func TestWASM4SoundAndDisk(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	r := open(t, read(t, "ball.wasm"), app.Options{Log: logger})
	loudest, saves := int16(0), uint64(0)
	for range 120 {
		_, pcm := tick(t, r, &app.Input{})
		for _, s := range pcm {
			loudest = max(loudest, s)
		}
		_, saves = r.Saved()
	}
	disk, _ := r.Saved()
	if loudest < 1000 || saves == 0 || len(disk) != 4 || binary.LittleEndian.Uint32(disk) != uint32(saves) {
		t.Fatalf("loudest sample %d, %d saves, disk % x", loudest, saves, disk)
	}
	for _, want := range []string{"started", "bounce 1 at", "ball 2.5 !"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
	again := open(t, read(t, "ball.wasm"), app.Options{Save: disk})
	for range 120 {
		tick(t, again, &app.Input{})
	}
	if more, _ := again.Saved(); binary.LittleEndian.Uint32(more) != uint32(2*saves) {
		t.Fatalf("the next session counts from %d to % x", saves, more)
	}
}

// cell reads the colour of one pixel of the console's screen.
func cell(f app.Frame, x, y int) uint32 {
	return binary.LittleEndian.Uint32(f.Pix[(4*y+1)*f.Stride+(4*x+1)*4:])
}

// padLine measures the line that ball.wasm draws for gamepad i, in px.
func padLine(f app.Frame, i int) (n int) {
	for paper := cell(f, 2, 2); cell(f, 4+n, 4+2*i) != paper; n++ {
	}
	return n
}

func TestWASM4Input(t *testing.T) {
	const left, right, button1, button2 = 16, 32, 1, 2
	var in app.Input
	s := &in.Seats[0]
	for _, c := range []struct {
		name       string
		hold       func()
		pad0, pad1 int
	}{
		{"nothing", func() {}, 0, 0},
		{"not connected", func() { s.Flags = 0; s.Buttons = app.ButtonLeft }, 0, 0},
		{"arrow", func() { s.SetKey(0x50, true) }, left, 0},
		{"x and z", func() { s.SetKey(0x1b, true); s.SetKey(0x1d, true) }, button1 | button2, 0},
		{"space", func() { s.SetKey(0x2c, true) }, button1, 0},
		{"second player's keys", func() { s.SetKey(0x16, true); s.SetKey(0x04, true) }, 0, left | button1},
		{"own keys among two", func() { s.SetKey(0x04, true); in.Seats[1].Flags = app.SeatConnected; in.Seats[1].Buttons = app.ButtonA }, left, button1},
		{"d-pad and A", func() { s.Buttons = app.ButtonRight | app.ButtonA }, right | button1, 0},
		{"stick", func() { s.Axes[0] = 30000 }, right, 0},
		{"stick at rest", func() { s.Axes[0] = 3000 }, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, read(t, "ball.wasm"), app.Options{})
			in = app.Input{}
			s.Flags = app.SeatConnected | app.SeatGamepad
			c.hold()
			f, _ := tick(t, r, &in)
			if a, b := padLine(f, 0), padLine(f, 1); a != c.pad0 || b != c.pad1 {
				t.Fatalf("gamepads %#x %#x, not %#x %#x", a, b, c.pad0, c.pad1)
			}
		})
	}
	r := open(t, read(t, "ball.wasm"), app.Options{})
	in = app.Input{}
	*s = app.Seat{Flags: app.SeatConnected | app.SeatPointer, X: 32768, Y: 49152, PointerButtons: 4}
	f, _ := tick(t, r, &in)
	paper := cell(f, 120, 150)
	if cell(f, 80, 120) == paper || cell(f, 86, 122) == paper || cell(f, 87, 122) != paper || cell(f, 79, 120) != paper {
		t.Fatal("the mouse is not at 80, 120 with the middle button down")
	}
}
