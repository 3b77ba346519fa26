package main

import (
	"math"

	"github.com/framemesh/framemesh/gpu/app/sdk"
)

var (
	ink  = sdk.Hex(0xffffff)
	soft = sdk.Hex(0x9fc4e8)
	warm = sdk.Hex(0xffd060)
)

func (g *game) draw(pic *sdk.Canvas) {
	g.sky.draw(pic)
	g.art.growBoss(g.script.sector)
	if g.shake > 0.5 && g.mode != paused {
		pic.OX = int(g.shake * math.Sin(float64(g.tick)*2.1))
		pic.OY = int(g.shake * math.Sin(float64(g.tick)*2.9))
	}
	g.drawBoss(pic)
	g.drawEnemies(pic)
	g.drawItems(pic)
	for i := range g.shots {
		if s := &g.shots[i]; s.alive {
			pic.DrawCentered(g.art.shot, int(s.x), int(s.y))
		}
	}
	g.drawShip(pic)
	g.drawSparks(pic)
	for i := range g.bullets {
		if b := &g.bullets[i]; b.alive {
			pic.DrawAdd(g.art.bullet[b.hue&7], int(b.x), int(b.y))
			pic.DrawCentered(g.art.core[b.hue&7], int(b.x), int(b.y))
		}
	}
	pic.OX, pic.OY = 0, 0
	if g.flash > 0 {
		pic.RectAdd(0, 0, width, height, sdk.Hex(0xffffff).Scale(min(g.flash*12, 230)))
	}
	switch g.mode {
	case title:
		g.drawTitle(pic)
	case paused:
		g.drawHUD(pic)
		pic.RectBlend(0, 120, width, 110, sdk.Hex(0x000010), 170)
		pic.TextCentered(width/2, 140, 4, "PAUSED", ink)
		pic.TextCentered(width/2, 190, 1, "ESC, START OR ANY KEY TO GO ON", soft)
		pic.TextCentered(width/2, 206, 1, "FLY: ARROWS  FIRE: SPACE  BOMB: X  SLOW: SHIFT", soft)
	case over:
		g.drawHUD(pic)
		g.drawOver(pic)
	default:
		g.drawHUD(pic)
	}
}

func (g *game) drawEnemies(pic *sdk.Canvas) {
	for i := range g.enemies {
		e := &g.enemies[i]
		if !e.alive || e.x > width+30 {
			continue
		}
		f := (g.tick/6 + i) & 3
		x, y := int(e.x), int(e.y)
		if e.hit > 0 {
			pic.DrawCentered(g.art.white[e.kind][f], x, y)
			continue
		}
		pic.DrawAdd(g.art.halo[breeds[e.kind].hue], x, y)
		pic.DrawCentered(g.art.enemies[e.kind][f], x, y)
	}
}

func (g *game) drawBoss(pic *sdk.Canvas) {
	b := &g.boss
	if !b.alive && b.dying == 0 {
		return
	}
	x, y, f := int(b.x), int(b.y), (b.age/8)&3
	if b.dying > 0 {
		x += int(4 * math.Sin(float64(b.dying)*1.9))
		f = b.dying & 3
	}
	hue := [4]uint8{hueCyan, huePink, hueGreen, hueGold}[g.script.sector]
	pic.DrawAdd(g.art.glowBig[hue], x-14, y)
	// Tentacles: beads on swinging chains behind the shell.
	for arm := range 5 {
		for k := range 9 {
			a := float64(arm-2)*0.42 + 0.25*math.Sin(float64(b.age)*0.04+float64(k)*0.5+float64(arm))
			r := 46 + float64(k)*9
			pic.DrawAddScaled(g.art.bullet[hue], x+int(math.Cos(a)*r), y+int(math.Sin(a)*r), 210-k*20)
		}
	}
	pic.DrawCentered(g.art.boss[f], x, y)
	if b.hit > 0 {
		pic.DrawAddScaled(g.art.glowBig[hueWhite], x-14, y, 60*b.hit)
	}
	if b.alive && b.age > 60 {
		pic.Rect(140, height-11, 362, 6, sdk.Hex(0x200810))
		pic.Rect(141, height-10, int(360*max(b.hp, 0)/b.full), 4, hues[hue])
		pic.Rect(141+120, height-11, 1, 6, sdk.Hex(0x000000))
		pic.Rect(141+240, height-11, 1, 6, sdk.Hex(0x000000))
	}
}

func (g *game) drawItems(pic *sdk.Canvas) {
	for i := range g.items {
		it := &g.items[i]
		if !it.alive {
			continue
		}
		x, y := int(it.x), int(it.y)
		if it.kind == mote {
			pic.DrawAdd(g.art.items[mote], x, y)
			continue
		}
		pic.DrawAddScaled(g.art.glowMid[hueGold], x, y, 100+int(60*math.Sin(float64(it.age)*0.15)))
		pic.DrawCentered(g.art.items[it.kind], x, y)
	}
}

