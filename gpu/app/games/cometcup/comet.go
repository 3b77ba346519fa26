package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

const (
	cometRadius = 10.0
	topSpeed    = 13.0 // px per tick
	steps       = 3    // per tick, so that nothing passes through a paddle
	trail       = 22
)

type comet struct {
	alive        bool
	x, y, vx, vy float64
	still        int // ticks that it hardly moved
	past         [trail][2]float64
}

func (c *comet) resetTrail() {
	for i := range c.past {
		c.past[i] = [2]float64{c.x, c.y}
	}
}

func (g *game) moveComets(snd *sdk.Synth) {
	for i := range g.comets {
		c := &g.comets[i]
		if !c.alive {
			continue
		}
		copy(c.past[1:], c.past[:trail-1])
		c.past[0] = [2]float64{c.x, c.y}
		for range steps {
			c.x += c.vx / steps
			c.y += c.vy / steps
			if g.bounceWalls(c, snd) {
				return // a goal: the rest of the tick is for the crowd
			}
			for side := range g.paddles {
				g.strike(side, c, snd)
			}
		}
		for j := range g.comets[:i] {
			collide(c, &g.comets[j])
		}
		v := hypot(c.vx, c.vy)
		if v > topSpeed {
			c.vx, c.vy = c.vx*topSpeed/v, c.vy*topSpeed/v
		}
		c.vx *= 0.9965
		c.vy *= 0.9965
		// One that comes to rest out of reach is blown back to the middle.
		c.still++
		if v > 0.8 || g.mode != rally && g.mode != demo {
			c.still = 0
		}
		if c.still > 150 {
			c.still = 0
			c.vx += (width/2 - c.x) * 0.014
			c.vy += (middle-c.y)*0.014 + g.rng.Range(-1.5, 1.5)
			g.burst(c.x, c.y, 12, 2, white)
		}
	}
}

// bounceWalls reflects a comet and reports a goal.
func (g *game) bounceWalls(c *comet, snd *sdk.Synth) bool {
	hit := -1
	if c.y < wallTop+cometRadius {
		c.y, c.vy, hit = wallTop+cometRadius, math.Abs(c.vy)*0.97, 0
	}
	if c.y > wallBottom-cometRadius {
		c.y, c.vy, hit = wallBottom-cometRadius, -math.Abs(c.vy)*0.97, 1
	}
	if math.Abs(c.y-middle) < gateHalf-2 {
		if c.x < wallLeft-6 || c.x > wallRight+6 {
			if g.mode == goal || g.mode == won {
				c.alive = false
				return false
			}
			side := 0
			if c.x < width/2 {
				side = 1
			}
			c.alive = false
			g.scored(side, c.y, snd)
			return true
		}
	} else {
		if c.x < wallLeft+cometRadius {
			c.x, c.vx, hit = wallLeft+cometRadius, math.Abs(c.vx)*0.97, 2
		}
		if c.x > wallRight-cometRadius {
			c.x, c.vx, hit = wallRight-cometRadius, -math.Abs(c.vx)*0.97, 3
		}
	}
	if v := hypot(c.vx, c.vy); hit >= 0 && v > 0.7 {
		g.walls[hit] = 16
		g.burst(c.x, c.y, 3+int(v/2), v*0.4, white)
		snd.PlayAt(&g.sound.wall, (c.x-width/2)/400, min(v/10, 1))
	}
	return false
}

// strike bounces a comet off a paddle and gives it the paddle's push.
func (g *game) strike(side int, c *comet, snd *sdk.Synth) {
	p := &g.paddles[side]
	dx, dy := c.x-p.x, c.y-p.y
	d := hypot(dx, dy)
	if d >= cometRadius+paddleRadius || d == 0 {
		return
	}
	nx, ny := dx/d, dy/d
	c.x, c.y = p.x+nx*(cometRadius+paddleRadius), p.y+ny*(cometRadius+paddleRadius)
	// Speed along the line of centres, seen from the paddle.
	v := (c.vx-p.vx)*nx + (c.vy-p.vy)*ny
	if v >= 0 {
		return
	}
	c.vx -= 1.92 * v * nx
	c.vy -= 1.92 * v * ny
	p.flash = 10
	force := min(-v/12, 1)
	g.shake = max(g.shake, force*5)
	g.burst(c.x-nx*cometRadius, c.y-ny*cometRadius, 4+int(force*18), 1+force*5, colors[side])
	snd.PlayAt(&g.sound.hit[side], (c.x-width/2)/400, 0.4+0.6*force)
}

// collide bounces two comets off each other; both weigh the same.
func collide(a, b *comet) {
	dx, dy := a.x-b.x, a.y-b.y
	d := hypot(dx, dy)
	if !b.alive || d >= 2*cometRadius || d == 0 {
		return
	}
	nx, ny := dx/d, dy/d
	push := (2*cometRadius - d) / 2
	a.x, a.y, b.x, b.y = a.x+nx*push, a.y+ny*push, b.x-nx*push, b.y-ny*push
	if v := (a.vx-b.vx)*nx + (a.vy-b.vy)*ny; v < 0 {
		a.vx, a.vy, b.vx, b.vy = a.vx-v*nx, a.vy-v*ny, b.vx+v*nx, b.vy+v*ny
	}
}
