package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

var (
	white  = sdk.Hex(0xe8f4ff)
	dim    = sdk.Hex(0x8090b0)
	colors = [2]sdk.Color{sdk.Hex(0x30d8ff), sdk.Hex(0xff9030)}
)

type spark struct {
	x, y, vx, vy float64
	life, full   int
	col          sdk.Color
}

// art is everything painted once.
type art struct {
	field  *sdk.Canvas
	paddle [2]*sdk.Image
	halo   [2]*sdk.Image
	comet  *sdk.Image
	tail   *sdk.Image
	big    *sdk.Image
	logo   *sdk.Image
}

func (a *art) paint() {
	a.field = paintField()
	for i := range a.paddle {
		a.paddle[i] = paintPaddle(colors[i])
		a.halo[i] = sdk.Glow(44, colors[i].Scale(150), 0)
	}
	a.comet = sdk.Glow(18, sdk.Hex(0xb0d8ff), 0.5)
	a.tail = sdk.Glow(12, sdk.Hex(0x6060ff), 0.1)
	a.big = sdk.Glow(70, white, 0.1)
	a.logo = sdk.TextImage("COMET CUP", 8, func(u, v float64) sdk.Color {
		c := colors[0].Mix(colors[1], int(u*256))
		return c.Mix(white, int(max(0, 0.6-v)*300))
	}).Outlined(3, sdk.Hex(0x040610))
}

// paintField makes the table: a starry ground with a grid, and lines of
// light whose brightness falls with the distance from them.
func paintField() *sdk.Canvas {
	pic := sdk.NewCanvas(width, height)
	rng := sdk.NewRand(11)
	for y := range height {
		for x := range width {
			fx, fy := float64(x), float64(y)
			inside := fx > wallLeft && fx < wallRight && fy > wallTop && fy < wallBottom
			side := fx / width
			r, g, b := 5+16*side, 8.0, 26-12*side
			if inside {
				g += 6
				b += 8
				if x%32 == 16 || y%32 == 14 {
					r, g, b = r+8, g+10, b+14
				}
			}
			light := func(d, reach, strength float64, c sdk.Color) {
				if d < 0 {
					d = -d
				}
				if d >= reach {
					return
				}
				k := (1 - d/reach) * (1 - d/reach) * strength
				if d < 1.2 {
					k = 1
				}
				cr, cg, cb := c.Parts()
				r, g, b = r+float64(cr)*k, g+float64(cg)*k, b+float64(cb)*k
			}
			team := colors[0]
			if fx > width/2 {
				team = colors[1]
			}
			if fx > wallLeft-8 && fx < wallRight+8 {
				light(fy-wallTop, 16, 0.45, team)
				light(fy-wallBottom, 16, 0.45, team)
			}
			if math.Abs(fy-middle) > gateHalf && fy > wallTop-8 && fy < wallBottom+8 {
				light(fx-wallLeft, 16, 0.45, team)
				light(fx-wallRight, 16, 0.45, team)
			} else if math.Abs(fy-middle) <= gateHalf && !inside {
				light(10, 12, 20, team.Scale(60))
			}
			if inside {
				light(fx-width/2, 12, 0.25, sdk.Hex(0x506090))
				light(hypot(fx-width/2, fy-middle)-54, 12, 0.25, sdk.Hex(0x506090))
				light(hypot(fx-wallLeft, fy-middle)-gateHalf-12, 8, 0.15, colors[0].Scale(110))
				light(hypot(fx-wallRight, fy-middle)-gateHalf-12, 8, 0.15, colors[1].Scale(110))
			}
			c := func(v float64) uint8 { return uint8(min(max(v, 0), 255)) }
			pic.Set(x, y, sdk.RGB(c(r), c(g), c(b)))
		}
	}
	for range 260 {
		k := 30 + rng.Intn(120)
		pic.Add(rng.Intn(width), rng.Intn(height), sdk.RGB(uint8(k), uint8(k), uint8(k+20)))
	}
	return pic
}

