package main

import "github.com/framemesh/framemesh/gpu/app/sdk"

// Picture size in pixels; all positions are in these.
const (
	width  = 640
	height = 360
	top    = 22          // the HUD's strip
	floor  = height - 14 // where the reef begins
	fps    = 60
)

type mode uint8

const (
	title mode = iota
	playing
	paused
	over
)

type game struct {
	rng  sdk.Rand
	art  art
	sky  sky
	play band

	mode mode
	age  int // ticks in this mode
	tick int

	ship    ship
	shots   [96]shot
	bullets [320]bullet
	enemies [72]enemy
	items   [96]item
	sparks  [420]spark
	blasts  [24]blast
	boss    boss
	script  script

	score, best, lives int
	chain              int // motes gathered in this life; sets the multiplier
	nextLife           int
	record             bool // this run beat the best score
	shake              float64
	flash              int // ticks of white still to fade
	banner             string
	bannerLeft         int

	drag         bool // a finger or the mouse moves the ship
	dragX, dragY int
	saveBuf      [saveBytes]byte
}

var _ sdk.Game = (*game)(nil)

func newGame() *game { return &game{} }

// Info describes the game to its host.
func (g *game) Info() sdk.Info {
	return sdk.Info{Width: width, Height: height, FPS: fps, Seats: 1, Pointer: true}
}

// Init paints the art and starts the attract mode.
func (g *game) Init(seed uint64) {
	*g = game{rng: sdk.NewRand(seed)}
	g.art.paint()
	g.sky.grow(&g.rng)
	g.play.compose()
	g.best = loadBest(g.saveBuf[:])
	g.toTitle()
}

// clearField removes everything that flies.
func (g *game) clearField() {
	g.shots, g.bullets, g.enemies = [96]shot{}, [320]bullet{}, [72]enemy{}
	g.items, g.sparks, g.blasts = [96]item{}, [420]spark{}, [24]blast{}
	g.boss = boss{}
}

// begin resets what a run starts with, for the player or the attract mode.
func (g *game) begin(sector int) {
	g.clearField()
	g.score, g.lives, g.chain, g.nextLife, g.record = 0, 3, 0, 50000, false
	g.ship = ship{x: -30, y: height / 2, safe: 150, bombs: 2}
	g.script = script{sector: sector}
	g.shake = 0
	g.enterSector()
}

func (g *game) toTitle() {
	g.begin(g.rng.Intn(4))
	g.mode, g.age = title, 0
	g.ship.power = 3
	g.bannerLeft = 0
}

func (g *game) start(snd *sdk.Synth) {
	g.begin(0)
	g.mode, g.age = playing, 0
	g.flash = 14
	snd.Play(&g.play.begin)
}

// Tick advances the mode, draws and plays its music.
func (g *game) Tick(in *sdk.Input, pic *sdk.Canvas, snd *sdk.Synth) {
	if g.mode != paused {
		g.tick++ // what the animations run on
	}
	g.age++
	seat := &in.Seats[0]
	pauseKey := seat.AnyPressed(sdk.KeyEscape, sdk.KeyP) || seat.PadPressed(sdk.PadStart)
	switch g.mode {
	case title:
		snd.PlaySong(&g.play.calm)
		if g.age > 20 && seat.Anything() {
			g.start(snd)
			break
		}
		g.step(g.pilot(), snd, true)
		if g.lives == 0 || g.age > 100*fps {
			g.toTitle()
		}
	case playing:
		if g.boss.alive {
			snd.PlaySong(&g.play.fight)
		} else {
			snd.PlaySong(&g.play.drive)
		}
		if pauseKey {
			g.mode, g.age = paused, 0
			snd.Play(&g.play.blip)
			break
		}
		g.step(g.hands(seat), snd, false)
		if g.lives == 0 {
			g.mode, g.age = over, 0
			g.finish(snd)
		}
	case paused:
		snd.PlaySong(nil)
		if g.age > 5 && (pauseKey || seat.Anything()) {
			g.mode = playing
			snd.Play(&g.play.blip)
		}
	case over:
		snd.PlaySong(&g.play.calm)
		g.fly(snd)
		if g.age > 50 && seat.Anything() {
			g.start(snd)
		} else if g.age > 30*fps {
			g.toTitle()
		}
	}
	g.draw(pic)
}

// step runs one tick of the rules with the wish of a player or the pilot.
func (g *game) step(w wish, snd *sdk.Synth, quiet bool) {
	if quiet {
		snd = &g.play.mute
	}
	g.script.advance(g, snd)
	g.ship.move(g, w, snd)
	g.boss.move(g, snd)
	g.fly(snd)
}

// fly moves everything but the ship, the boss and the script.
func (g *game) fly(snd *sdk.Synth) {
	g.sky.drift()
	g.moveEnemies(snd)
	g.moveShots(snd)
	g.moveBullets(snd)
	g.moveItems(snd)
	g.moveSparks()
	g.shake *= 0.9
	if g.flash > 0 {
		g.flash--
	}
	if g.bannerLeft > 0 {
		g.bannerLeft--
	}
}

// multiplier grows with the motes gathered, 1..16.
func (g *game) multiplier() int { return min(1+g.chain/12, 16) }

func (g *game) gain(points int, snd *sdk.Synth) {
	g.score += points * g.multiplier()
	if g.score >= g.nextLife {
		g.nextLife += 100000
		g.lives = min(g.lives+1, 6)
		g.say("EXTRA SHIP", 90)
		snd.Play(&g.play.life)
	}
}

func (g *game) say(text string, ticks int) { g.banner, g.bannerLeft = text, ticks }

// finish ends a run and keeps its score.
func (g *game) finish(snd *sdk.Synth) {
	if g.score > g.best {
		g.best, g.record = g.score, true
		storeBest(g.saveBuf[:], g.best)
		snd.Play(&g.play.life)
	}
}
