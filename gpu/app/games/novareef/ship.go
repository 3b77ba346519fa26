package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

const (
	shipSpeed  = 3.7 // px per tick
	slowSpeed  = 1.7
	maxPower   = 4
	maxBombs   = 4
	hitRadius  = 3.5 // of the ship: much smaller than it looks
	safeTicks  = 150 // after a new ship
	reachMotes = 58  // motes nearer than this fly to the ship
)

// wish is what somebody at the stick wants, a person or the pilot.
type wish struct {
	dx, dy           float64 // direction, each -1..1
	shiftX, shiftY   float64 // or a straight move in px, for dragging
	fire, bomb, slow bool
}

type ship struct {
	x, y   float64
	tilt   float64 // -1 up .. 1 down, for the picture
	power  int     // 0..maxPower
	bombs  int
	shield bool
	safe   int // ticks in which nothing hurts
	cool   int // ticks to the next shot
	nova   int // ticks that a nova bomb still burns
	down   int // ticks until the next ship, after a loss
}

// hands reads the player's devices.
func (g *game) hands(s *sdk.Seat) wish {
	var w wish
	w.dx, w.dy = s.Stick(true, true)
	w.fire = s.AnyHeld(sdk.KeySpace, sdk.KeyZ, sdk.KeyJ, sdk.KeyLeftCtrl) || s.PadHeld(sdk.PadA) || s.PadHeld(sdk.PadRT) || s.PadHeld(sdk.PadX)
	w.bomb = s.AnyPressed(sdk.KeyX, sdk.KeyK, sdk.KeyEnter) || s.PadPressed(sdk.PadB) || s.PadPressed(sdk.PadY) || s.MousePressed(1)
	w.slow = s.AnyHeld(sdk.KeyLeftShift, sdk.KeyRightShift) || s.PadHeld(sdk.PadLB) || s.PadHeld(sdk.PadRB)
	x, y := s.Pointer(width, height)
	switch {
	case s.MousePressed(0) && x < 64 && y > height-48:
		w.bomb = true // the bomb corner, for thumbs
	case s.MousePressed(0):
		g.drag, g.dragX, g.dragY = true, x, y
	case !s.MouseHeld(0):
		g.drag = false
	}
	if g.drag {
		// Relative: the finger need not cover the ship.
		w.shiftX, w.shiftY = float64(x-g.dragX)*1.4, float64(y-g.dragY)*1.4
		g.dragX, g.dragY = x, y
		w.fire = true
	}
	return w
}

// move flies, fires and takes hits for one tick.
func (p *ship) move(g *game, w wish, snd *sdk.Synth) {
	if p.down > 0 {
		if p.down--; p.down == 0 {
			if g.lives--; g.lives > 0 {
				*p = ship{x: -30, y: height / 2, safe: safeTicks, bombs: max(p.bombs, 2), power: max(p.power-1, 0)}
			}
		}
		return
	}
	v := shipSpeed
	if w.slow {
		v = slowSpeed
	}
	if w.dx != 0 && w.dy != 0 {
		n := math.Sqrt(w.dx*w.dx + w.dy*w.dy)
		v /= max(n, 1)
	}
	mx := min(max(w.dx*v+w.shiftX, -11), 11)
	my := min(max(w.dy*v+w.shiftY, -11), 11)
	if p.x < 60 && p.safe > safeTicks-50 {
		mx = max(mx, 2.4) // flies in by itself
	}
	p.x = min(max(p.x+mx, -30), width-24)
	if p.safe < safeTicks-50 {
		p.x = max(p.x, 16)
	}
	p.y = min(max(p.y+my, top+12), floor-8)
	p.tilt += (min(max(my/3, -1), 1) - p.tilt) * 0.25
	if p.safe > 0 {
		p.safe--
	}
	if p.cool > 0 {
		p.cool--
	}
	if g.tick&1 == 0 {
		g.emit(p.x-16, p.y+g.rng.Range(-2, 2), -2.5-g.rng.Float()*2, g.rng.Range(-0.4, 0.4), 10+g.rng.Intn(8), sdk.Hex(0x3080ff))
	}
	if w.fire && p.cool == 0 {
		p.shoot(g, snd)
	}
	if w.bomb && p.bombs > 0 && p.nova == 0 {
		p.bombs--
		p.nova = 50
		p.safe = max(p.safe, 90)
		g.shake, g.flash = 9, 10
		snd.Play(&g.play.nova)
	}
	if p.nova > 0 {
		p.burn(g, snd)
	}
	p.collide(g, snd)
}

