package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

// The hues of light: explosions, bullets, sparks.
const (
	hueBlue = iota
	hueCyan
	hueRed
	hueViolet
	hueGold
	hueGreen
	huePink
	hueWhite
)

var hues = [8]sdk.Color{
	sdk.Hex(0x58a8ff), sdk.Hex(0x40f0e0), sdk.Hex(0xff5040), sdk.Hex(0xb070ff),
	sdk.Hex(0xffc040), sdk.Hex(0x70f060), sdk.Hex(0xff70c0), sdk.Hex(0xffffff),
}

// frames is how many pictures an animation has.
const frames = 4

// art is everything painted once at the start.
type art struct {
	ship    [5]*sdk.Image // by tilt
	shell   *sdk.Image
	drone   *sdk.Image
	shot    *sdk.Image
	enemies [kinds][frames]*sdk.Image
	white   [kinds][frames]*sdk.Image
	boss    [frames]*sdk.Image // of the present sector, painted bit by bit
	bossRow int                // next row of all frames to paint
	bullet  [8]*sdk.Image
	core    [8]*sdk.Image // what of a bullet hurts, readable on any background
	glowMid [8]*sdk.Image
	glowBig [8]*sdk.Image
	halo    [8]*sdk.Image
	items   [4]*sdk.Image
	logo    *sdk.Image
}

func (a *art) paint() {
	for i := range a.ship {
		a.ship[i] = paintShip(float64(i-2) / 2)
	}
	a.shell = paintShell()
	a.drone = sdk.Glow(6, hues[hueCyan], 0.5)
	a.shot = sdk.Paint(20, 5, func(u, v float64) (r, g, b, al float64) {
		// A bolt: a white head on the right and a blue tail.
		k := 1 - math.Abs(v)*1.1
		head := max(0, u*1.2-0.1)
		return 0.15 + head*k, 0.65 + 0.4*head, 1, k * min(1, (u+1)*0.8) * min(1, (1-u)*6)
	})
	for f := range frames {
		t := float64(f) / frames
		a.enemies[jelly][f] = paintJelly(t)
		a.enemies[dart][f] = paintDart(t)
		a.enemies[star5][f] = paintStar(t)
		a.enemies[lamp][f] = paintLamp(t)
		a.enemies[urchin][f] = paintUrchin(t)
		a.enemies[eel][f] = paintEel(t)
		a.boss[f] = sdk.NewImage(130, 122)
	}
	for k := range kinds {
		for f := range frames {
			a.white[k][f] = a.enemies[k][f].Flat(hues[hueWhite])
		}
	}
	for i, c := range hues {
		a.bullet[i] = sdk.Glow(7, c, 0.45)
		a.core[i] = paintCore(c)
		a.glowMid[i] = sdk.Glow(22, c, 0.15)
		a.glowBig[i] = sdk.Glow(48, c, 0.12)
		a.halo[i] = sdk.Glow(26, c.Scale(90), 0)
	}
	a.items[mote] = sdk.Glow(4, hues[hueGold], 0.5)
	a.items[gem] = paintGem(1, 0.35, 0.3, 'P')
	a.items[shell] = paintGem(0.3, 0.7, 1, 'S')
	a.items[charge] = paintGem(0.8, 0.5, 1, 'B')
	a.logo = sdk.TextImage("NOVA REEF", 9, func(u, v float64) sdk.Color {
		c := sdk.Hex(0x38f0e8).Mix(sdk.Hex(0xff58b8), int(u*256))
		if v < 0.5 {
			return c.Mix(sdk.Hex(0xffffff), int((0.5-v)*400))
		}
		return c.Scale(256 - int((v-0.5)*180))
	}).Outlined(4, sdk.Hex(0x060818))
}

// paintCore is a white bead in a coloured ring with a dark edge.
func paintCore(c sdk.Color) *sdk.Image {
	cr, cg, cb := c.Parts()
	r0, g0, b0 := float64(cr)/255, float64(cg)/255, float64(cb)/255
	return sdk.Paint(11, 11, func(u, v float64) (r, g, b, a float64) {
		switch d := math.Hypot(u, v); {
		case d < 0.42:
			return 1, 1, 1, 1
		case d < 0.8:
			return r0, g0, b0, 1
		case d < 1:
			return 0, 0, 0.03, 0.7
		}
		return
	})
}

