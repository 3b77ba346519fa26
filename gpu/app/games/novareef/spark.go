package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

// spark is a particle of light: it flies, slows and fades.
type spark struct {
	x, y, vx, vy float64
	life, full   int
	col          sdk.Color
}

// blast is a spreading ring with a fading glow.
type blast struct {
	x, y      float64
	age, size int // size is the final radius in px
	hue       uint8
}

func (g *game) emit(x, y, vx, vy float64, life int, col sdk.Color) {
	for i := range g.sparks {
		s := &g.sparks[i]
		if s.life == 0 {
			*s = spark{x, y, vx, vy, life, life, col}
			return
		}
	}
}

// burst throws n sparks in all directions.
func (g *game) burst(x, y float64, n int, speed float64, col sdk.Color) {
	for range n {
		a, v := g.rng.Range(0, 2*math.Pi), speed*g.rng.Range(0.2, 1)
		g.emit(x, y, math.Cos(a)*v, math.Sin(a)*v, 14+g.rng.Intn(26), col)
	}
}

// explode shows the end of something of a size (final ring radius in px).
func (g *game) explode(x, y float64, size int, hue uint8) {
	g.burst(x, y, 6+size/2, 1+float64(size)/12, hues[hue&7])
	for i := range g.blasts {
		if b := &g.blasts[i]; b.size == 0 {
			*b = blast{x, y, 0, size, hue}
			return
		}
	}
}

func (g *game) moveSparks() {
	for i := range g.sparks {
		s := &g.sparks[i]
		if s.life == 0 {
			continue
		}
		s.life--
		s.x += s.vx
		s.y += s.vy
		s.vx *= 0.95
		s.vy *= 0.95
	}
	for i := range g.blasts {
		if b := &g.blasts[i]; b.size > 0 {
			if b.age++; b.age > 24 {
				b.size = 0
			}
		}
	}
}

func (g *game) drawSparks(pic *sdk.Canvas) {
	for i := range g.sparks {
		if s := &g.sparks[i]; s.life > 0 {
			size := 1
			if s.life*2 > s.full {
				size = 2
			}
			pic.RectAdd(int(s.x), int(s.y), size, size, s.col.Scale(s.life*256/s.full))
		}
	}
	for i := range g.blasts {
		b := &g.blasts[i]
		if b.size == 0 {
			continue
		}
		x, y, fade := int(b.x), int(b.y), 256-b.age*256/25
		if b.age < 14 {
			glow := g.art.glowMid[b.hue&7]
			if b.size > 30 {
				glow = g.art.glowBig[b.hue&7]
			}
			pic.DrawAddScaled(glow, x, y, 256-b.age*18)
		}
		r := b.size * (40 - (24-b.age)*(24-b.age)/15) / 40
		col := hues[b.hue&7].Scale(fade)
		pic.Circle(x, y, max(r, 1), col)
		pic.Circle(x, y, max(r-2, 1), col.Scale(128))
	}
}
