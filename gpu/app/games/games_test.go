package games

import (
	"bytes"
	"image"
	"image/png"
	"io/fs"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games/internal/cabinet"
	"github.com/pelletier/go-toml/v2"
)

// HID usages of the keys that the tests press.
const (
	keyA      = 0x04
	keyS      = 0x16
	keyEscape = 0x29
	keySpace  = 0x2c
	keyRight  = 0x4f
	keyDown   = 0x51
	keyUp     = 0x52
)

func TestEveryAppIsWholeAndSaysWhatItIs(t *testing.T) {
	found, err := fs.Glob(FS, "*/module.wasm")
	if err != nil || len(found) != len(Names()) {
		t.Errorf("%d modules and %d names: %v", len(found), len(Names()), err)
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			var manifest struct {
				Name, Title, Description, Author, License, Kind, Category string
				Controls                                                  []string
			}
			text, err := FS.ReadFile(name + "/app.toml")
			if err != nil {
				t.Fatal(err)
			}
			if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&manifest); err != nil {
				t.Fatal(err)
			}
			if manifest.Name != name || manifest.Kind != "abi1" || manifest.License != "Apache-2.0" ||
				manifest.Title == "" || manifest.Description == "" || manifest.Author == "" || len(manifest.Controls) == 0 {
				t.Errorf("manifest: %+v", manifest)
			}
			picture, err := FS.ReadFile(name + "/picture.png")
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := png.DecodeConfig(bytes.NewReader(picture))
			if err != nil || cfg.Width != 640 || cfg.Height != 360 || len(picture) > 150<<10 {
				t.Errorf("picture: %d×%d, %d bytes: %v", cfg.Width, cfg.Height, len(picture), err)
			}
			code := module(t, name)
			if len(code) > 9<<18 {
				t.Errorf("the module has %d bytes, more than 2.25 MiB: what does it link in?", len(code))
			}
			if err := app.Check(code); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSizesRatesAndSeats(t *testing.T) {
	want := map[string]app.Info{
		"novareef":    {Width: 640, Height: 360, FPS: 60, Seats: 1, Pointer: true},
		"cometcup":    {Width: 640, Height: 360, FPS: 60, Seats: 2, Pointer: true},
		"latency":     {Width: 640, Height: 360, FPS: 60, Seats: 1, WallClock: true},
		"latency-30":  {Width: 640, Height: 360, FPS: 30, Seats: 1, WallClock: true},
		"latency-720": {Width: 1280, Height: 720, FPS: 60, Seats: 1, WallClock: true},
	}
	for _, name := range Names() {
		info := want[name]
		info.AudioRate, info.AudioChannels, info.ABI = 48000, 2, app.ABI1
		if got := open(t, name, app.Options{}).Info(); got != info {
			t.Errorf("%s: %+v, want %+v", name, got, info)
		}
	}
}

// play is somebody at the keyboard, by the number of the tick: always the
// same, wherever it begins.
func play(t testing.TB, c *cabinet.Cabinet, ticks int) {
	c.Sit(0)
	for range ticks {
		i := int(c.NextTick())
		c.In.WallMS = int64(1_767_225_600_000 + 17*i)
		c.Key(0, keySpace, i > 30 && i%50 < 40)
		c.Key(0, keyUp, i/37%3 == 1)
		c.Key(0, keyDown, i/37%3 == 2)
		c.Key(0, keyS, i/23%2 == 1)
		c.Key(0, keyZ, i%11 < 4)
		tick(t, c, 1)
	}
}

func TestSameSeedAndInputsGiveTheSameState(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			a, b := open(t, name, app.Options{Seed: 5}), open(t, name, app.Options{Seed: 5})
			play(t, a, 600)
			play(t, b, 600)
			if state(t, a) != state(t, b) || picture(a) != picture(b) {
				t.Error("two runs of the same inputs differ")
			}
			a.Key(0, keyZ, true)
			b.Key(0, keyZ, false)
			a.Key(0, keyRight, true)
			b.Key(0, keyRight, false)
			tick(t, a, 1)
			tick(t, b, 1)
			if state(t, a) == state(t, b) {
				t.Error("different inputs give the same state: the comparison compares nothing")
			}
		})
	}
}

