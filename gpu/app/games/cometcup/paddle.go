package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

const (
	paddleRadius = 21.0
	paddleSpeed  = 6.0 // px per tick
	dashTicks    = 9
	dashRest     = 50 // ticks between two dashes
)

type paddle struct {
	x, y, vx, vy float64
	wantX, wantY float64 // direction, each -1..1
	toX, toY     float64 // where a pointer wants it
	pointed      bool
	dash, rest   int // ticks left
	idle         int // ticks without a hand on it
	present      bool
	flash        int
}

// homeX is where a side's paddle waits.
func (p *paddle) homeX(side int) float64 { return 90 + float64(side)*(width-180) }

// machine reports whether the machine plays this paddle.
func (p *paddle) machine() bool { return p.idle >= idleAfter && !p.present }

// read gives each paddle its player. Two seats: one side each, with all
// their devices. One seat: WASD, gamepad and pointer are the left side's,
// the arrows the right side's.
func (g *game) read(in *sdk.Input) {
	both := in.Seats[0].Connected && in.Seats[1].Connected
	for side := range g.paddles {
		p := &g.paddles[side]
		s := &in.Seats[0]
		p.present = both
		p.pointed = false
		var dash bool
		switch {
		case both:
			s = &in.Seats[side]
			p.wantX, p.wantY = s.Stick(true, true)
			dash = s.AnyPressed(sdk.KeySpace, sdk.KeyEnter, sdk.KeyLeftShift, sdk.KeyRightShift, sdk.KeyZ) || s.PadPressed(sdk.PadA)
			p.point(s)
		case side == 0:
			p.wantX, p.wantY = s.Stick(false, true)
			dash = s.AnyPressed(sdk.KeySpace, sdk.KeyLeftShift, sdk.KeyZ) || s.PadPressed(sdk.PadA)
			p.point(s)
		default:
			p.wantX, p.wantY = 0, 0
			if s.Held(sdk.KeyLeft) {
				p.wantX--
			}
			if s.Held(sdk.KeyRight) {
				p.wantX++
			}
			if s.Held(sdk.KeyUp) {
				p.wantY--
			}
			if s.Held(sdk.KeyDown) {
				p.wantY++
			}
			dash = s.AnyPressed(sdk.KeyEnter, sdk.KeyRightShift, sdk.KeyRightCtrl)
		}
		p.idle++
		if p.wantX != 0 || p.wantY != 0 || dash || p.pointed {
			p.idle = 0
		}
		if g.mode == demo {
			p.idle, p.present = idleAfter, false
		}
		if dash && p.rest == 0 {
			p.dash, p.rest = dashTicks, dashRest
		}
	}
}

func (p *paddle) point(s *sdk.Seat) {
	if s.MouseHeld(0) {
		x, y := s.Pointer(width, height)
		p.pointed, p.toX, p.toY = true, float64(x), float64(y)
	}
}

func (g *game) movePaddles() {
	for side := range g.paddles {
		p := &g.paddles[side]
		if p.machine() {
			g.think(side)
		}
		p.dash, p.rest, p.flash = max(p.dash-1, 0), max(p.rest-1, 0), max(p.flash-1, 0)
		speed, grip := paddleSpeed, 0.28
		if p.dash > 0 {
			speed, grip = 2.1*paddleSpeed, 0.6
		}
		dx, dy := p.wantX*speed, p.wantY*speed
		if p.pointed {
			dx, dy = (p.toX-p.x)*0.4, (p.toY-p.y)*0.4
			speed *= 1.7
		}
		if d := hypot(dx, dy); d > speed {
			dx, dy = dx*speed/d, dy*speed/d
		}
		p.vx += (dx - p.vx) * grip
		p.vy += (dy - p.vy) * grip
		lo, hi := wallLeft+paddleRadius, width/2-paddleRadius
		if side == 1 {
			lo, hi = width/2+paddleRadius, wallRight-paddleRadius
		}
		x, y := min(max(p.x+p.vx, lo), hi), min(max(p.y+p.vy, wallTop+paddleRadius), wallBottom-paddleRadius)
		p.vx, p.vy = x-p.x, y-p.y
		p.x, p.y = x, y
	}
}

// think is the machine's hand: it guards its gate on the line to the comet,
// and strikes at one that it can reach from behind.
func (g *game) think(side int) {
	p := &g.paddles[side]
	sign := float64(1 - 2*side) // +1 plays to the right
	target, best := (*comet)(nil), math.Inf(1)
	for i := range g.comets {
		c := &g.comets[i]
		if !c.alive {
			continue
		}
		threat := (c.x-p.homeX(side))*sign + c.vx*sign*20
		if threat < best {
			best, target = threat, c
		}
	}
	goX, goY := p.homeX(side), middle
	pace := 0.74
	if target != nil && g.mode != ready {
		mine := (target.x-width/2)*sign < 8
		coming := target.vx*sign < -0.5
		switch {
		case mine && (target.x-p.x)*sign < -4: // it is behind: go round and cover
			goX, goY = target.x-40*sign, target.y+30*math.Copysign(1, middle-target.y)
			pace = 1
		case mine && (!coming || hypot(target.vx, target.vy) < 4):
			// Strike with a little aim up or down, so that it is not dull.
			goX, goY = target.x-6*sign, target.y+9*math.Sin(float64(g.tick)*0.031+float64(side))
			pace = 1
			if hypot(target.x-p.x, target.y-p.y) < 58 && p.rest == 0 && g.rng.Intn(24) == 0 {
				p.dash, p.rest = dashTicks, dashRest
			}
		case coming:
			ahead := (target.x - p.x) / min(target.vx, -0.5*sign*sign)
			if side == 1 {
				ahead = (p.x - target.x) / max(target.vx, 0.5)
			}
			y := target.y + target.vy*min(math.Abs(ahead), 60)
			for range 2 { // mirror it at the walls
				if y < wallTop {
					y = 2*wallTop - y
				}
				if y > wallBottom {
					y = 2*wallBottom - y
				}
			}
			goY = min(max(y, middle-gateHalf-20), middle+gateHalf+20)
		default:
			goY = middle + (target.y-middle)*0.45
		}
	}
	dx, dy := goX-p.x, goY-p.y
	d := hypot(dx, dy)
	k := pace * min(d/18, 1) / max(d, 1)
	p.wantX, p.wantY = dx*k, dy*k
}