// lit shades a bulge: the light falls from the upper left. d is the distance
// from the middle, 0..1.
func lit(u, v, d float64) float64 {
	z := math.Sqrt(max(0, 1-d*d))
	return max(0.15, 0.25+0.75*(z*0.7-u*0.25-v*0.6))
}

func paintShip(tilt float64) *sdk.Image {
	return sdk.Paint(42, 24, func(u, v float64) (r, g, b, a float64) {
		v += tilt * 0.12
		body := 0.30 * math.Sqrt(max(0, 1-u*u)) * (1.1 - 0.5*u)
		cy := v - tilt*0.08
		wing := func(sign, stretch float64) bool {
			w := cy * sign
			return w > 0 && w < 0.92*stretch && u > -0.75+w*0.1 && u < 0.12-w*0.72+0.1
		}
		switch {
		case math.Hypot((u-0.28)/0.3, (cy+0.06)/0.17) < 1: // canopy
			k := 0.5 + 0.5*(0.3-cy*2)
			return 0.3 * k, 0.9 * k, 1 * k, 1
		case math.Abs(cy) < body: // hull
			k := 0.75 - cy*1.3
			if u < -0.72 {
				return 0.3, 0.35, 0.45, 1
			}
			return k, k, k * 1.08, 1
		case wing(-1, 1-tilt*0.35) || wing(1, 1+tilt*0.35):
			k := 0.75 - math.Abs(cy)*0.3
			if math.Abs(cy) > 0.62 {
				return 1, 0.35, 0.3, 1
			}
			return 0.25 * k, 0.42 * k, 0.85 * k, 1
		}
		return
	})
}

func paintShell() *sdk.Image {
	return sdk.Paint(56, 56, func(u, v float64) (r, g, b, a float64) {
		d := math.Hypot(u, v)
		if d > 1 {
			return
		}
		return 0.4, 0.8, 1, math.Pow(d, 5) * 0.75 * (1.2 - d*0.3)
	})
}

func paintJelly(t float64) *sdk.Image {
	beat := 0.5 + 0.5*math.Sin(t*2*math.Pi)
	return sdk.Paint(36, 36, func(u, v float64) (r, g, b, a float64) {
		w := 0.72 + 0.16*beat
		h := 0.62 - 0.12*beat
		y := v + 0.18
		d := math.Hypot(u/w, y/h)
		if d < 1 && y < 0.22 {
			k := lit(u, y, d)
			rim := math.Pow(d, 4)
			spot := 0.0
			if math.Hypot(u-0.25, y+0.1) < 0.13 || math.Hypot(u+0.25, y+0.1) < 0.13 {
				spot = 0.9
			}
			return 0.12 + 0.3*rim + spot, 0.65*k + 0.5*rim + spot, 0.75*k + 0.4*rim + spot, 0.75 + 0.25*rim
		}
		if y >= 0.2 && math.Abs(u) < w*0.85 {
			wave := math.Sin(u*17) + 0.5*math.Sin(y*9+t*2*math.Pi)
			if wave > 0.55 && y < 0.95-math.Abs(u)*0.3 {
				fade := 1 - (y-0.2)/0.9
				return 0.25, 0.9, 0.9, fade * 0.8
			}
		}
		return
	})
}

func paintDart(t float64) *sdk.Image {
	flap := 0.15 * math.Sin(t*2*math.Pi)
	return sdk.Paint(38, 24, func(u, v float64) (r, g, b, a float64) {
		body := 0.36 * (1 - math.Pow(math.Abs(u+0.15)/1.0, 1.8))
		if math.Hypot(u+0.55, v+0.08) < 0.1 {
			return 1, 0.95, 0.4, 1 // eye
		}
		if u > -0.98 && u < 0.8 && math.Abs(v) < body {
			k := 0.65 - v*1.2
			return k * 1.1, k * 0.25, k*0.2 + 0.05, 1
		}
		tail := u - 0.45
		if tail > 0 && math.Abs(v-flap*tail*3) < tail*1.3 && math.Abs(v-flap*tail*3) > tail*0.35 && u < 0.98 {
			return 0.9, 0.5, 0.15, 1
		}
		if u > -0.2 && u < 0.3 && math.Abs(v) < 0.85-(u+0.2)*0.5-flap && math.Abs(v) > body*0.8 && math.Abs(v) < 0.2+(0.35-math.Abs(u-0.05))*2 {
			return 0.7, 0.15, 0.2, 0.95
		}
		return
	})
}