func paintPaddle(c sdk.Color) *sdk.Image {
	cr, cg, cb := c.Parts()
	r0, g0, b0 := float64(cr)/255, float64(cg)/255, float64(cb)/255
	return sdk.Paint(46, 46, func(u, v float64) (r, g, b, a float64) {
		d := math.Hypot(u, v)
		k := 0.55 - 0.35*v - 0.15*u
		switch {
		case d > 0.96:
			return
		case d > 0.82:
			return r0*0.5 + 0.5, g0*0.5 + 0.5, b0*0.5 + 0.5, 1
		case d > 0.46:
			return r0 * k, g0 * k, b0 * k, 1
		case d > 0.38:
			return 0.02, 0.03, 0.06, 1
		default:
			return r0*k*1.2 + 0.15, g0*k*1.2 + 0.15, b0*k*1.2 + 0.15, 1
		}
	})
}

func (g *game) burst(x, y float64, n int, speed float64, col sdk.Color) {
	for i := range g.sparks {
		if n == 0 {
			return
		}
		if s := &g.sparks[i]; s.life == 0 {
			a, v := g.rng.Range(0, 2*math.Pi), speed*g.rng.Range(0.2, 1)
			life := 14 + g.rng.Intn(28)
			*s = spark{x, y, math.Cos(a) * v, math.Sin(a) * v, life, life, col}
			n--
		}
	}
}

func (g *game) moveSparks() {
	for i := range g.sparks {
		if s := &g.sparks[i]; s.life > 0 {
			s.life--
			s.x, s.y = s.x+s.vx, s.y+s.vy
			s.vx, s.vy = s.vx*0.95, s.vy*0.95
		}
	}
}

func (g *game) draw(pic *sdk.Canvas) {
	pic.CopyFrom(g.art.field)
	if g.mode != demo {
		for side := range 2 {
			x := width/2 - 92 + 124*side
			pic.Number(x, 142, 10, g.score[side], 1, colors[side].Scale(70))
		}
	}
	if g.shake > 0.6 {
		pic.OX = int(g.shake * math.Sin(float64(g.tick)*2.3))
		pic.OY = int(g.shake * math.Sin(float64(g.tick)*3.1))
	}
	g.drawWalls(pic)
	for i := range g.comets {
		c := &g.comets[i]
		if !c.alive {
			continue
		}
		for k := trail - 1; k > 0; k-- {
			pic.DrawAddScaled(g.art.tail, int(c.past[k][0]), int(c.past[k][1]), (trail-k)*8)
		}
		if hypot(c.vx, c.vy) > 9 {
			pic.DrawAddScaled(g.art.halo[1], int(c.x), int(c.y), 140)
		}
		pic.DrawAdd(g.art.comet, int(c.x), int(c.y))
	}
	for side := range g.paddles {
		p := &g.paddles[side]
		x, y := int(p.x), int(p.y)
		pic.DrawAddScaled(g.art.halo[side], x, y, min(110+p.flash*14+p.dash*14, 256))
		pic.DrawCentered(g.art.paddle[side], x, y)
		if p.rest > 0 { // the dash comes back as a growing ring
			pic.Circle(x, y, 12+p.rest/6, white.Scale(200-p.rest*3))
		}
	}
	for i := range g.sparks {
		if s := &g.sparks[i]; s.life > 0 {
			pic.RectAdd(int(s.x), int(s.y), 2, 2, s.col.Scale(s.life*256/s.full))
		}
	}
	pic.OX, pic.OY = 0, 0
	g.drawTop(pic)
	g.drawWords(pic)
}

