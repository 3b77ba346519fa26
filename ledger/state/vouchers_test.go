package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/tx"
)

// Each rule of vouchers, by the container and by the player.
func TestVouchersAreRefused(t *testing.T) {
	alice := who("alice")
	for name, c := range map[string]struct {
		voucher func(o *tx.OpenSession) *tx.Voucher
		want    *Rule
	}{
		"replayed":              {func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 5, 20) }, ErrReplay},
		"replayed by amount":    {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 21, 20*testRate) }, ErrReplay},
		"older":                 {func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 4, 19) }, ErrOlder},
		"newer, for less money": {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 21, 20*testRate-1) }, ErrOlder},
		"beyond the plan":       {func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 6, 61) }, ErrOverdrawn},
		"beyond the rate":       {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 30, 30*testRate+1) }, ErrOverdrawn},
		"beyond the escrow":     {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 60, 60*testRate+1) }, ErrOverdrawn},
		"by another":            {func(o *tx.OpenSession) *tx.Voucher { return promise(who("bob"), o, 6, 30) }, ErrForged},
		"by the container":      {func(o *tx.OpenSession) *tx.Voucher { return promise(who("c1"), o, 6, 30) }, ErrForged},
		"for another chain": {func(o *tx.OpenSession) *tx.Voucher {
			return promised("other", alice, o, 6, 30, 30*testRate)
		}, ErrForged},
		"for another session": {func(o *tx.OpenSession) *tx.Voucher {
			other := &tx.OpenSession{Container: o.Container, Session: make([]byte, 16), PerSecond: o.PerSecond, Seconds: o.Seconds}
			return promise(alice, other, 6, 30)
		}, ErrForged},
		"for another container": {func(o *tx.OpenSession) *tx.Voucher {
			other := &tx.OpenSession{Container: who("c2").raw(), Session: o.Session, PerSecond: o.PerSecond, Seconds: o.Seconds}
			return promise(alice, other, 6, 30)
		}, ErrForged},
		"with another amount": {func(o *tx.OpenSession) *tx.Voucher {
			v := promise(alice, o, 6, 30)
			v.Paid--
			return v
		}, ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPlay(t)
			o := b.open(b.order(1, 60))
			b.must(b.send(alice, closing(o, promise(alice, o, 5, 20))))
			before, _ := b.sessionOf(o)
			b.refused(b.sendFor(who("c1 owner"), who("c1"), closing(o, c.voucher(o))), c.want)
			if after, ok := b.sessionOf(o); !ok || after != before {
				t.Errorf("the session changed to %+v", after)
			}
			b.end()
		})
	}
}

// TestAPlayerOwesTheMostThatItPromised: whatever it signs afterwards and presents first, under
// which number and for how many seconds, a promise that its container holds is paid.
func TestAPlayerOwesTheMostThatItPromised(t *testing.T) {
	alice := who("alice")
	for name, voucher := range map[string]func(o *tx.OpenSession) *tx.Voucher{
		"an older one":                             func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 3, 3) },
		"the same number over a second":            func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 30, 1) },
		"the highest number over a second":         func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 1<<64-1, 1) },
		"the highest number over less than that":   func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 1<<64-1, 1, 1) },
		"all seconds, for next to nothing":         func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 31, 60, 1) },
		"all seconds, for just less than promised": func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 31, 60, 30*testRate-1) },
	} {
		for _, batch := range []bool{false, true} {
			b := newPlay(t)
			o := b.open(b.order(1, 60))
			b.must(b.send(alice, closing(o, voucher(o))))
			var op any = closing(o, promise(alice, o, 30, 30))
			if batch {
				op = &tx.BatchClose{Sessions: []*tx.CloseSession{closing(o, promise(alice, o, 30, 30))}}
			}
			if err := b.sendFor(who("c1 owner"), who("c1"), op); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if e := b.event("session_settled"); e["gross"] != text(30*testRate) || e["seconds"] != "30" {
				t.Errorf("%s: settled %v", name, e)
			}
			b.end()
		}
	}
}
