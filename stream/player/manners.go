package player

import (
	"crypto/rand"
	"encoding/hex"
	"math"
	mrand "math/rand/v2"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/control"
)

// What the page in a browser says on the control channel without being asked: a ping twice
// a second, figures once a second, and now and then the wish for challenge cells.
const (
	pingEvery  = 500 * time.Millisecond
	firstCell  = 3 * time.Second // after the first picture, and up to
	firstCellS = 17 * time.Second
	cellEvery  = 5 * time.Minute // and up to twice that
)

// cellAfter is in how long a player asks for cells, as in the page.
func cellAfter(first bool, random float64) time.Duration {
	if first {
		return firstCell + time.Duration(random*float64(firstCellS))
	}
	return time.Duration((1 + random) * float64(cellEvery))
}

// Ask asks for challenge cells with a new nonce.
func (p *Player) Ask() (nonce [8]byte) {
	_, _ = rand.Read(nonce[:]) // never fails
	p.say(control.Cell{Nonce: hex.EncodeToString(nonce[:])})
	return nonce
}

// behave says what a page says until the player stops.
func (p *Player) behave() {
	select {
	case <-p.talking:
	case <-p.ctx.Done():
		return
	}
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	cell := time.NewTimer(time.Hour)
	defer cell.Stop()
	shown, first := p.shown, true
	var before Report
	for n := uint64(1); ; {
		select {
		case <-p.ctx.Done():
			return
		case <-shown:
			shown = nil
			after := p.opt.FirstCell
			if after == 0 {
				after = cellAfter(true, mrand.Float64())
			}
			cell.Reset(after)
		case <-cell.C:
			at := time.Now()
			if nonce := p.Ask(); p.opt.OnCell != nil {
				p.opt.OnCell(nonce, at)
			}
			first = false
			cell.Reset(cellAfter(first, mrand.Float64()))
		case <-tick.C:
			p.say(control.Ping{N: n})
			if n += 2; n%4 == 1 {
				now := p.Report()
				if !now.Connected {
					continue
				}
				p.say(p.digest(before, now))
				before = now
			}
		}
	}
}

// digest is a second's figures as a page would give them. What this player does not have
// (a jitter buffer, a decoder) is what a page on a common machine says.
func (p *Player) digest(before, now Report) control.PageStats {
	tenth := func(v float64) float64 { return math.Round(v*10) / 10 }
	s := control.PageStats{FPS: float64(now.Decodable - before.Decodable), Lost: float64(now.PacketsLost),
		JBMS: tenth(2.5 + 3*mrand.Float64()), DecodeMS: tenth(0.9 + 0.8*mrand.Float64()),
		Kbps: tenth(float64(now.VideoBytes-before.VideoBytes) * 8 / 1000)}
	for _, v := range p.pc.GetStats() {
		if c, ok := v.(webrtc.ICECandidatePairStats); ok && c.Nominated {
			s.RTTMS = tenth(c.CurrentRoundTripTime * 1000)
		}
	}
	return s
}
