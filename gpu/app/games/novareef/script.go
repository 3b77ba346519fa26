package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

var sectorNames = [4]string{"THE BLUE SHELF", "VIOLET GARDENS", "THE GREEN DEEP", "EMBER TRENCH"}

// wavesPerSector come before the leviathan.
const wavesPerSector = 14

// script sends the waves. It decides by numbers that grow with the sector
// and with each lap through all four.
type script struct {
	sector int // 0..3
	lap    int
	wave   int
	wait   int // ticks to the next wave
	kills  int
	prizes int
	siren  int // ticks of warning before the boss
}

// rank is the difficulty: 0 at the start, 4 more per lap.
func (s *script) rank() int { return s.sector + 4*s.lap + s.wave/6 }

// haste is the factor on the speed of their bullets.
func (s *script) haste() float64 { return min(1+0.045*float64(s.rank()), 1.8) }

func (s *script) kill() { s.kills++ }

// prize picks the next gift: mostly power until the ship is strong.
func (s *script) prize(g *game) itemKind {
	s.prizes++
	switch {
	case g.ship.power < maxPower && s.prizes%3 != 0:
		return gem
	case !g.ship.shield && s.prizes%2 == 1:
		return shell
	}
	return charge
}

func (g *game) enterSector() {
	s := &g.script
	s.wave, s.wait, s.siren = 0, 130, 0
	g.sky.setSector(s.sector)
	g.art.bossRow = 0
	g.say(sectorNames[s.sector], 150)
}

// advance sends the next wave when its time has come.
func (s *script) advance(g *game, snd *sdk.Synth) {
	if g.boss.alive || g.boss.dying > 0 {
		return
	}
	if s.siren > 0 {
		if s.siren%40 == 0 {
			snd.Play(&g.play.siren)
		}
		if s.siren--; s.siren == 0 {
			g.boss.enter(g)
		}
		return
	}
	if s.wait > 0 {
		s.wait--
		return
	}
	if s.wave >= wavesPerSector {
		s.siren = 200
		g.say("WARNING  LEVIATHAN", 190)
		return
	}
	s.send(g)
	s.wave++
	s.wait = max(290-12*min(s.rank(), 10), 170)
	if s.wave == wavesPerSector {
		s.wait = 420 // let the last ones leave
	}
}

// send lays out one wave. What may come depends on how far the run is.
func (s *script) send(g *game) {
	r := &g.rng
	mid := r.Range(90, height-100)
	more := min(s.rank(), 8)
	choices := min(4+s.sector*2+s.wave/3+s.lap*4, 9)
	switch pick := r.Intn(choices); pick {
	case 0, 1: // a school of jellies
		for i := range 6 + more/2 {
			g.spawn(jelly, mid, float64(i)*38, 44, float64(i)*0.4)
		}
	case 2: // a wall of jellies with a gap
		gap := r.Intn(6)
		for i := range 7 {
			if i != gap {
				g.spawn(jelly, 50+float64(i)*42, r.Range(0, 20), 10, float64(i))
			}
		}
	case 3: // darts, one after the other
		for i := range 4 + more/2 {
			g.spawn(dart, r.Range(50, height-60), float64(i)*70, 0, 0)
		}
	case 4: // an eel
		phase := r.Range(0, 2*math.Pi)
		for i := range 9 + more {
			g.spawn(eel, height/2, float64(i)*17, 110, phase)
		}
	case 5: // stars with an escort
		for i := range 2 + more/4 {
			g.spawn(star5, 90+float64(i)*170/float64(1+more/4), float64(i)*30, 50, float64(i)*2)
		}
		for i := range 4 {
			g.spawn(jelly, mid, 160+float64(i)*40, 60, float64(i))
		}
	case 6: // a field of urchins
		for i := range 7 + more/2 {
			g.spawn(urchin, r.Range(46, height-50), float64(i)*46, 60, r.Range(0, 6))
		}
	case 7: // a lamp and its darts
		g.spawn(lamp, mid, 0, 40, 0)
		for i := range 3 + more/3 {
			g.spawn(dart, r.Range(50, height-60), 240+float64(i)*80, 0, 0)
		}
	default: // two eels, crossing
		for i := range 8 + more/2 {
			g.spawn(eel, height/2, float64(i)*17, 100, 0)
			g.spawn(eel, height/2, float64(i)*17+60, 100, math.Pi)
		}
	}
	if s.wave%5 == 4 { // each fifth wave also brings a tough one
		g.spawn(lamp, height-mid, 200, 30, 1)
	}
}
