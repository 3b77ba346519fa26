package session

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	ledger "github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// fakeTill is a ledger that locks what it is told to after a while.
type fakeTill struct {
	j *journal

	mu      sync.Mutex
	seconds uint32 // of each transaction
	refuse  error
	takes   time.Duration // until it is in a block
	locked  uint32
	closing bool
	down    bool
	kept    []voucher.Voucher
	settled bool
	bell    chan struct{} // nil = blocks are not told
	asked   int           // for the escrow
}

func (f *fakeTill) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeTill) hand(what string) (uint32, error) {
	f.j.add("%s", what)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return 0, f.refuse
	}
	time.AfterFunc(f.takes, func() {
		f.set(func() {
			f.locked += f.seconds
			if f.bell != nil {
				close(f.bell)
				f.bell = make(chan struct{})
			}
		})
	})
	return f.seconds, nil
}
func (f *fakeTill) Open(context.Context, []byte) (uint32, error)  { return f.hand("open escrow") }
func (f *fakeTill) TopUp(context.Context, []byte) (uint32, error) { return f.hand("top up") }
func (f *fakeTill) NextBlock() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bell
}

// taken stands for what the container signs.
var taken = bytes.Repeat([]byte{0xab}, 64)

func (f *fakeTill) Escrow(context.Context) (Held, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.down {
		return Held{}, errAny
	}
	return Held{Seconds: f.locked, Closing: f.closing, Taken: taken, OpenedMS: 1234}, nil
}
func (f *fakeTill) Keep(v voucher.Voucher) { f.set(func() { f.kept = append(f.kept, v) }) }
func (f *fakeTill) Settle()                { f.set(func() { f.settled = true }); f.j.add("settle") }

// times is how often the ledger was asked.
func (f *fakeTill) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// vouchers are those that were kept.
func (f *fakeTill) vouchers() []voucher.Voucher {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.kept)
}

var player = ed25519.NewKeyFromSeed([]byte("a player's seed of 32 bytes long"))

func terms() voucher.Terms {
	t := voucher.Terms{Chain: "test", Session: [16]byte{1}, Container: key.Node{7}, PerSecond: 100, Seconds: 86400}
	copy(t.Player[:], player.Public().(ed25519.PublicKey))
	return t
}

// paid is a session that costs money, with its owner's page at play.
func paid(t *testing.T, change func(*fakeTill), story func(p *play, till *fakeTill)) {
	var till *fakeTill
	begin(t, func(o *Options, slot *fakeSlot) {
		till = &fakeTill{j: slot.j, seconds: 3600, takes: time.Second, bell: make(chan struct{})}
		if change != nil {
			change(till)
		}
		o.Payment = &Payment{Till: till, Terms: terms(), Credit: voucher.Credit}
	}, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(100 * time.Millisecond) // the worker is ready: seconds count from here
		p.take()
		story(p, till)
	})
}

// say is what the owner's page says.
func (p *play) say(m control.Message) {
	p.out.h.Payment("page", m)
	synctest.Wait()
}

func (p *play) open()  { p.say(control.Open{Tx: control.EncodeTx([]byte("tx"))}) }
func (p *play) topUp() { p.say(control.TopUp{Tx: control.EncodeTx([]byte("tx"))}) }

func promise(seq uint64, seconds uint32) control.Voucher {
	return said(voucher.Sign(terms(), player, seq, seconds))
}

func said(v voucher.Voucher) control.Voucher {
	return control.Voucher{Seq: v.Seq, Seconds: v.Seconds, Paid: control.Amount(v.Paid), Sig: hex.EncodeToString(v.Signature[:])}
}

// told is what the owner's page heard so far.
func (p *play) told() []control.Message {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.out.told)
}

