package main

import (
	"testing"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

const keyW, keyUp, keyDown = 0x1a, 0x52, 0x51

// table is a console with a match on it and hands for its seats.
type table struct {
	*sdk.Console
	g *game
}

func newTable(seed uint64) *table {
	g := &game{}
	c := sdk.NewConsole(g)
	c.Init(seed)
	return &table{c, g}
}

func (t *table) sit(seat int) {
	t.Input()[16] |= 1 << seat
	t.Input()[32+80*seat] |= 1
}

func (t *table) key(seat int, usage uint8, down bool) {
	b := &t.Input()[32+80*seat+16+int(usage/8)]
	*b &^= 1 << (usage % 8)
	if down {
		*b |= 1 << (usage % 8)
	}
}

func (t *table) run(ticks int) {
	for range ticks {
		t.Tick()
	}
}

// begin starts a match with a key that moves nobody.
func (t *table) begin() {
	t.sit(0)
	t.run(12)
	t.key(0, 0x2a, true)
	t.run(1)
	t.key(0, 0x2a, false)
	t.run(80)
}

func TestOneKeyboardHasBothSides(t *testing.T) {
	tb := newTable(1)
	tb.begin()
	if tb.g.mode != rally {
		t.Fatalf("mode %d after the count-down", tb.g.mode)
	}
	for i := range tb.g.paddles {
		tb.g.paddles[i].idle = 0 // nobody is the machine for now
	}
	left, right := tb.g.paddles[0].y, tb.g.paddles[1].y
	tb.key(0, keyW, true)
	tb.key(0, keyDown, true)
	tb.run(15)
	if l, r := tb.g.paddles[0].y, tb.g.paddles[1].y; l >= left || r <= right {
		t.Errorf("W and arrow down move the paddles from %.0f, %.0f to %.0f, %.0f", left, right, l, r)
	}
}

func TestTwoSeatsHaveASideEach(t *testing.T) {
	tb := newTable(1)
	tb.sit(1)
	tb.begin()
	left, right := tb.g.paddles[0].y, tb.g.paddles[1].y
	tb.key(1, keyW, true) // the second seat's WASD and arrows are both its own
	tb.run(15)
	if tb.g.paddles[0].y != left || tb.g.paddles[1].y >= right {
		t.Errorf("seat 1 moved %.1f on the left and %.1f on the right", tb.g.paddles[0].y-left, tb.g.paddles[1].y-right)
	}
	tb.key(0, keyUp, true)
	tb.run(15)
	if tb.g.paddles[0].y >= left {
		t.Error("seat 0 cannot move the left side with its arrows")
	}
	tb.run(idleAfter + 10)
	if tb.g.paddles[0].machine() || tb.g.paddles[1].machine() {
		t.Error("the machine plays though both seats are taken")
	}
}

func TestTheMachineTakesTheSideThatNobodyTouches(t *testing.T) {
	tb := newTable(1)
	tb.begin()
	tb.g.paddles[1].idle = 0
	for i := range idleAfter + 2 {
		tb.key(0, keyW, i%20 < 10) // only the left hand plays
		tb.run(1)
	}
	if tb.g.paddles[0].machine() || !tb.g.paddles[1].machine() {
		t.Errorf("machine on the left %v, on the right %v", tb.g.paddles[0].machine(), tb.g.paddles[1].machine())
	}
	tb.key(0, keyUp, true)
	tb.run(1)
	if tb.g.paddles[1].machine() {
		t.Error("the machine does not give the side back")
	}
}

func TestAMatchEndsAtFiveGoalsAndEverythingStaysOnTheTable(t *testing.T) {
	tb := newTable(2)
	tb.begin()
	goals := 0
	for tb.g.mode != won && tb.g.tick < 12*60*fps {
		before := tb.g.score
		tb.run(1)
		if d := tb.g.score[0] + tb.g.score[1] - before[0] - before[1]; d < 0 || d > 1 {
			t.Fatalf("score went from %v to %v", before, tb.g.score)
		} else {
			goals += d
		}
		for i := range tb.g.comets {
			c := &tb.g.comets[i]
			if c.alive && (c.y < wallTop || c.y > wallBottom || c.x < wallLeft-30 || c.x > wallRight+30) {
				t.Fatalf("comet %d at %.0f,%.0f", i, c.x, c.y)
			}
		}
		for i := range tb.g.paddles {
			p := &tb.g.paddles[i]
			if (p.x-width/2)*float64(2*i-1) < paddleRadius-0.01 {
				t.Fatalf("paddle %d crossed the line: %.1f", i, p.x)
			}
		}
	}
	if tb.g.mode != won || max(tb.g.score[0], tb.g.score[1]) != goalsToWin {
		t.Fatalf("no winner after %d s: %v", tb.g.tick/fps, tb.g.score)
	}
	if goals < goalsToWin || tb.g.cups[tb.g.lastGoal] != 1 {
		t.Errorf("%d goals, cups %v", goals, tb.g.cups)
	}
	tb.run(70)
	tb.key(0, keyW, true)
	tb.run(1)
	if tb.g.mode != ready || tb.g.score != [2]int{} {
		t.Errorf("a rematch begins in mode %d at %v", tb.g.mode, tb.g.score)
	}
}

func TestALongRallyBringsMoreComets(t *testing.T) {
	tb := newTable(1)
	tb.begin()
	tb.g.rallyAge = moreAfter - 1
	tb.run(1)
	if !tb.g.comets[1].alive || tb.g.comets[2].alive {
		t.Error("no second comet, or too many")
	}
}

func TestATickDoesNotAllocate(t *testing.T) {
	tb := newTable(1)
	tb.begin()
	if n := testing.AllocsPerRun(300, tb.Tick); n != 0 {
		t.Errorf("%.2f allocations per tick", n)
	}
}
