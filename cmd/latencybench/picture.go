package main

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// The test card's geometry at 1280 px of width, see docs/benchmarks/README.md.
const (
	barX, barY, cell = 32, 16, 24
	cells            = 48
	patchX, patchY   = 32, 80
	patch            = 64
)

// readPicture decodes the bar (wall clock in ms, low 40 bits) and the patch.
func readPicture(b []byte) (stamp uint64, on, ok bool) {
	im, err := png.Decode(bytes.NewReader(b))
	if err != nil || im.Bounds().Dx() < 160 {
		return 0, false, false
	}
	s := float64(im.Bounds().Dx()) / 1280
	at := func(x, y float64) bool { return luma(im, int(x*s), int(y*s)) > 127 }
	on = at(patchX+patch/2, patchY+patch/2)
	var bits uint64
	for i := range cells {
		bits <<= 1
		if at(barX+cell*float64(i)+cell/2, barY+cell/2) {
			bits |= 1
		}
	}
	stamp = bits >> 8
	sum := byte(0xA5)
	for i := range 5 {
		sum ^= byte(stamp >> (8 * i))
	}
	return stamp, on, sum == byte(bits)
}

func luma(im image.Image, x, y int) uint32 {
	r, g, b, _ := im.At(im.Bounds().Min.X+x, im.Bounds().Min.Y+y).RGBA()
	return (299*r + 587*g + 114*b) / 1000 >> 8
}

// sinceStamp is now − stamp in ms, where the stamp has only the low 40 bits.
func sinceStamp(now float64, stamp uint64) float64 {
	const wrap = 1 << 40
	d := math.Mod(now, wrap) - float64(stamp)
	if d < -wrap/2 {
		d += wrap
	}
	return d
}

// withExecutor lets a command run outside chromedp.Run, as an event handler must.
func withExecutor(ctx context.Context, c *chromedp.Context) context.Context {
	return cdp.WithExecutor(ctx, c.Target)
}
