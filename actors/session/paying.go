package session

import (
	"context"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/stream/control"
)

// Till is the money side of one session, as its container keeps it. Open, TopUp and
// Escrow are called on goroutines of the session's, one at a time; Keep and Settle must
// not block.
type Till interface {
	// Open checks that a transaction of the page locks an escrow for this session on its
	// terms, and hands it to the ledger. It returns for how many seconds. Its errors are
	// for people.
	Open(ctx context.Context, raw []byte) (seconds uint32, err error)
	// TopUp does so with one that adds seconds.
	TopUp(ctx context.Context, raw []byte) (seconds uint32, err error)
	// Escrow returns what the ledger holds for the session now.
	Escrow(ctx context.Context) (Held, error)
	// NextBlock is closed when a newer block than now is known; nil when that is not told.
	NextBlock() <-chan struct{}
	// Keep remembers the newest voucher beyond a crash.
	Keep(v voucher.Voucher)
	// Settle says that no further voucher will come. Without it, as after a crash, what
	// was kept is settled when the container is back.
	Settle()
}

// Held is what the ledger holds for a session.
type Held struct {
	Seconds uint32 // 0 = nothing
	Closing bool   // the player ends it
	// Taken is the container's signature that it plays for this, and OpenedMS the block time that
	// it names; nil where nothing is held.
	Taken    []byte
	OpenedMS uint64
}

// Payment is what a session is paid with.
type Payment struct {
	Till   Till
	Terms  voucher.Terms
	Credit uint32 // seconds of play that may go uncovered
}

// Times of payment.
const (
	keepEvery   = 1500 * time.Millisecond // between two vouchers kept
	followEvery = time.Second             // the ledger is asked while an escrow is awaited, if no block comes earlier
	followFor   = 30 * time.Second        // that it is awaited
	reviewEvery = 20 * time.Second        // the ledger is asked whether the escrow still stands
	askWithin   = 5 * time.Second         // an answer of the ledger
	endingSoon  = 60                      // s before the end of the escrow, when the page is told
	tellAgain   = 3                       // seconds in which a new page is told of the escrow
	maxBad      = 32                      // vouchers that were refused, before the session is ended
)

// Messages of payment to the session's own actor.
type (
	paySecond  struct{}
	unpaidOver struct{}
	// handed is the answer to an Open or a TopUp.
	handed struct {
		seconds uint32
		topUp   bool
		err     error
	}
	// escrowed is what the ledger holds.
	escrowed struct {
		Held
		err    error
		review bool            // nobody waits for a change
		block  <-chan struct{} // closed by the first block that this answer does not know
	}
)

// paying is the part of a session's state that is about money; nil in a free one.
type paying struct {
	Payment
	meter     *voucher.Meter
	clock     func() // cancels the second that runs
	locked    uint32 // seconds on the ledger
	taken     Held   // as last locked
	awaited   uint32 // seconds that will be there when what is under way is in a block; 0 = nothing is
	until     time.Time
	asking    bool // a question to the ledger is under way
	reviewed  time.Time
	opened    bool // an escrow was handed to the ledger
	held      bool // the app waits for money
	over      func()
	keptAt    time.Time
	kept      uint64 // number of the voucher kept last
	bad       int    // vouchers refused
	tell      int    // seconds in which the page is still told of the escrow
	last      control.Pay
	ownerSeen bool
}

func newPaying(p Payment) (*paying, error) {
	m, err := voucher.NewMeter(p.Terms, p.Credit)
	if err != nil {
		return nil, fmt.Errorf("session: terms of payment: %w", err)
	}
	return &paying{Payment: p, meter: m}, nil
}

// receivePay handles the messages of payment; false for those of others.
func (s *state) receivePay(c *supervise.Ctx, msg any) bool {
	switch m := msg.(type) {
	case payment:
		if s.pay != nil {
			s.paymentCame(c, m.m)
		}
	case paySecond:
		s.paySecond(c)
	case handed:
		s.handed(c, m)
	case escrowed:
		s.escrowed(c, m)
	case unpaidOver:
		s.end(c, control.ByeUnpaid, "The game ended because it was not paid for. What was set aside and not played goes back to the player's account.")
	default:
		return false
	}
	return true
}

// playing says whether seconds count: a worker runs, unpaused, for a page that has come.
func (s *state) playing() bool { return s.run && s.ready && !s.paused && s.pay.ownerSeen }

// tickPay starts the running second anew, so that only whole seconds of play count.
func (s *state) tickPay(c *supervise.Ctx) {
	if s.pay == nil {
		return
	}
	if s.pay.clock != nil {
		s.pay.clock()
	}
	s.pay.clock = c.After(time.Second, paySecond{})
}