// drawWalls lights the wall that was just hit.
func (g *game) drawWalls(pic *sdk.Canvas) {
	col := func(i int) sdk.Color { return white.Scale(g.walls[i] * 12) }
	for i, y := range [...]int{int(wallTop), int(wallBottom)} {
		if g.walls[i] > 0 {
			pic.RectAdd(int(wallLeft), y-1, int(wallRight-wallLeft), 3, col(i))
		}
	}
	for i, x := range [...]int{int(wallLeft), int(wallRight)} {
		if g.walls[2+i] > 0 {
			pic.RectAdd(x-1, int(wallTop), 3, int(middle-gateHalf-wallTop), col(2+i))
			pic.RectAdd(x-1, int(middle+gateHalf), 3, int(wallBottom-middle-gateHalf), col(2+i))
		}
	}
}

func (g *game) drawTop(pic *sdk.Canvas) {
	for side := range 2 {
		name := "LEFT"
		x, dir := 20, 1
		if side == 1 {
			name = "RIGHT"
			x, dir = width-20, -1
		}
		if g.paddles[side].machine() {
			name = "MACHINE"
		}
		tx := x
		if side == 1 {
			tx = x - sdk.TextWidth(name, 1)
		}
		pic.Text(tx, 9, 1, name, colors[side])
		for i := range goalsToWin {
			px := x + dir*(60+i*14)
			if side == 1 {
				px -= 10
			}
			c := sdk.Hex(0x202838)
			if i < g.score[side] {
				c = colors[side]
			}
			pic.Rect(px, 8, 10, 8, c)
		}
		for i := range min(g.cups[side], 8) {
			pic.Disc(x+dir*(145+i*12), 12, 3, sdk.Hex(0xffd050))
		}
	}
	if g.mode == rally {
		pic.Number(width/2-8, 9, 1, g.rallyAge/fps, 2, dim)
	}
}

func (g *game) drawWords(pic *sdk.Canvas) {
	const cx = width / 2
	switch g.mode {
	case demo:
		x, y := cx-g.art.logo.W/2, 86+int(4*math.Sin(float64(g.tick)*0.05))
		pic.Draw(g.art.logo, x, y)
		if g.tick/28&1 == 0 {
			pic.TextShadow(cx-sdk.TextWidth("PRESS ANY KEY OR TOUCH", 2)/2, 226, 2, "PRESS ANY KEY OR TOUCH", white)
		}
		pic.TextCentered(cx, 256, 1, "LEFT: WASD, SPACE TO DASH    RIGHT: ARROWS, ENTER TO DASH", white)
		pic.TextCentered(cx, 270, 1, "ALONE? THE MACHINE PLAYS THE SIDE THAT NOBODY TOUCHES", dim)
	case ready:
		n := 3 - g.age/25
		pic.DrawAddScaled(g.art.big, cx, int(middle), max(0, 180-g.age%25*7))
		pic.Number(cx-12, int(middle)-18, 5, max(n, 1), 1, white)
	case goal:
		pic.RectBlend(0, 156, width, 66, sdk.Hex(0x000008), 150)
		pic.TextCentered(cx+3, 166, 6, "GOAL", sdk.Hex(0x000000))
		pic.TextCentered(cx, 163, 6, "GOAL", colors[g.lastGoal])
	case paused:
		pic.RectBlend(0, 140, width, 96, sdk.Hex(0x000008), 180)
		pic.TextCentered(cx, 156, 4, "PAUSED", white)
		pic.TextCentered(cx, 206, 1, "ANY KEY TO GO ON", dim)
	case won:
		pic.RectBlend(0, 126, width, 116, sdk.Hex(0x000008), 150)
		name := "LEFT WINS"
		if g.lastGoal == 1 {
			name = "RIGHT WINS"
		}
		pic.TextCentered(cx, 142, 5, name, colors[g.lastGoal])
		x := pic.Number(cx-39, 192, 2, g.score[0], 1, colors[0])
		pic.Text(x+10, 192, 2, ":", white)
		pic.Number(x+34, 192, 2, g.score[1], 1, colors[1])
		if g.age > 60 && g.age/28&1 == 0 {
			pic.TextCentered(cx, 218, 2, "ANY KEY FOR A REMATCH", white)
		}
	}
}