// summary is the session's newest word on itself.
func (p *play) summary() Summary {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// lastPay is the newest word on payment.
func (p *play) lastPay() control.Pay {
	told := p.told()
	for i := len(told) - 1; i >= 0; i-- {
		if m, ok := told[i].(control.Pay); ok {
			return m
		}
	}
	return control.Pay{}
}

func (p *play) escrows() (out []control.Escrow) {
	for _, m := range p.told() {
		if e, ok := m.(control.Escrow); ok && (len(out) == 0 || out[len(out)-1] != e) {
			out = append(out, e)
		}
	}
	return out
}

func TestCreditIsThreeSeconds(t *testing.T) {
	paid(t, nil, func(p *play, _ *fakeTill) {
		time.Sleep(3*time.Second - time.Millisecond)
		p.want("")
		time.Sleep(2 * time.Millisecond)
		p.want("pause true; notice unpaid")
		if m := p.lastPay(); m.State != control.PayUnpaid || m.Served != 3 || m.Covered != 0 || p.summary().Phase != Paused {
			t.Errorf("after the credit: %+v, %s", m, p.summary().Phase)
		}
		time.Sleep(29 * time.Second)
		if p.lastPay().Served != 3 {
			t.Error("a pause for want of money counts as play")
		}
		if p.ended() {
			t.Fatal("ended before half a minute without an escrow")
		}
		time.Sleep(2 * time.Second)
		if !p.ended() {
			t.Fatal("a page that never pays holds the machine")
		}
		p.want("bye unpaid; settle; kill 1; close; release")
	})
}

func TestPaidPlayGoesOn(t *testing.T) {
	paid(t, nil, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(1600 * time.Millisecond)
		want := []control.Escrow{{State: "sent", Total: "360000", Seconds: 3600}, {State: "locked", Total: "360000", Seconds: 3600, Taken: strings.Repeat("ab", 64), OpenedMS: 1234}}
		if got := p.escrows(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the page heard %+v, want %+v", got, want)
		}
		for n := uint32(2); n <= 30; n++ {
			p.say(promise(uint64(n), n))
			time.Sleep(time.Second)
		}
		p.want("open escrow")
		if m := p.lastPay(); m.State != control.PayOK || m.Served != 30 || m.Covered != 30 || m.Paid != "3000" || m.Seq != 30 {
			t.Errorf("after half a minute: %+v", m)
		}
		if s := p.summary(); s.Served != 30 || s.Covered != 30 || s.Paid != 3000 || s.Escrow != 3600 || s.BadVouchers != 0 {
			t.Errorf("summary %+v", s)
		}
		// The last voucher is kept at most two seconds after it came.
		if kept := till.vouchers(); len(kept) < 14 || kept[len(kept)-1].Seq < 29 {
			t.Errorf("vouchers kept: %+v", kept)
		}
		p.ask(Leave{Token: p.token(stream.RoleOwner), Peer: "page", End: true})
		if kept := till.vouchers(); !p.ended() || kept[len(kept)-1].Seq != 30 {
			t.Errorf("the last voucher is lost: %+v", kept)
		}
		p.want("bye ended; settle; kill 1; close; release")
	})
}

func TestPlayerStopsPaying(t *testing.T) {
	paid(t, nil, func(p *play, _ *fakeTill) {
		p.open()
		time.Sleep(1600 * time.Millisecond)
		p.say(promise(1, 10))
		time.Sleep(11 * time.Second) // 12 seconds served, 10 covered
		p.want("open escrow")
		time.Sleep(time.Second)
		p.want("pause true; notice unpaid") // 13 served
		if m := p.lastPay(); m.State != control.PayUnpaid || m.Served != 13 || m.Covered != 10 {
			t.Errorf("unpaid: %+v", m)
		}
		p.say(promise(2, 10)) // promises nothing new
		p.want("")
		p.say(promise(3, 14))
		p.want("pause false; key; notice resumed")
		time.Sleep(3999 * time.Millisecond) // a whole second of play for each that counts
		p.want("")
		time.Sleep(2 * time.Millisecond)
		p.want("pause true; notice unpaid") // 17 = 14 + 3
		time.Sleep(61 * time.Second)
		if !p.ended() {
			t.Error("a session that nobody pays goes on")
		}
	})
}

func TestFalseVouchers(t *testing.T) {
	paid(t, nil, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(1600 * time.Millisecond)
		p.say(promise(5, 5))
		other := terms()
		other.Chain = "another"
		elsewhere := terms()
		elsewhere.Session = [16]byte{2}
		forged := promise(7, 7)
		forged.Sig = strings.Repeat("00", 64)
		cheap := promise(7, 7)
		cheap.Paid = "1"
		for what, v := range map[string]control.Voucher{
			"replayed": promise(5, 6), "older": promise(4, 9), "less": promise(6, 4), "overdrawn": promise(6, 3601),
			"of another chain": said(voucher.Sign(other, player, 6, 9)), "of another session": said(voucher.Sign(elsewhere, player, 6, 9)),
			"forged": forged, "cheap": cheap, "another's": said(voucher.Sign(terms(), ed25519.NewKeyFromSeed(make([]byte, 32)), 6, 9)),
		} {
			p.say(v)
			if m := p.lastPay(); m.Seq != 5 || m.Paid != "500" {
				t.Errorf("a voucher that is %s was taken: %+v", what, m)
			}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if kept := till.vouchers(); p.summary().BadVouchers != 9 || kept[len(kept)-1].Seq != 5 {
			t.Errorf("%d counted, kept %+v", p.summary().BadVouchers, kept)
		}
		for range maxBad {
			p.say(promise(5, 5)) // a page says its newest again when it hears that it is not paid
		}
		if p.ended() || p.summary().BadVouchers != 9 || p.lastPay().Seq != 5 {
			t.Errorf("the newest voucher once more counts as a false one: %d", p.summary().BadVouchers)
		}
		for range maxBad {
			p.say(promise(4, 9))
		}
		if !p.ended() || !strings.Contains(p.take(), "bye unpaid") {
			t.Error("a page may send false vouchers for ever")
		}
	})
}

