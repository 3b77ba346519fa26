package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

const (
	bossRadius = 46.0
	bossHome   = 520.0 // x where it hovers
)

// boss is the leviathan of a sector. Its attack changes with each third of
// its strength.
type boss struct {
	alive    bool
	x, y     float64
	hp, full float64
	age      int
	phase    int // 0..2
	calm     int // ticks without attacks after a change of phase
	hit      int
	dying    int // ticks that the explosion still goes on
}

// orders says which attack each sector's leviathan uses in each phase.
var orders = [4][3]int{{0, 1, 2}, {3, 0, 4}, {2, 4, 1}, {1, 5, 4}}

func (b *boss) enter(g *game) {
	s := &g.script
	hp := 800 + 250*float64(s.sector) + 700*float64(s.lap)
	*b = boss{alive: true, x: width + 80, y: height / 2, hp: hp, full: hp, calm: 120}
}

func (b *boss) move(g *game, snd *sdk.Synth) {
	if b.dying > 0 {
		b.die(g, snd)
		return
	}
	if !b.alive {
		return
	}
	b.age++
	if b.hit > 0 {
		b.hit--
	}
	t := float64(b.age)
	b.x += (bossHome + 26*math.Sin(t*0.011) - b.x) * 0.02
	b.y += (height/2 + 4 + 92*math.Sin(t*0.013) - b.y) * 0.03
	if b.calm > 0 {
		b.calm--
		return
	}
	b.attack(g, orders[g.script.sector][b.phase])
}

func (b *boss) attack(g *game, order int) {
	t := float64(b.age)
	rank := g.script.rank()
	switch order {
	case 0: // spiral
		if b.age%7 == 0 {
			g.ring(b.x, b.y, t*0.031, 1.9, 3+min(rank, 6)/2, hueViolet)
		}
		if b.age%90 == 0 {
			g.fan(b.x-30, b.y, g.aim(b.x, b.y), 0.14, 2.8, 3, hueRed)
		}
	case 1: // aimed fans
		if k := b.age % 96; k < 40 && k%10 == 0 {
			g.fan(b.x-30, b.y, g.aim(b.x-30, b.y), 0.17, 2.3+float64(k)*0.02, 5+min(rank, 6)/2*2, hueGold)
		}
	case 2: // curtains with a gap
		if b.age%84 == 0 {
			gap := g.rng.Range(60, height-70)
			for y := 30.0; y < height-10; y += 17 {
				if math.Abs(y-gap) > 34 {
					g.spit(b.x-20, y, math.Pi, 2.2, hueCyan)
				}
			}
		}
		if b.age%84 == 42 {
			g.fan(b.x-30, b.y, g.aim(b.x, b.y), 0.3, 2.2, 3, huePink)
		}
	case 3: // flowers
		if b.age%54 == 0 {
			for k := range 3 {
				g.ring(b.x, b.y, t*0.02+float64(k)*0.09, 1.5+0.25*float64(k), 9+min(rank, 6), huePink)
			}
		}
	case 4: // a brood of darts behind two counter-turning spirals
		if b.age%12 == 0 {
			g.ring(b.x, b.y, t*0.02, 1.7, 4, hueGreen)
			g.ring(b.x, b.y, -t*0.023, 2.1, 3, hueViolet)
		}
		if b.age%150 == 0 {
			g.spawn(dart, g.ship.y, 0, 0, 0)
			g.spawn(dart, height-g.ship.y, 60, 0, 0)
		}
	default: // a sweeping ray of bullets
		a := math.Pi + 0.9*math.Sin(t*0.021)
		if b.age%4 == 0 {
			g.spit(b.x-30, b.y-14, a, 3.4, hueRed)
			g.spit(b.x-30, b.y+14, a, 3.4, hueRed)
		}
		if b.age%70 == 0 {
			g.ring(b.x, b.y, t, 1.6, 12+min(rank, 8), hueGold)
		}
	}
}

func (b *boss) hurt(g *game, force float64, snd *sdk.Synth) {
	if b.age < 90 {
		return
	}
	b.hp -= force
	b.hit = 3
	if b.age&3 == 0 {
		snd.PlayAt(&g.play.hit, 0.4, 0.6)
	}
	if b.hp <= 0 {
		b.alive, b.dying = false, 150
		for i := range g.bullets {
			if s := &g.bullets[i]; s.alive {
				s.alive = false
				g.drop(s.x, s.y, mote)
			}
		}
		for i := range g.enemies {
			if e := &g.enemies[i]; e.alive {
				g.hurt(e, 99, snd)
			}
		}
		return
	}
	if phase := min(int(3*(1-b.hp/b.full)), 2); phase > b.phase {
		b.phase, b.calm = phase, 70
		g.explode(b.x, b.y, 70, hueGold)
		g.shake = 6
		g.drop(b.x-40, b.y, g.script.prize(g))
		snd.Play(&g.play.boom)
	}
}

// die explodes for a while, then opens the next sector.
func (b *boss) die(g *game, snd *sdk.Synth) {
	b.dying--
	if b.dying%9 == 0 {
		g.explode(b.x+g.rng.Range(-44, 44), b.y+g.rng.Range(-40, 40), 24+g.rng.Intn(40), uint8(g.rng.Intn(8)))
		g.shake = 5
		snd.PlayAt(&g.play.boom, g.rng.Range(0, 0.6), 0.8)
		for range 3 {
			g.drop(b.x, b.y, mote)
		}
	}
	if b.dying == 10 {
		g.flash = 20
		g.explode(b.x, b.y, 130, hueGold)
		snd.Play(&g.play.nova)
	}
	if b.dying == 0 {
		*b = boss{}
		s := &g.script
		g.gain(5000*(1+s.lap)/g.multiplier(), snd)
		if s.sector++; s.sector == 4 {
			s.sector = 0
			s.lap++
		}
		g.ship.bombs = min(g.ship.bombs+1, maxBombs)
		g.enterSector()
	}
}
