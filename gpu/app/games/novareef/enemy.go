package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

type kind uint8

const (
	jelly  kind = iota // drifts in waves, fires now and then
	dart               // takes aim, then rushes
	star5              // stops and fires rings
	lamp               // big and tough, fires fans
	urchin             // slow; bursts when it dies
	eel                // one bead of a chain that follows one path
	kinds
)

// breed is what all enemies of a kind share.
type breed struct {
	radius float64
	hp     float64
	points int
	motes  int
	size   int // of the explosion
	hue    uint8
}

var breeds = [kinds]breed{
	jelly:  {13, 2, 100, 1, 22, hueCyan},
	dart:   {10, 2, 150, 1, 22, hueRed},
	star5:  {15, 8, 300, 4, 32, hueViolet},
	lamp:   {20, 22, 800, 8, 46, hueGold},
	urchin: {13, 5, 200, 2, 28, hueGreen},
	eel:    {10, 3, 120, 1, 20, huePink},
}

type enemy struct {
	kind     kind
	alive    bool
	x, y, vx float64
	home     float64 // the height its path swings around
	swing    float64 // how far it swings, px
	phase    float64
	hp       float64
	age      int
	hit      int // ticks of white still to show
}

// spawn puts an enemy just outside the right edge, delay px further out.
func (g *game) spawn(k kind, y, delay, swing, phase float64) {
	for i := range g.enemies {
		if e := &g.enemies[i]; !e.alive {
			*e = enemy{kind: k, alive: true, x: width + 24 + delay, y: y, home: y, swing: swing, phase: phase}
			e.hp = breeds[k].hp * (1 + 0.25*float64(g.script.lap))
			return
		}
	}
}

func (g *game) moveEnemies(snd *sdk.Synth) {
	for i := range g.enemies {
		e := &g.enemies[i]
		if !e.alive {
			continue
		}
		if e.hit > 0 {
			e.hit--
		}
		if e.x > width+24 { // still waiting outside
			e.x -= 2
			continue
		}
		e.age++
		g.steer(e)
		e.y = min(max(e.y, top+8), floor-2)
		if e.x < -30 || e.x > width+60 {
			e.alive = false
		}
	}
}

// steer moves an enemy by the habit of its kind and lets it fire.
func (g *game) steer(e *enemy) {
	t := float64(e.age)
	rank := g.script.rank()
	switch e.kind {
	case jelly:
		e.x -= 1.5 + 0.5*math.Sin(t*0.1+e.phase)
		e.y = e.home + math.Sin(t*0.035+e.phase)*e.swing
		if every := 150 - 12*min(rank, 7); (e.age+int(e.phase*40))%every == 70 && e.x > 120 {
			g.spit(e.x, e.y, g.aim(e.x, e.y), 1.9, hueCyan)
		}
	case dart:
		switch {
		case e.age < 30:
			e.x -= 2.6
		case e.age < 62:
			e.y += min(max((g.ship.y-e.y)*0.06, -2.2), 2.2)
			e.x += 0.3
		default:
			e.vx = min(e.vx+0.32, 8.5)
			e.x -= e.vx
			g.emit(e.x+10, e.y, 1, g.rng.Range(-0.3, 0.3), 12, hues[hueRed])
		}
	case star5:
		switch {
		case e.age < 60:
			e.x -= 2.6 * (1 - t/75)
		case e.age > 420:
			e.x += 1.5
		}
		e.y = e.home + math.Sin(t*0.02+e.phase)*e.swing*0.6
		if every := max(62-4*rank, 34); e.age > 50 && e.age%every == 0 {
			g.ring(e.x, e.y, t*0.05, 1.7, 8+min(rank, 8)/2*2, hueViolet)
		}
	case lamp:
		if e.age < 90 {
			e.x -= 1.7
		} else {
			e.x -= 0.25
		}
		e.y = e.home + math.Sin(t*0.016+e.phase)*e.swing
		switch e.age % 110 {
		case 70, 78, 86:
			g.fan(e.x-14, e.y, g.aim(e.x, e.y), 0.2, 2.5, 3+min(rank, 6)/2, hueGold)
		}
	case urchin:
		e.x -= 0.95
		e.y = e.home + math.Sin(t*0.03+e.phase)*e.swing*0.4
	case eel:
		e.x -= 2.0
		e.y = e.home + math.Sin((e.x)*0.018+e.phase)*e.swing
		if every := 170 - 10*min(rank, 8); (e.age+int(e.home))%every == 40 && e.x > 160 {
			g.spit(e.x, e.y, g.aim(e.x, e.y), 1.8, huePink)
		}
	}
}

// hurt takes hit points and ends what has none left.
func (g *game) hurt(e *enemy, force float64, snd *sdk.Synth) {
	e.hp -= force
	e.hit = 3
	if e.hp > 0 {
		snd.PlayAt(&g.play.hit, (e.x-width/2)/width, 0.7)
		return
	}
	e.alive = false
	b := &breeds[e.kind]
	g.gain(b.points, snd)
	g.explode(e.x, e.y, b.size, b.hue)
	g.shake = max(g.shake, float64(b.size)/12)
	for range b.motes {
		g.drop(e.x, e.y, mote)
	}
	if e.kind == urchin {
		g.ring(e.x, e.y, e.phase, 1.5, 8+min(g.script.rank(), 6), hueGreen)
	}
	if e.kind == lamp {
		g.drop(e.x, e.y, g.script.prize(g))
	} else if g.script.kill(); g.script.kills%22 == 0 {
		g.drop(e.x, e.y, g.script.prize(g))
	}
	pan := (e.x - width/2) / width
	if b.size > 30 {
		snd.PlayAt(&g.play.boom, pan, 1)
	} else {
		snd.PlayAt(&g.play.pop, pan, 1)
	}
}