func (s *state) paySecond(c *supervise.Ctx) {
	p := s.pay
	p.clock = nil
	if s.playing() {
		s.judge(c, p.meter.Second())
	}
	s.keepVoucher(false)
	if p.tell > 0 {
		p.tell--
		if p.locked > 0 {
			s.tellEscrow(control.EscrowLocked, "", p.locked)
		}
	}
	s.tellPay(true)
	if p.opened && !p.asking && p.awaited == 0 && time.Since(p.reviewed) >= reviewEvery {
		s.askEscrow(c, nil, true)
	}
	s.report()
	s.tickPay(c)
}

// judge pauses or resumes the app by what the meter says.
func (s *state) judge(c *supervise.Ctx, st voucher.State) {
	p := s.pay
	if st.Run == !p.held {
		return
	}
	p.held = !st.Run
	if p.held {
		limit := s.o.Unpaid
		if p.locked == 0 {
			limit /= 2 // nothing was ever set aside
		}
		p.over = c.After(limit, unpaidOver{})
		s.applyPause(c, "")
		s.b.out.Notice(control.NoticeUnpaid, unpaidText(st.Reason))
	} else {
		p.over()
		p.over = nil
		s.applyPause(c, "")
		code, text := control.NoticeResumed, textGoesOn
		if s.wish {
			code, text = control.NoticePaused, textPaused
		}
		s.b.out.Notice(code, text)
		s.tickPay(c)
	}
	s.tellPay(true)
}

func unpaidText(r voucher.Reason) string {
	switch r {
	case voucher.Waiting:
		return "The game waits until the ledger has set the money for it aside. It goes on by itself."
	case voucher.Empty:
		return "The money set aside for this game is used up. Add to it, and the game goes on."
	}
	return "The game is paused because it is not being paid for. It goes on with the next payment."
}

// paymentCame takes what the owner's page says about money.
func (s *state) paymentCame(c *supervise.Ctx, m control.Message) {
	switch m := m.(type) {
	case control.Open:
		s.hand(c, m.Tx, false)
	case control.TopUp:
		s.hand(c, m.Tx, true)
	case control.Voucher:
		s.voucherCame(c, m)
	}
}

// voucherCame checks a promise. A signature takes a tenth of a millisecond, here and not
// on the way of a frame or an input.
func (s *state) voucherCame(c *supervise.Ctx, m control.Voucher) {
	p := s.pay
	paid, sig, err := m.Values()
	v := voucher.Voucher{Seq: m.Seq, Seconds: m.Seconds, Paid: paid, Signature: sig}
	if last := p.meter.Last(); err == nil && last != nil && *last == v {
		s.tellPay(true) // word that it came and the page's repeat of it met on the way
		return
	}
	if err == nil {
		err = p.meter.Add(v)
	}
	if err != nil {
		p.bad++
		s.sum.BadVouchers = p.bad
		c.Log().Debug("voucher refused", "err", err)
		if p.bad >= maxBad {
			s.end(c, control.ByeUnpaid, "The game ended because its payments do not hold. Reload the page and start again.")
			return
		}
		s.tellPay(true)
		return
	}
	s.keepVoucher(false)
	s.judge(c, p.meter.State())
	s.tellPay(false)
}

// keepVoucher hands the newest voucher to the till, now and then or at the end.
func (s *state) keepVoucher(last bool) {
	p := s.pay
	v := p.meter.Last()
	if v == nil || v.Seq == p.kept || !last && time.Since(p.keptAt) < keepEvery {
		return
	}
	p.kept, p.keptAt = v.Seq, time.Now()
	p.Till.Keep(*v)
}

// tellPay says where payment stands; when nothing but the figures changed only if always.
func (s *state) tellPay(always bool) {
	p := s.pay
	st := p.meter.State()
	m := control.Pay{State: string(st.Reason), Served: st.Served, Covered: st.Covered, Paid: control.Amount(st.Paid)}
	if v := p.meter.Last(); v != nil {
		m.Seq = v.Seq
	}
	if st.Reason == voucher.OK && p.locked-min(p.locked, st.Served) <= endingSoon {
		m.State = control.PayEndingSoon
	}
	if st.Reason == voucher.Waiting && p.held {
		m.State = control.PayUnpaid
	}
	if always || m.State != p.last.State {
		p.last = m
		s.b.out.ToOwner(m)
	}
}

// ownerPaying notes that the owner's page is there; it is told of the escrow again.
func (s *state) ownerPaying(c *supervise.Ctx) {
	if s.pay == nil {
		return
	}
	s.pay.tell = tellAgain
	if !s.pay.ownerSeen {
		s.pay.ownerSeen = true
		s.tickPay(c)
	}
}

// settle is the session's last word about money.
func (s *state) settle() {
	if s.pay == nil || s.o.Abrupt() {
		return
	}
	s.keepVoucher(true)
	s.pay.Till.Settle()
}