func (p *ship) shoot(g *game, snd *sdk.Synth) {
	p.cool = 6
	y := p.y
	g.launch(p.x+16, y-4, 11, 0, 1)
	g.launch(p.x+16, y+4, 11, 0, 1)
	if p.power >= 1 {
		g.launch(p.x+12, y-7, 10.6, -1.1, 0.8)
		g.launch(p.x+12, y+7, 10.6, 1.1, 0.8)
	}
	if p.power >= 3 {
		g.launch(p.x+8, y-9, 10, -2.6, 0.8)
		g.launch(p.x+8, y+9, 10, 2.6, 0.8)
	}
	if p.power >= 2 {
		for k := range p.power - 1 {
			if dx, dy := p.drone(g, k); g.tick%2 == 0 {
				g.launch(dx+6, dy, 11, 0, 1)
			}
		}
	}
	snd.PlayAt(&g.play.shot, (p.x-width/2)/width, 1)
}

// drone is where helper k flies: they circle the ship.
func (p *ship) drone(g *game, k int) (x, y float64) {
	a := float64(g.tick)*0.07 + float64(k)*2*math.Pi/float64(max(p.power-1, 1))
	return p.x - 4 + math.Cos(a)*14, p.y + math.Sin(a)*24
}

// burn is the nova bomb: a ring that eats bullets and hurts everything.
func (p *ship) burn(g *game, snd *sdk.Synth) {
	p.nova--
	r := float64(50-p.nova) * 13
	for i := range g.bullets {
		if b := &g.bullets[i]; b.alive && near(b.x, b.y, p.x, p.y, r) {
			b.alive = false
			g.drop(b.x, b.y, mote)
		}
	}
	if p.nova%5 == 0 {
		for i := range g.enemies {
			if e := &g.enemies[i]; e.alive && near(e.x, e.y, p.x, p.y, r) {
				g.hurt(e, 3, snd)
			}
		}
		if g.boss.alive {
			g.boss.hurt(g, 8, snd)
		}
	}
}

// collide looks for what touches the ship.
func (p *ship) collide(g *game, snd *sdk.Synth) {
	for i := range g.items {
		it := &g.items[i]
		if it.alive && near(it.x, it.y, p.x, p.y, 18) {
			it.alive = false
			p.take(g, it.kind, snd)
		}
	}
	if p.safe > 0 {
		return
	}
	for i := range g.bullets {
		if b := &g.bullets[i]; b.alive && near(b.x, b.y, p.x, p.y, hitRadius+2.5) {
			b.alive = false
			p.lose(g, snd)
			return
		}
	}
	for i := range g.enemies {
		e := &g.enemies[i]
		if e.alive && near(e.x, e.y, p.x, p.y, hitRadius+breeds[e.kind].radius*0.8) {
			g.hurt(e, 6, snd)
			p.lose(g, snd)
			return
		}
	}
	if g.boss.alive && near(g.boss.x, g.boss.y, p.x, p.y, bossRadius) {
		p.lose(g, snd)
	}
}

// lose takes the shield or the ship.
func (p *ship) lose(g *game, snd *sdk.Synth) {
	g.shake = 8
	if p.shield {
		p.shield, p.safe = false, 70
		g.explode(p.x, p.y, 26, hueBlue)
		snd.Play(&g.play.crack)
		return
	}
	g.explode(p.x, p.y, 60, hueBlue)
	g.explode(p.x, p.y, 34, hueGold)
	g.burst(p.x, p.y, 40, 5, sdk.Hex(0x80d0ff))
	g.chain = g.chain / 3
	p.down = 70
	for i := range g.bullets { // a fair start for the next ship
		g.bullets[i].alive = false
	}
	snd.Play(&g.play.lost)
}

// take gathers an item.
func (p *ship) take(g *game, kind itemKind, snd *sdk.Synth) {
	switch kind {
	case mote:
		g.chain++
		g.gain(20, snd)
		snd.PlayAt(&g.play.mote, (p.x-width/2)/width, 1)
		return
	case gem:
		if p.power++; p.power > maxPower {
			p.power = maxPower
			g.gain(500, snd)
		}
		g.say("POWER UP", 50)
	case shell:
		p.shield = true
		g.say("SHIELD", 50)
	case charge:
		p.bombs = min(p.bombs+1, maxBombs)
		g.say("NOVA BOMB", 50)
	}
	g.gain(200, snd)
	g.burst(p.x, p.y, 16, 3, hues[hueGold])
	snd.Play(&g.play.up)
}

// near reports whether two points are closer than r.
func near(ax, ay, bx, by, r float64) bool {
	dx, dy := ax-bx, ay-by
	return dx*dx+dy*dy < r*r
}
