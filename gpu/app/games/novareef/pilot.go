package main

import "math"

// pilot is who flies in the attract mode: it shoots at what is ahead,
// gathers motes and keeps away from everything else.
func (g *game) pilot() wish {
	p := &g.ship
	goalX, goalY := 120.0, p.y
	best := 1e9
	for i := range g.enemies {
		if e := &g.enemies[i]; e.alive && e.x > p.x+50 && e.x < width {
			if d := math.Abs(e.y-p.y) + (e.x-p.x)*0.3; d < best {
				best, goalY = d, e.y
			}
		}
	}
	if g.boss.alive {
		goalY = g.boss.y
	}
	for i := range g.items {
		if it := &g.items[i]; it.alive && it.x < 420 {
			if d := math.Hypot(it.x-p.x, it.y-p.y); d < 90 || it.kind != mote && d < 260 {
				goalX, goalY = it.x, it.y
			}
		}
	}
	fx, fy := (goalX-p.x)*0.012, (goalY-p.y)*0.03
	push := func(x, y, vx, vy, reach, force float64) {
		// Where it will be nearest within the next half second counts.
		dx, dy := x+vx*8-p.x, y+vy*8-p.y
		d := math.Sqrt(dx*dx+dy*dy) + 0.01
		if d < reach {
			k := force * (reach - d) / reach / d
			fx -= dx * k * 0.6
			fy -= dy * k
		}
	}
	for i := range g.bullets {
		if b := &g.bullets[i]; b.alive {
			push(b.x, b.y, b.vx, b.vy, 56, 4)
		}
	}
	for i := range g.enemies {
		if e := &g.enemies[i]; e.alive {
			push(e.x, e.y, -2, 0, 70, 4)
		}
	}
	push(p.x, top-20, 0, 0, 60, 1)
	push(p.x, height+10, 0, 0, 60, 1)
	clamp := func(v float64) float64 { return min(max(v, -1), 1) }
	return wish{dx: clamp(fx), dy: clamp(fy), fire: g.tick%90 < 80}
}