func TestEscrowEndsAtTheExactSecond(t *testing.T) {
	paid(t, func(f *fakeTill) { f.seconds, f.takes = 70, 500*time.Millisecond }, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(1100 * time.Millisecond)
		p.say(promise(1, 70))
		time.Sleep(8800 * time.Millisecond) // 9 s
		if m := p.lastPay(); m.State != control.PayOK {
			t.Errorf("61 seconds before the end: %+v", m)
		}
		time.Sleep(time.Second)
		if m := p.lastPay(); m.State != control.PayEndingSoon || m.Served != 10 {
			t.Errorf("60 seconds before the end: %+v", m)
		}
		p.take()
		time.Sleep(59 * time.Second)
		p.want("")
		time.Sleep(time.Second)
		p.want("pause true; notice unpaid")
		if m := p.lastPay(); m.State != control.PayEmpty || m.Served != 70 || m.Covered != 70 || m.Paid != "7000" {
			t.Errorf("at the end: %+v", m)
		}
		// More money lets it go on, for as long as the credit until the next voucher.
		p.topUp()
		time.Sleep(1100 * time.Millisecond)
		p.want("top up; pause false; key; notice resumed")
		if e := p.escrows(); e[len(e)-1] != (control.Escrow{State: "locked", Total: "14000", Seconds: 140, Taken: strings.Repeat("ab", 64), OpenedMS: 1234}) {
			t.Errorf("topped up: %+v", e)
		}
		time.Sleep(3 * time.Second)
		p.want("pause true; notice unpaid")
		p.say(promise(2, 75))
		p.want("pause false; key; notice resumed")
	})
}

func TestLedgerRefusesOrIsSlow(t *testing.T) {
	paid(t, func(f *fakeTill) { f.refuse = errors.New("the account has 5 and needs 10; add money") }, func(p *play, till *fakeTill) {
		p.topUp() // nothing to add to
		p.open()
		if e := p.escrows(); len(e) != 2 || e[0].State != "refused" || e[1].State != "refused" || !strings.Contains(e[1].Text, "needs 10") {
			t.Errorf("the page heard %+v", e)
		}
		till.set(func() { till.refuse, till.takes, till.down = nil, time.Hour, true })
		p.open()
		p.open() // one at a time
		time.Sleep(time.Second)
		if e := p.escrows(); e[len(e)-1].State != "refused" || !strings.Contains(e[len(e)-1].Text, "under way") {
			t.Errorf("two at once: %+v", e)
		}
	})
	paid(t, func(f *fakeTill) { f.takes = time.Hour }, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(29 * time.Second)
		if e := p.escrows(); e[len(e)-1].State != "sent" {
			t.Errorf("while it waits: %+v", e)
		}
		if m := p.lastPay(); m.State != control.PayUnpaid || m.Served != 3 {
			t.Errorf("the game runs on an escrow that is not there: %+v", m)
		}
	})
}

// A slow block holds the game up no longer than the block takes, and vouchers that came
// before it count as soon as it is there.
func TestVouchersBeforeTheLock(t *testing.T) {
	paid(t, func(f *fakeTill) { f.takes = 5 * time.Second }, func(p *play, till *fakeTill) {
		p.open()
		p.say(promise(1, 4))
		time.Sleep(3100 * time.Millisecond)
		p.want("open escrow; pause true; notice unpaid")
		time.Sleep(2500 * time.Millisecond)
		p.want("pause false; key; notice resumed")
		if m := p.lastPay(); m.State != control.PayOK || m.Covered != 4 {
			t.Errorf("after the block: %+v", m)
		}
	})
}