func paintStar(t float64) *sdk.Image {
	return sdk.Paint(44, 44, func(u, v float64) (r, g, b, a float64) {
		d := math.Hypot(u, v)
		ang := math.Atan2(v, u) + t*2*math.Pi/5
		arm := 0.52 + 0.42*math.Cos(ang*5)
		if d < 0.22 {
			k := 1 - d*2.5
			return 1, 0.6 + k*0.4, 0.3 + k, 1
		}
		if d < arm {
			k := lit(u, v, d/arm)
			dots := 0.0
			if math.Sin(d*26) > 0.75 {
				dots = 0.25
			}
			return 0.5*k + dots + 0.1, 0.25*k + dots, 0.95*k + 0.15, 1
		}
		return
	})
}

func paintLamp(t float64) *sdk.Image {
	pulse := 0.5 + 0.5*math.Sin(t*2*math.Pi)
	return sdk.Paint(56, 50, func(u, v float64) (r, g, b, a float64) {
		// The lure, on a stalk over the mouth.
		if d := math.Hypot(u+0.78, v+0.62); d < 0.16 {
			return 1, 0.95, 0.5 + 0.5*pulse, 1
		}
		if math.Abs(math.Hypot(u+0.38, v+0.35)-0.46) < 0.035 && v < -0.35 {
			return 0.6, 0.45, 0.2, 1
		}
		d := math.Hypot((u-0.08)/0.72, (v-0.1)/0.72)
		if d < 1 {
			if math.Hypot(u+0.24, v+0.14) < 0.14 {
				if math.Hypot(u+0.27, v+0.14) < 0.07 {
					return 0, 0, 0, 1
				}
				return 1, 0.95, 0.8, 1
			}
			gape := 0.10 + 0.06*pulse
			if u < 0.1 && math.Abs(v-0.36-u*0.1) < gape {
				if math.Abs(v-0.36-u*0.1) > gape-0.09+0.05*math.Sin(u*40) {
					return 0.95, 0.9, 0.8, 1
				}
				return 0.25, 0.02, 0.05, 1
			}
			k := lit(u, v, d)
			stripe := 0.12 * math.Sin(u*14+v*4)
			return 0.85*k + stripe, 0.5*k + stripe, 0.15 * k, 1
		}
		if u > 0.6 && math.Abs(v-0.1) < (u-0.5)*1.3 && u < 0.98 {
			k := 0.5 + 0.3*math.Sin(v*26)
			return 0.9 * k, 0.4 * k, 0.1, 1
		}
		if v < -0.4 && v > -0.9 && u > 0 && u < 0.5 && v > -0.62-(0.25-math.Abs(u-0.25))*1.0 {
			return 0.7, 0.35, 0.1, 1
		}
		return
	})
}

func paintUrchin(t float64) *sdk.Image {
	return sdk.Paint(38, 38, func(u, v float64) (r, g, b, a float64) {
		d := math.Hypot(u, v)
		ang := math.Atan2(v, u) + 0.15*math.Sin(t*2*math.Pi)
		if d < 0.56 {
			k := lit(u, v, d/0.56)
			core := max(0, 1-d*4)
			return 0.2*k + core, 0.55*k + core, 0.25*k + core*0.4, 1
		}
		if spike := math.Abs(math.Sin(ang * 7)); d < 0.98 && spike < (0.98-d)*0.8 {
			return 0.5, 0.95, 0.4, 1
		}
		return
	})
}