func (g *game) drawShip(pic *sdk.Canvas) {
	p := &g.ship
	if p.nova > 0 {
		r := (50 - p.nova) * 13
		for k := range 5 {
			pic.Circle(int(p.x), int(p.y), max(r-3*k, 1), hues[hueViolet].Scale(p.nova*5/(k+1)))
		}
		pic.DrawAddScaled(g.art.glowBig[hueViolet], int(p.x), int(p.y), p.nova*5)
	}
	if p.down > 0 || g.lives == 0 {
		return
	}
	x, y := int(p.x), int(p.y)
	pic.DrawAddScaled(g.art.glowMid[hueBlue], x-18, y, 150+g.tick%3*45)
	if p.safe == 0 || g.tick&4 != 0 {
		pic.DrawCentered(g.art.ship[2+int(math.Round(p.tilt*2))], x, y)
	}
	if p.power >= 2 {
		for k := range p.power - 1 {
			dx, dy := p.drone(g, k)
			pic.DrawAdd(g.art.drone, int(dx), int(dy))
		}
	}
	if p.cool > 3 {
		pic.DrawAdd(g.art.bullet[hueCyan], x+22, y)
	}
	if p.shield {
		pic.DrawCentered(g.art.shell, x, y)
	}
}

func (g *game) drawHUD(pic *sdk.Canvas) {
	pic.RectBlend(0, 0, width, 17, sdk.Hex(0x000008), 150)
	x := pic.Number(8, 1, 2, g.score, 7, ink)
	pic.Text(x+8, 1, 2, "X", warm)
	pic.Number(x+20, 1, 2, g.multiplier(), 1, warm)
	pic.Rect(x+50, 7, g.chain%12*3, 3, warm)
	pic.TextCentered(width/2+20, 5, 1, sectorNames[g.script.sector], soft)
	pic.Text(width-232, 5, 1, "BEST", soft)
	pic.Number(width-204, 5, 1, max(g.best, g.score), 7, soft)
	for i := range g.lives - 1 {
		lx := width - 146 + i*16
		pic.Rect(lx, 7, 9, 3, hues[hueBlue])
		pic.Rect(lx+2, 4, 3, 9, hues[hueBlue])
		pic.Rect(lx+9, 8, 3, 1, ink)
	}
	for i := range g.ship.bombs {
		pic.DrawAdd(g.art.bullet[hueViolet], width-56+i*15, 8)
	}
	for i := range maxPower {
		col := sdk.Hex(0x303848)
		if i < g.ship.power {
			col = hues[hueRed]
		}
		pic.Rect(8+i*9, 20, 7, 3, col)
	}
	if g.drag && g.ship.bombs > 0 {
		pic.Circle(30, height-24, 18, hues[hueViolet])
		pic.Text(28, height-28, 1, "B", ink)
	}
	if g.bannerLeft > 0 && (g.bannerLeft > 30 || g.bannerLeft&4 != 0) {
		col := ink
		if g.script.siren > 0 {
			col = hues[hueRed]
			if g.bannerLeft&8 != 0 {
				col = warm
			}
		}
		scale := 3
		if g.bannerLeft < 60 && len(g.banner) < 11 {
			scale = 2
		}
		pic.TextCentered(width/2+2, 92, scale, g.banner, sdk.Hex(0x000010))
		pic.TextCentered(width/2, 90, scale, g.banner, col)
	}
}

func (g *game) drawTitle(pic *sdk.Canvas) {
	lift := int(5 * math.Sin(float64(g.tick)*0.04))
	x, y := (width-g.art.logo.W)/2, 80+lift
	pic.Draw(g.art.logo, x, y)
	// A shine that runs along the letters now and then.
	if s := g.tick % 240 * 6; s < width {
		for dx := range 3 {
			pic.DrawAddScaled(g.art.glowMid[hueWhite], s+dx*8, y+32, 60)
		}
	}
	if g.age/28&1 == 0 {
		pic.TextCentered(width/2+1, 211, 2, "PRESS ANY KEY OR TOUCH", sdk.Hex(0x000010))
		pic.TextCentered(width/2, 210, 2, "PRESS ANY KEY OR TOUCH", ink)
	}
	pic.TextCentered(width/2, 236, 1, "ARROWS OR STICK: FLY   SPACE: FIRE   X: NOVA BOMB   SHIFT: SLOW", soft)
	bx := width/2 - 40
	pic.Text(bx, 254, 1, "BEST", warm)
	pic.Number(bx+32, 254, 1, g.best, 7, warm)
}

func (g *game) drawOver(pic *sdk.Canvas) {
	pic.RectBlend(0, 110, width, 130, sdk.Hex(0x000010), min(g.age*6, 180))
	pic.TextCentered(width/2, 124, 5, "GAME OVER", hues[hueRed])
	pic.Number(width/2-63, 172, 3, g.score, 7, ink)
	if g.record && g.age/16&1 == 0 {
		pic.TextCentered(width/2, 200, 1, "A NEW BEST SCORE", warm)
	}
	if g.age > 50 && g.age/28&1 == 0 {
		pic.TextCentered(width/2, 216, 2, "PRESS ANY KEY", soft)
	}
}
