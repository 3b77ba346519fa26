package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

// shot is one of the player's.
type shot struct {
	x, y, vx, vy, force float64
	alive               bool
}

// bullet is one of theirs; hue picks its glow.
type bullet struct {
	x, y, vx, vy float64
	hue          uint8
	alive        bool
}

type itemKind uint8

const (
	mote   itemKind = iota // points and multiplier
	gem                    // power
	shell                  // shield
	charge                 // nova bomb
)

type item struct {
	x, y, vx, vy float64
	kind         itemKind
	age          int
	alive        bool
}

func (g *game) launch(x, y, vx, vy, force float64) {
	for i := range g.shots {
		if s := &g.shots[i]; !s.alive {
			*s = shot{x, y, vx, vy, force, true}
			return
		}
	}
}

// spit fires an enemy bullet at an angle (radians, 0 is right, down grows).
func (g *game) spit(x, y, angle, speed float64, hue uint8) {
	if x < 0 || x > width+10 {
		return
	}
	speed *= g.script.haste()
	for i := range g.bullets {
		if b := &g.bullets[i]; !b.alive {
			*b = bullet{x, y, math.Cos(angle) * speed, math.Sin(angle) * speed, hue, true}
			return
		}
	}
}

// aim is the angle from a point to the ship.
func (g *game) aim(x, y float64) float64 { return math.Atan2(g.ship.y-y, g.ship.x-x) }

// fan fires n bullets spread around an angle.
func (g *game) fan(x, y, angle, spread, speed float64, n int, hue uint8) {
	for i := range n {
		g.spit(x, y, angle+spread*(float64(i)-float64(n-1)/2), speed, hue)
	}
}

// ring fires n bullets all around.
func (g *game) ring(x, y, turn, speed float64, n int, hue uint8) {
	for i := range n {
		g.spit(x, y, turn+2*math.Pi*float64(i)/float64(n), speed, hue)
	}
}

func (g *game) drop(x, y float64, kind itemKind) {
	for i := range g.items {
		if it := &g.items[i]; !it.alive {
			*it = item{x: x, y: y, vx: g.rng.Range(-0.5, 1.2), vy: g.rng.Range(-1, 1), kind: kind, alive: true}
			if kind != mote {
				it.vx, it.vy = 0.4, 0
			}
			return
		}
	}
}

func (g *game) moveShots(snd *sdk.Synth) {
	for i := range g.shots {
		s := &g.shots[i]
		if !s.alive {
			continue
		}
		s.x += s.vx
		s.y += s.vy
		if s.x > width+12 || s.y < 0 || s.y > height {
			s.alive = false
			continue
		}
		for j := range g.enemies {
			e := &g.enemies[j]
			r := breeds[e.kind].radius + 5
			if e.alive && e.x < width+4 && near(s.x, s.y, e.x, e.y, r) {
				s.alive = false
				g.emit(s.x, s.y, g.rng.Range(-2, 0), g.rng.Range(-1.5, 1.5), 10, hues[hueBlue])
				g.hurt(e, s.force, snd)
				break
			}
		}
		if s.alive && g.boss.alive && near(s.x, s.y, g.boss.x, g.boss.y, bossRadius+2) {
			s.alive = false
			g.emit(s.x, s.y, g.rng.Range(-3, 0), g.rng.Range(-2, 2), 12, hues[hueGold])
			g.boss.hurt(g, s.force, snd)
		}
	}
}

func (g *game) moveBullets(*sdk.Synth) {
	for i := range g.bullets {
		b := &g.bullets[i]
		if !b.alive {
			continue
		}
		b.x += b.vx
		b.y += b.vy
		if b.x < -10 || b.x > width+20 || b.y < -10 || b.y > height+10 {
			b.alive = false
		}
	}
}

func (g *game) moveItems(*sdk.Synth) {
	for i := range g.items {
		it := &g.items[i]
		if !it.alive {
			continue
		}
		it.age++
		p := &g.ship
		if it.kind == mote && p.down == 0 && (near(it.x, it.y, p.x, p.y, reachMotes) || g.boss.dying > 0) {
			dx, dy := p.x-it.x, p.y-it.y
			d := math.Sqrt(dx*dx+dy*dy) + 1
			it.vx += (dx/d*6 - it.vx) * 0.25
			it.vy += (dy/d*6 - it.vy) * 0.25
		} else {
			goal := -1.1
			if it.kind != mote {
				goal = -0.7
				it.vy = math.Sin(float64(it.age)*0.05) * 0.8
			} else {
				it.vy *= 0.97
			}
			it.vx += (goal - it.vx) * 0.03
		}
		it.x += it.vx
		it.y = min(max(it.y+it.vy, top+6), floor-4)
		if it.x < -12 {
			it.alive = false
		}
	}
}
