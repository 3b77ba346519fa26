package main

import (
	"testing"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

// quiet takes the sound of rules that are played without a console.
var quiet sdk.Synth

func fresh(seed uint64) *game {
	g := newGame()
	g.Init(seed)
	g.start(&quiet)
	return g
}

// flySafe plays ticks of the rules, without drawing, with the pilot at the stick
// and a ship that nothing hurts.
func (g *game) flySafe(ticks int, each func(tick int) bool) {
	for i := range ticks {
		g.tick++
		g.ship.safe = 100
		g.step(g.pilot(), &quiet, false)
		if each != nil && !each(i) {
			return
		}
	}
}

func TestARunGoesThroughAllFourReefsAndBeginsAgainHarder(t *testing.T) {
	g := fresh(1)
	var met [4]bool
	var ticks [kinds]int
	seen := 0
	g.flySafe(4*5*60*fps, func(i int) bool {
		if g.boss.alive {
			met[g.script.sector] = true
		}
		for j := range g.enemies {
			if g.enemies[j].alive {
				ticks[g.enemies[j].kind]++
			}
		}
		seen = i
		return g.script.lap == 0
	})
	if met != [4]bool{true, true, true, true} {
		t.Errorf("leviathans met: %v", met)
	}
	if g.script.lap != 1 || g.script.sector != 0 || g.script.rank() < 4 {
		t.Errorf("after %d s: lap %d, sector %d, rank %d", seen/fps, g.script.lap, g.script.sector, g.script.rank())
	}
	if minutes := seen / fps / 60; minutes < 5 || minutes > 14 {
		t.Errorf("the four reefs take %d minutes", minutes)
	}
	for k, n := range ticks {
		if n == 0 {
			t.Errorf("enemies of kind %d never came", k)
		}
	}
}

// Without hands on the stick the run must end: otherwise nothing threatens.
func TestSomebodyWhoDoesNothingLosesSoon(t *testing.T) {
	for seed := range uint64(3) {
		g := fresh(seed)
		ticks := 0
		for g.lives > 0 && ticks < 4*60*fps {
			g.tick++
			ticks++
			g.step(wish{}, &quiet, false)
		}
		if g.lives > 0 {
			t.Errorf("seed %d: still alive after four minutes", seed)
		}
		if ticks < 12*fps {
			t.Errorf("seed %d: all ships lost within %d s: too hard a start", seed, ticks/fps)
		}
	}
}

func TestShieldTakesOneHitAndLivesRunOut(t *testing.T) {
	g := fresh(1)
	g.ship.shield, g.ship.safe = true, 0
	g.ship.lose(g, &quiet)
	if g.ship.shield || g.ship.down != 0 || g.lives != 3 {
		t.Fatalf("after a hit on the shield: %+v, %d lives", g.ship, g.lives)
	}
	for want := 2; want >= 0; want-- {
		g.ship.safe = 0
		g.ship.lose(g, &quiet)
		for range 71 {
			g.ship.move(g, wish{}, &quiet)
		}
		if g.lives != want {
			t.Fatalf("%d lives, want %d", g.lives, want)
		}
	}
}

func TestMotesRaiseTheMultiplierUpToItsBound(t *testing.T) {
	g := fresh(1)
	if g.multiplier() != 1 {
		t.Errorf("a run begins with ×%d", g.multiplier())
	}
	for range 24 {
		g.ship.take(g, mote, &quiet)
	}
	if g.multiplier() != 3 {
		t.Errorf("24 motes give ×%d, want ×3", g.multiplier())
	}
	g.chain = 1 << 20
	if g.multiplier() != 16 {
		t.Errorf("the multiplier grows to ×%d", g.multiplier())
	}
	for range maxPower + 3 {
		g.ship.take(g, gem, &quiet)
		g.ship.take(g, charge, &quiet)
	}
	if g.ship.power != maxPower || g.ship.bombs != maxBombs {
		t.Errorf("power %d, bombs %d", g.ship.power, g.ship.bombs)
	}
}

func TestTheNovaEatsBullets(t *testing.T) {
	g := fresh(1)
	g.ship.x, g.ship.safe = 100, 0
	for i := range 20 {
		g.spit(300, 40+float64(i)*14, 3.14, 0.5, hueRed)
	}
	before := g.ship.bombs
	g.ship.move(g, wish{bomb: true}, &quiet)
	for range 50 {
		g.ship.move(g, wish{}, &quiet)
		g.moveBullets(&quiet)
	}
	for i := range g.bullets {
		if g.bullets[i].alive {
			t.Fatal("a bullet outlived the nova")
		}
	}
	if g.ship.bombs != before-1 {
		t.Errorf("%d bombs, had %d", g.ship.bombs, before)
	}
}

func TestADragMovesTheShipAndFires(t *testing.T) {
	g := fresh(1)
	c := sdk.NewConsole(g)
	seat := c.Input()[32:]
	point := func(x, y uint16, down byte) {
		seat[0] |= 5
		seat[48], seat[49], seat[50], seat[51] = byte(x), byte(x>>8), byte(y), byte(y>>8)
		seat[64] = down
		c.Tick()
	}
	point(30000, 30000, 0)
	g.start(&quiet)
	for range 70 {
		c.Tick()
	}
	x, y := g.ship.x, g.ship.y
	point(30000, 30000, 1)
	if g.ship.x != x || g.ship.y != y {
		t.Error("touching alone moves the ship")
	}
	point(31000, 33000, 1)
	if g.ship.x <= x || g.ship.y <= y {
		t.Errorf("a drag to the lower right moves the ship from %.0f,%.0f to %.0f,%.0f", x, y, g.ship.x, g.ship.y)
	}
	shots := 0
	for i := range g.shots {
		if g.shots[i].alive {
			shots++
		}
	}
	if shots == 0 {
		t.Error("a touch does not fire")
	}
}

func TestATickDoesNotAllocate(t *testing.T) {
	g := newGame()
	c := sdk.NewConsole(g)
	c.Init(3)
	for range 600 {
		c.Tick()
	}
	if n := testing.AllocsPerRun(300, c.Tick); n != 0 {
		t.Errorf("%.2f allocations per tick", n)
	}
}

func TestScoresAreKeptAndDamageIsNoticed(t *testing.T) {
	var buf [saveBytes]byte
	for _, best := range []int{0, 1, 255, 256, 123456789, 1 << 40} {
		storeBest(buf[:], best)
		var again [saveBytes]byte
		if got := loadBest(again[:]); got != best {
			t.Errorf("stored %d, loaded %d", best, got)
		}
	}
	storeBest(buf[:], 5000)
	for i := range buf {
		bad := buf
		bad[i] ^= 0x10
		sdk.Save(bad[:])
		var again [saveBytes]byte
		if got := loadBest(again[:]); got != 0 {
			t.Errorf("byte %d damaged: still reads as %d", i, got)
		}
	}
}

func FuzzSave(f *testing.F) {
	var buf [saveBytes]byte
	storeBest(buf[:], 123456)
	f.Add(buf[:])
	f.Add([]byte("NRf1"))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, save []byte) {
		if !sdk.Save(save) {
			return
		}
		var b [saveBytes]byte
		if best := loadBest(b[:]); best < 0 || best > 1<<40 {
			t.Errorf("a best score of %d", best)
		}
	})
}