func paintEel(t float64) *sdk.Image {
	fin := 0.1 * math.Sin(t*2*math.Pi)
	return sdk.Paint(26, 30, func(u, v float64) (r, g, b, a float64) {
		d := math.Hypot(u/0.85, v/0.66)
		if d < 1 {
			k := lit(u, v, d)
			if math.Abs(u) < 0.16 {
				return 1, 0.7 * k, 0.9 * k, 1
			}
			return 0.9*k + 0.05, 0.25 * k, 0.6 * k, 1
		}
		if math.Abs(u-fin) < 0.3*(1-math.Abs(v))*1.6 {
			return 0.7, 0.2, 0.8, 0.9
		}
		return
	})
}

// bossTints colours the leviathans: shell, glow.
var bossTints = [4][2][3]float64{
	{{0.20, 0.50, 0.75}, {0.3, 1, 0.95}},
	{{0.55, 0.22, 0.62}, {1, 0.5, 0.9}},
	{{0.25, 0.52, 0.22}, {0.8, 1, 0.35}},
	{{0.65, 0.22, 0.12}, {1, 0.75, 0.25}},
}

// growBoss paints two more rows of the leviathan of a sector, in each of its
// frames. It is finished long before it appears, and nobody waited for it.
func (a *art) growBoss(sector int) {
	if a.bossRow < a.boss[0].H {
		for f, img := range a.boss {
			paintBoss(img, a.bossRow, a.bossRow+2, sector, float64(f)/frames)
		}
		a.bossRow += 2
	}
}

// paintBoss makes rows of a horned, many-plated shell around one eye; the
// sector decides its colours, its spikes and its plates.
func paintBoss(img *sdk.Image, y0, y1, sector int, t float64) {
	shell, glow := bossTints[sector][0], bossTints[sector][1]
	spikes := float64(5 + 2*sector)
	pulse := 0.5 + 0.5*math.Sin(t*2*math.Pi)
	img.PaintRows(y0, y1, func(u, v float64) (r, g, b, a float64) {
		d := math.Hypot(u, v*1.02)
		ang := math.Atan2(v, u)
		if e := math.Hypot(u+0.24, v); e < 0.25 {
			slit := math.Hypot((u+0.3)/0.07, v/0.17)
			if slit < 1 {
				return 0.05, 0, 0.05, 1
			}
			k := 1.15 - e*3 + 0.3*pulse
			return glow[0] * k, glow[1] * k, glow[2] * k, 1
		}
		if d < 0.74 {
			k := lit(u, v, d/0.78)
			seam := math.Sin(d*24 - math.Cos(ang*spikes)*2.2)
			if seam > 0.82 {
				w := 0.35 + 0.65*pulse*math.Abs(math.Sin(d*9))
				return glow[0] * w, glow[1] * w, glow[2] * w, 1
			}
			k *= 0.85 + 0.15*seam
			return shell[0]*k*1.35 + 0.03, shell[1]*k*1.35 + 0.03, shell[2]*k*1.35 + 0.03, 1
		}
		reach := 0.74 + 0.25*math.Pow(math.Abs(math.Cos(ang*spikes/2)), 3)
		if d < reach {
			k := (reach - d) * 3
			return shell[0]*0.6 + glow[0]*(0.5-k), shell[1]*0.6 + glow[1]*(0.5-k), shell[2]*0.6 + glow[2]*(0.5-k), 1
		}
		return
	})
}

// paintGem is a power-up: a coloured bead with a letter.
func paintGem(r0, g0, b0 float64, letter byte) *sdk.Image {
	img := sdk.Paint(22, 22, func(u, v float64) (r, g, b, a float64) {
		d := math.Hypot(u, v)
		if d > 0.98 {
			return
		}
		if d > 0.8 {
			return 1, 1, 1, 1
		}
		k := lit(u, v, d)
		return r0 * k, g0 * k, b0 * k, 1
	})
	text := sdk.TextImage(string(letter), 2, func(u, v float64) sdk.Color { return sdk.Hex(0xffffff) })
	for y := range text.H {
		for x := range text.W {
			if p := text.Pix[y*text.W+x]; p != 0 {
				img.Pix[(y+4)*img.W+x+6] = p
			}
		}
	}
	return img
}
