package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

// The picture and the field, in pixels. The gates are openings in the left
// and right walls.
const (
	width, height = 640, 360
	wallTop       = 30.0
	wallBottom    = 350.0
	wallLeft      = 14.0
	wallRight     = 626.0
	middle        = (wallTop + wallBottom) / 2
	gateHalf      = 62.0 // half the height of a gate
	fps           = 60

	goalsToWin = 5
	maxComets  = 3
	moreAfter  = 12 * fps // ticks of a rally until another comet joins
	idleAfter  = 5 * fps  // ticks without a hand on the stick until the machine plays
)

type mode uint8

const (
	demo mode = iota
	ready
	rally
	goal
	paused
	won
)

type game struct {
	rng   sdk.Rand
	art   art
	sound sound

	mode, back mode // back is what a pause returns to
	age, tick  int
	rallyAge   int
	paddles    [2]paddle
	comets     [maxComets]comet
	score      [2]int
	cups       [2]int
	lastGoal   int // who shot it
	serve      int // who gets the first comet
	shake      float64
	walls      [4]int // ticks of glow left: top, bottom, left, right
	sparks     [260]spark
}

var _ sdk.Game = (*game)(nil)

// Info describes the game to its host.
func (g *game) Info() sdk.Info {
	return sdk.Info{Width: width, Height: height, FPS: fps, Seats: 2, Pointer: true}
}

// Init paints the field and lets the machine play itself.
func (g *game) Init(seed uint64) {
	*g = game{rng: sdk.NewRand(seed)}
	g.art.paint()
	g.sound.compose()
	for i := range g.paddles {
		g.paddles[i].idle = idleAfter
	}
	g.newMatch(demo)
}

func (g *game) newMatch(m mode) {
	g.score = [2]int{}
	g.serve = g.rng.Intn(2)
	g.kickOff(m)
}

// kickOff puts everything in its place; the comet rests on the server's side.
func (g *game) kickOff(m mode) {
	g.mode, g.age, g.rallyAge = m, 0, 0
	for i := range g.paddles {
		p := &g.paddles[i]
		p.x, p.y, p.vx, p.vy = p.homeX(i), middle, 0, 0
	}
	g.comets = [maxComets]comet{}
	g.comets[0] = comet{alive: true, x: width/2 + 60*float64(2*g.serve-1), y: middle}
	g.comets[0].resetTrail()
	if m == demo {
		g.comets[0].vx = 4
		g.comets[0].vy = g.rng.Range(-2, 2)
	}
}

// Tick advances the match and draws it.
func (g *game) Tick(in *sdk.Input, pic *sdk.Canvas, snd *sdk.Synth) {
	g.tick++
	g.age++
	g.read(in)
	start := in.Seats[0].Anything() || in.Seats[1].Anything()
	pause := false
	for i := range 2 {
		s := &in.Seats[i]
		pause = pause || s.AnyPressed(sdk.KeyEscape, sdk.KeyP) || s.PadPressed(sdk.PadStart)
	}
	switch g.mode {
	case demo:
		snd.PlaySong(&g.sound.calm)
		if start && g.age > 10 {
			snd.Play(&g.sound.whistle)
			g.newMatch(ready)
			break
		}
		g.play(&g.sound.mute)
	case ready:
		snd.PlaySong(&g.sound.drive)
		g.movePaddles()
		if g.age%25 == 1 {
			snd.PlayNote(&g.sound.count, 69, 1)
		}
		if g.age >= 75 {
			g.mode, g.age = rally, 0
			snd.PlayNote(&g.sound.count, 81, 1)
		}
	case rally:
		if pause {
			g.back, g.mode, g.age = rally, paused, 0
			snd.Play(&g.sound.wall)
			break
		}
		g.play(snd)
	case goal:
		g.movePaddles()
		g.moveComets(snd)
		if g.age > 80 {
			g.kickOff(ready)
		}
	case paused:
		snd.PlaySong(nil)
		if start && g.age > 5 {
			g.mode = g.back
			snd.PlaySong(&g.sound.drive)
		}
	case won:
		snd.PlaySong(&g.sound.calm)
		g.movePaddles()
		if g.age%18 == 0 {
			side := 0.25 + 0.5*float64(g.lastGoal)
			g.burst(width*side+g.rng.Range(-90, 90), g.rng.Range(60, 200), 26, 4, colors[g.lastGoal])
		}
		if start && g.age > 60 {
			g.newMatch(ready)
		} else if g.age > 25*fps {
			g.newMatch(demo)
		}
	}
	g.moveSparks()
	g.shake *= 0.88
	for i := range g.walls {
		g.walls[i] = max(g.walls[i]-1, 0)
	}
	g.draw(pic)
}

// play is one tick of a rally.
func (g *game) play(snd *sdk.Synth) {
	g.rallyAge++
	g.movePaddles()
	g.moveComets(snd)
	if n := g.rallyAge / moreAfter; g.rallyAge%moreAfter == 0 && n < maxComets {
		c := &g.comets[n]
		*c = comet{alive: true, x: width / 2, y: wallTop + 20, vy: 3, vx: g.rng.Range(-2, 2)}
		c.resetTrail()
		g.burst(c.x, c.y, 30, 4, white)
		snd.Play(&g.sound.whistle)
	}
}

// scored counts a goal for side and decides what follows.
func (g *game) scored(side int, y float64, snd *sdk.Synth) {
	x := wallRight
	if side == 1 {
		x = wallLeft
	}
	g.burst(x, y, 90, 7, colors[side])
	g.shake = 11
	snd.Play(&g.sound.goal)
	if g.mode == demo {
		g.serve = 1 - side
		g.kickOff(demo)
		return
	}
	g.score[side]++
	g.lastGoal, g.serve = side, 1-side
	g.mode, g.age = goal, 0
	if g.score[side] >= goalsToWin {
		g.cups[side]++
		g.mode = won
		g.comets = [maxComets]comet{}
		snd.Play(&g.sound.cup)
	}
}

func hypot(x, y float64) float64 { return math.Sqrt(x*x + y*y) }
