package stream

import (
	"testing"

	"github.com/framemesh/framemesh/stream/control"
)

// Challenges are the owner's, and not so many that the picture suffers.
func TestChallengesAreHandedOn(t *testing.T) {
	k := newKit(t, nil)
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