func TestASnapshotGoesOnElsewhereTheSame(t *testing.T) {
	for _, name := range []string{"novareef", "cometcup"} {
		t.Run(name, func(t *testing.T) {
			a := open(t, name, app.Options{Seed: 9})
			play(t, a, 300)
			snapshot, err := a.Snapshot(nil)
			if err != nil {
				t.Fatal(err)
			}
			b := open(t, name, app.Options{Seed: 1234})
			if err := b.Restore(snapshot); err != nil {
				t.Fatal(err)
			}
			play(t, a, 200)
			play(t, b, 200)
			if state(t, a) != state(t, b) || picture(a) != picture(b) {
				t.Error("the restored game went another way")
			}
		})
	}
}

// changed counts the pixels in which two pictures differ.
func changed(a, b *image.RGBA) (n int) {
	for i := 0; i < len(a.Pix); i += 4 {
		if a.Pix[i] != b.Pix[i] || a.Pix[i+1] != b.Pix[i+1] || a.Pix[i+2] != b.Pix[i+2] {
			n++
		}
	}
	return n
}

// A page shows that keys arrive by comparing frames: a press must change the
// picture, against the same game left alone.
func TestKeysChangeThePicture(t *testing.T) {
	cases := []struct {
		name   string
		key    uint8
		ticks  int // after the press
		pixels int // that must differ
	}{
		{"novareef", keySpace, 2, 50000}, // a run begins with a flash
		{"cometcup", keyS, 2, 5000},
		{"latency", keyZ, 1, 900},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b := open(t, c.name, app.Options{Seed: 2}), open(t, c.name, app.Options{Seed: 2})
			a.Sit(0)
			b.Sit(0)
			tick(t, a, 40)
			tick(t, b, 40)
			if n := changed(a.Picture(), b.Picture()); n != 0 {
				t.Fatalf("%d pixels differ before any key", n)
			}
			b.Key(0, c.key, true)
			tick(t, a, c.ticks)
			tick(t, b, c.ticks)
			if n := changed(a.Picture(), b.Picture()); n < c.pixels {
				t.Errorf("a key changed %d pixels, want %d or more", n, c.pixels)
			}
		})
	}
}

func TestSoundIsHeardAndDoesNotOverload(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			c := open(t, name, app.Options{Seed: 3})
			var sum float64
			var n, full int
			for range 10 {
				play(t, c, 60)
				for _, s := range c.Sound() {
					sum += float64(s) * float64(s)
					n++
					if s > 32000 || s < -32000 {
						full++
					}
				}
			}
			if n == 0 || sum/float64(n) < 100*100 {
				t.Errorf("mean square %.0f over %d samples: hardly any sound", sum/float64(max(n, 1)), n)
			}
			if full*100 > n {
				t.Errorf("%d of %d samples at full scale", full, n)
			}
		})
	}
}

func TestPauseHoldsTheWorld(t *testing.T) {
	for _, name := range []string{"novareef", "cometcup"} {
		t.Run(name, func(t *testing.T) {
			c := open(t, name, app.Options{Seed: 4})
			tap := func(key uint8) {
				c.Key(0, key, true)
				tick(t, c, 2)
				c.Key(0, key, false)
				tick(t, c, 2)
			}
			c.Sit(0)
			tick(t, c, 40)
			tap(keySpace)
			tick(t, c, 120) // past the count-down
			tap(keyEscape)
			tick(t, c, 30)
			held := picture(c)
			tick(t, c, 60)
			if picture(c) != held {
				t.Error("something moves while the game is paused")
			}
			tap(keySpace)
			tick(t, c, 10)
			if picture(c) == held {
				t.Error("the game does not go on after the pause")
			}
		})
	}
}

func TestTheBestScoreIsKept(t *testing.T) {
	c := open(t, "novareef", app.Options{Seed: 6})
	c.Sit(0)
	tick(t, c, 40)
	// Somebody who fires and never moves scores, and loses in a minute or two.
	for range 40 {
		c.Key(0, keySpace, true)
		tick(t, c, 300)
		if _, times := c.Saved(); times > 0 {
			break
		}
	}
	save, times := c.Saved()
	if times == 0 || !strings.HasPrefix(string(save), "NRf1") {
		t.Fatalf("after the end of a run the save is %q, written %d times", save, times)
	}
	save = bytes.Clone(save)

	title := func(save []byte) [32]byte {
		c := open(t, "novareef", app.Options{Seed: 6, Save: save})
		tick(t, c, 1)
		return picture(c)
	}
	fresh := title(nil)
	if title(save) == fresh {
		t.Error("the title of the next session does not show the best score")
	}
	save[5] ^= 0x40
	if title(save) != fresh {
		t.Error("a damaged save is not taken for none")
	}
}
