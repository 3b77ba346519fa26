package games

import (
	"image"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

// keyZ is the HID usage of KeyZ.
const keyZ = 0x1d

// cards are the three sizes of the test card.
var cards = []string{"latency", "latency-30", "latency-720"}

// readBar decodes the bar as a probe does: by what lies in the middle of
// each cell. ok is false when the checksum does not hold.
func readBar(pic *image.RGBA) (ms int64, ok bool) {
	scale := float64(pic.Rect.Dx()) / 1280
	var word uint64
	for i := range 48 {
		x := int((32 + 24*float64(i) + 12) * scale)
		y := int((16 + 12) * scale)
		word <<= 1
		if pic.RGBAAt(x, y).G >= 128 {
			word |= 1
		}
	}
	sum := byte(0xa5)
	for s := 8; s < 48; s += 8 {
		sum ^= byte(word >> s)
	}
	return int64(word >> 8), byte(word) == sum
}

func TestTheBarCarriesTheWallClock(t *testing.T) {
	for _, name := range cards {
		t.Run(name, func(t *testing.T) {
			c := open(t, name, app.Options{Seed: 1})
			for _, ms := range []int64{0, 1, 1_767_225_600_123, 1<<40 - 1, 0x5a5a5a5a5a, 1<<41 + 77} {
				c.In.WallMS = ms
				tick(t, c, 1)
				if got, ok := readBar(c.Picture()); !ok || got != ms&(1<<40-1) {
					t.Errorf("wall clock %d: the bar says %d, checksum holds: %v", ms, got, ok)
				}
			}
		})
	}
}

func TestThePatchIsWhiteExactlyWhileKeyZIsHeld(t *testing.T) {
	for _, name := range cards {
		t.Run(name, func(t *testing.T) {
			c := open(t, name, app.Options{Seed: 1})
			w := c.Info().Width
			for i, down := range []bool{false, true, true, false} {
				c.Key(0, keyZ, down)
				tick(t, c, 1)
				want := uint8(0)
				if down {
					want = 255
				}
				for _, p := range []image.Point{{34, 82}, {64, 112}, {94, 142}} {
					got := c.Picture().RGBAAt(p.X*w/1280, p.Y*w/1280)
					if got.R != want || got.G != want || got.B != want {
						t.Errorf("tick %d, key down %v: pixel at %v is %v", i, down, p, got)
					}
				}
			}
		})
	}
}

func TestTheGradientMovesAndClosesOnItself(t *testing.T) {
	c := open(t, "latency", app.Options{Seed: 1})
	tick(t, c, 1)
	first := picture(c)
	tick(t, c, 1)
	if picture(c) == first {
		t.Fatal("the gradient stands still")
	}
	tick(t, c, c.Info().Width-1)
	if picture(c) != first {
		t.Error("after one round the picture is not the first one again")
	}
}

func TestTheCardBeepsWhileKeyZIsHeld(t *testing.T) {
	c := open(t, "latency", app.Options{Seed: 1})
	loud := func() (peak int) {
		for range 30 {
			tick(t, c, 1)
			for _, s := range c.Sound() {
				peak = max(peak, int(s), -int(s))
			}
		}
		return peak
	}
	quiet := loud()
	c.Key(0, keyZ, true)
	beep := loud()
	if quiet < 100 || beep < 3*quiet {
		t.Errorf("peak %d at rest and %d with the key held", quiet, beep)
	}
}
