package stream

import (
	"strings"
	"testing"

	"github.com/framemesh/framemesh/stream/control"
)

// Money is between the owner's page and the container: nobody else is heard or told.
func TestMoneyIsTheOwnersAlone(t *testing.T) {
	k := newKit(t, nil)
	owner, fan := k.play("", nil), k.play("?role=watch", nil)
	until(t, "both welcomed", func() bool { return owner.Report().Welcome.App != "" && fan.Report().Welcome.App != "" })
	v := control.Voucher{Seq: 1, Seconds: 1, Paid: "7", Sig: strings.Repeat("ab", 64)}
	fan.Say(v)
	fan.Say(control.Open{Tx: "AAEC"})
	fan.Say(control.Ping{N: 1}) // the channel keeps its order: what came before has been dealt with
	until(t, "a pong", func() bool { return fan.Report().Pongs == 1 })
	if n := k.app.count(func() int { return len(k.app.payments) }); n != 0 {
		t.Errorf("a viewer's money is heard %d times", n)
	}
	owner.Say(v)
	owner.Say(control.TopUp{Tx: "AAEC"})
	until(t, "the owner's words", func() bool { return k.app.count(func() int { return len(k.app.payments) }) == 2 })
	k.app.note(func() {
		if k.app.payments[0] != v || k.app.payments[1] != (control.TopUp{Tx: "AAEC"}) {
			t.Errorf("heard %+v", k.app.payments)
		}
	})
	pay := control.Pay{State: control.PayOK, Served: 3, Covered: 4, Paid: "28", Seq: 4}
	k.session.ToOwner(pay)
	k.session.Notice(control.NoticeUnpaid, "Waiting for money.")
	until(t, "the container's words", func() bool {
		return owner.Report().Payment == pay && notices(fan, control.NoticeUnpaid) > 0
	})
	if r := fan.Report(); r.Payment != (control.Pay{}) {
		t.Errorf("a viewer is told of the owner's money: %+v", r.Payment)
	}
	// Who comes while the game waits for money is told so.
	late := k.play("?role=watch", nil)
	until(t, "a latecomer's notice", func() bool { return notices(late, control.NoticeUnpaid) > 0 })
}