func TestPausesDoNotCount(t *testing.T) {
	paid(t, nil, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(1600 * time.Millisecond)
		p.say(promise(1, 20))
		p.out.h.Pause(true, "page")
		time.Sleep(10 * time.Second)
		if m := p.lastPay(); m.Served != 1 {
			t.Errorf("a pause counts: %+v", m)
		}
		p.out.h.Pause(false, "page")
		time.Sleep(1100 * time.Millisecond)
		p.out.h.Payment("page", promise(2, 21))
		synctest.Wait()
		if m := p.lastPay(); m.Served != 2 {
			t.Errorf("after the pause: %+v", m)
		}
		p.take()
		// The owner pauses while the game waits for money: with the money it stays paused.
		time.Sleep(22 * time.Second)
		p.want("pause true; notice unpaid")
		p.out.h.Pause(true, "page")
		p.say(promise(3, 40))
		p.want("notice paused")
		p.out.h.Pause(false, "page")
		p.want("pause false; key; notice resumed")
	})
}

func TestReloadGoesOnPaying(t *testing.T) {
	paid(t, nil, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(1600 * time.Millisecond)
		p.say(promise(1, 3))
		p.leave(stream.RoleOwner, "page")
		p.mu.Lock()
		p.out.told = nil
		p.mu.Unlock()
		p.join(stream.RoleOwner, "again")
		time.Sleep(1500 * time.Millisecond)
		if e := p.escrows(); len(e) != 1 || e[0].State != "locked" || e[0].Seconds != 3600 {
			t.Errorf("the new page heard of the escrow: %+v", e)
		}
		if m := p.lastPay(); m.Seq != 1 || m.Covered != 3 {
			t.Errorf("the new page heard %+v", m)
		}
	})
}

func TestPlayerClosesOnTheLedger(t *testing.T) {
	paid(t, nil, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(1600 * time.Millisecond)
		p.say(promise(1, 1000))
		time.Sleep(10 * time.Second)
		till.set(func() { till.closing = true })
		time.Sleep(reviewEvery + time.Second)
		if !p.ended() || !till.settled {
			t.Error("the game goes on though its escrow is being closed")
		}
	})
}

// Power cuts settle nothing: what was kept is settled when the machine is back.
func TestCrashSettlesNothing(t *testing.T) {
	paid(t, nil, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(1600 * time.Millisecond)
		p.say(promise(1, 3))
		p.abrupt = true
		p.ref.Stop()
		<-p.ref.Done()
		if kept := till.vouchers(); till.settled || len(kept) != 1 {
			t.Errorf("settled %v, kept %v", till.settled, kept)
		}
	})
}

func TestTermsThatNoEscrowHolds(t *testing.T) {
	bad := terms()
	bad.PerSecond = 1 << 62
	_, err := New(Options{Acquire: func(context.Context, bool) (Slot, error) { return nil, errAny },
		Stream:  func(string, stream.Handler, stream.SessionInfo) (Stream, error) { return nil, errAny },
		Payment: &Payment{Terms: bad, Credit: 3}})
	if !errors.Is(err, ErrOptions) {
		t.Errorf("terms beyond all money gave %v", err)
	}
}

// The ledger is asked with each block, not by a clock: an escrow is seen when it is there.
func TestEscrowIsSeenWithItsBlock(t *testing.T) {
	paid(t, func(f *fakeTill) { f.takes = 230 * time.Millisecond }, func(p *play, till *fakeTill) {
		p.open()
		time.Sleep(229 * time.Millisecond)
		if e := p.escrows(); len(e) != 1 || e[0].State != control.EscrowSent || till.times() != 1 {
			t.Fatalf("before the block: %+v, asked %d times", e, till.times())
		}
		time.Sleep(2 * time.Millisecond)
		if e := p.escrows(); len(e) != 2 || e[1].State != control.EscrowLocked || till.times() != 2 {
			t.Fatalf("after the block: %+v, asked %d times", e, till.times())
		}
	})
}

// A block that comes between the answer and the wait is not missed, and where blocks are not
// told the ledger is asked each second.
func TestEscrowIsSeenWithoutABell(t *testing.T) {
	paid(t, func(f *fakeTill) { f.bell, f.takes = nil, 1500*time.Millisecond }, func(p *play, _ *fakeTill) {
		p.open()
		time.Sleep(2100 * time.Millisecond)
		if e := p.escrows(); e[len(e)-1].State != control.EscrowLocked {
			t.Fatalf("%+v", e)
		}
	})
}

// The page is told in a word that the account lacks the money: it may be on its way.
func TestRefusalForWantOfMoneyHasACode(t *testing.T) {
	for want, err := range map[string]error{control.CodeMoney: fmt.Errorf("pool: %w", ledger.ErrFunds), "": errAny} {
		paid(t, func(f *fakeTill) { f.refuse = err }, func(p *play, _ *fakeTill) {
			p.open()
			if e := p.escrows(); len(e) != 1 || e[0].State != control.EscrowRefused || e[0].Code != want {
				t.Errorf("%v: %+v", err, e)
			}
		})
	}
}
