package stream

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
)

// Challenges are the owner's, and not so many that the picture suffers.
func TestChallengesAreHandedOn(t *testing.T) {
	k := newKit(t, still)
	owner, fan := k.play("", nil), k.play("?role=watch", nil)
	until(t, "both welcomed", func() bool { return owner.Report().Welcome.App != "" && fan.Report().Welcome.App != "" })
	fan.Say(control.Cell{Nonce: "0102030405060708"})
	fan.Say(control.Ping{N: 1})
	until(t, "a pong", func() bool { return fan.Report().Pongs == 1 })
	owner.Say(control.Cell{Nonce: "01020304050607"})
	owner.Say(control.Cell{Nonce: "a102030405060708"})
	owner.Say(control.Cell{Nonce: "b102030405060708"}) // too soon
	owner.Say(control.Ping{N: 2})
	until(t, "the owner's pong", func() bool { return owner.Report().Pongs == 1 })
	k.app.note(func() {
		if len(k.app.cells) != 1 || k.app.cells[0] != [8]byte{0xa1, 2, 3, 4, 5, 6, 7, 8} {
			t.Errorf("challenges %x", k.app.cells)
		}
	})
}

// A discreet player says what pages say without being asked, plays, and hands on what a
// checker wants to know.
func TestADiscreetPlayerBehaves(t *testing.T) {
	k := newKit(t, nil)
	var asked, pictures, inputs atomic.Int64
	p := k.play("", func(o *player.Options) {
		o.Discreet, o.Seed, o.FirstCell = true, 3, 10*time.Millisecond
		o.OnCell = func([8]byte, time.Time) { asked.Add(1) }
		o.OnPicture = func(au []byte, _ time.Time) {
			if len(au) > 0 {
				pictures.Add(1)
			}
		}
		o.OnInput = func(time.Time) { inputs.Add(1) }
	})
	until(t, "pings, a challenge, pictures and keys", func() bool {
		r := p.Report()
		return r.Pongs >= 2 && k.app.count(func() int { return len(k.app.cells) }) == 1 && asked.Load() == 1 &&
			pictures.Load() > 5 && inputs.Load() > 2 && r.VideoPackets > 5
	})
}
