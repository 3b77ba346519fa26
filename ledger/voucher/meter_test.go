package voucher_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/voucher"
)

func meter(t testing.TB) *voucher.Meter {
	t.Helper()
	m, err := voucher.NewMeter(terms(), voucher.Credit)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func add(t testing.TB, m *voucher.Meter, seq uint64, seconds uint32) {
	t.Helper()
	if err := m.Add(voucher.Sign(m.Terms(), player, seq, seconds)); err != nil {
		t.Fatalf("voucher %d for %d seconds: %v", seq, seconds, err)
	}
}

func TestMeterRefusesBadVouchers(t *testing.T) {
	tm := terms()
	sign := func(seq uint64, seconds uint32) voucher.Voucher { return voucher.Sign(tm, player, seq, seconds) }
	other := func(change func(*voucher.Terms)) voucher.Voucher {
		tm := terms()
		change(&tm)
		return voucher.Sign(tm, player, 6, 5)
	}
	amounts := func(paid uint64) voucher.Voucher {
		v := sign(6, 5)
		v.Paid = paid
		v.Signature = [64]byte(key.Sign(player, chain, key.KindVoucher, voucher.Payload(tm.Container, tm.Session, 6, 5, paid)))
		return v
	}
	changed := sign(6, 5)
	changed.Signature[10] ^= 1
	for _, c := range []struct {
		name string
		v    voucher.Voucher
		want error
	}{
		{"a good one", sign(6, 5), nil},
		{"a good one with a gap", sign(60, 10), nil},
		{"the last one again", sign(5, 4), voucher.ErrReplay},
		{"another with the last one's number", sign(5, 5), voucher.ErrReplay},
		{"number 0", sign(0, 5), voucher.ErrReplay},
		{"an older one", sign(2, 1), voucher.ErrOlder},
		{"an older number for more seconds", sign(4, 9), voucher.ErrOlder},
		{"a new number for the same", sign(6, 4), voucher.ErrOutOfOrder},
		{"a new number for less", sign(6, 3), voucher.ErrOutOfOrder},
		{"no seconds", sign(6, 0), voucher.ErrOutOfOrder},
		{"more than the escrow", sign(6, 11), voucher.ErrOverdrawn},
		{"all seconds there are", sign(6, 1<<32-1), voucher.ErrOverdrawn},
		{"a base unit too much", amounts(36), voucher.ErrAmount},
		{"a base unit too little", amounts(34), voucher.ErrAmount},
		{"nothing for five seconds", amounts(0), voucher.ErrAmount},
		{"a changed signature", changed, voucher.ErrForged},
		{"signed by the container", voucher.Sign(tm, container, 6, 5), voucher.ErrForged},
		{"for another chain", other(func(t *voucher.Terms) { t.Chain = "othernet" }), voucher.ErrForged},
		{"for another session", other(func(t *voucher.Terms) { t.Session[15]++ }), voucher.ErrForged},
		{"for another container", other(func(t *voucher.Terms) { t.Container[0]++ }), voucher.ErrForged},
	} {
		m := meter(t)
		m.Escrow(true, 10)
		add(t, m, 1, 1)
		add(t, m, 5, 4)
		before := m.State()
		err := m.Add(c.v)
		if !errors.Is(err, c.want) || (c.want == nil && err != nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.want != nil && (m.State() != before || m.Last().Seq != 5) {
			t.Errorf("%s changed the meter: %+v", c.name, m.State())
		}
		if c.want == nil && *m.Last() != c.v {
			t.Errorf("%s is not the last one", c.name)
		}
	}
}

func TestCreditEndsAtTheExactSecond(t *testing.T) {
	m := meter(t)
	want := func(step string, s, w voucher.State) {
		t.Helper()
		if s != w {
			t.Errorf("%s: %+v, want %+v", step, s, w)
		}
	}
	want("at the start", m.State(), voucher.State{Run: true, Reason: voucher.Waiting})
	want("1 s", m.Second(), voucher.State{Served: 1, Owed: 7, Run: true, Reason: voucher.Waiting})
	add(t, m, 1, 1)
	want("a voucher before the escrow covers nothing", m.State(), voucher.State{Served: 1, Paid: 7, Owed: 7, Run: true, Reason: voucher.Waiting})
	want("2 s", m.Second(), voucher.State{Served: 2, Paid: 7, Owed: 14, Run: true, Reason: voucher.Waiting})
	want("3 s: the credit is used up", m.Second(), voucher.State{Served: 3, Paid: 7, Owed: 21, Reason: voucher.Waiting})
	want("a second of pause is no play", m.Second(), voucher.State{Served: 3, Paid: 7, Owed: 21, Reason: voucher.Waiting})
	want("locked: the voucher counts", m.Escrow(true, 10), voucher.State{Served: 3, Covered: 1, Paid: 7, Owed: 14, Run: true, Reason: voucher.OK})
	want("4 s", m.Second(), voucher.State{Served: 4, Covered: 1, Paid: 7, Owed: 21, Reason: voucher.Unpaid})
	add(t, m, 2, 9)
	want("a voucher resumes it", m.State(), voucher.State{Served: 4, Covered: 9, Paid: 63, Run: true, Reason: voucher.OK})
	for range 5 {
		m.Second()
	}
	want("9 s", m.State(), voucher.State{Served: 9, Covered: 9, Paid: 63, Run: true, Reason: voucher.OK})
	want("10 s: the escrow is empty, though there would be credit", m.Second(), voucher.State{Served: 10, Covered: 9, Paid: 63, Owed: 7, Reason: voucher.Empty})
	want("a second of pause is no play", m.Second(), voucher.State{Served: 10, Covered: 9, Paid: 63, Owed: 7, Reason: voucher.Empty})
	add(t, m, 3, 10)
	want("paid in full, still empty", m.State(), voucher.State{Served: 10, Covered: 10, Paid: 70, Reason: voucher.Empty})
	want("topped up", m.Escrow(true, 12), voucher.State{Served: 10, Covered: 10, Paid: 70, Run: true, Reason: voucher.OK})
	add(t, m, 4, 12)
	want("beyond what was planned", m.State(), voucher.State{Served: 10, Covered: 12, Paid: 84, Run: true, Reason: voucher.OK})
	want("closed on the ledger", m.Escrow(false, 0), voucher.State{Served: 10, Paid: 84, Owed: 70, Reason: voucher.Waiting})
}

func TestASessionShorterThanTheCreditEndsInTime(t *testing.T) {
	tm := terms()
	tm.Seconds = 2
	m, err := voucher.NewMeter(tm, voucher.Credit)
	if err != nil {
		t.Fatal(err)
	}
	m.Second()
	if s := m.Second(); s.Run || s.Served != 2 {
		t.Errorf("2 of 2 planned seconds, nothing locked: %+v", s)
	}
	if s := m.Escrow(true, 2); s.Run || s.Reason != voucher.Empty {
		t.Errorf("2 of 2 locked seconds: %+v", s)
	}
}

func TestAnEscrowSmallerThanPromisedDropsThePromise(t *testing.T) {
	m := meter(t)
	add(t, m, 1, 8)
	if s := m.Escrow(true, 5); s.Paid != 0 || s.Covered != 0 || m.Last() != nil {
		t.Errorf("the ledger would not settle it: %+v, %v", s, m.Last())
	}
	if err := m.Add(voucher.Sign(terms(), player, 1, 5)); !errors.Is(err, voucher.ErrReplay) {
		t.Errorf("its number is used: %v", err)
	}
	add(t, m, 2, 5)
	if s := m.State(); s.Covered != 5 || s.Paid != 35 {
		t.Errorf("one that fits: %+v", s)
	}
}

// TestNeitherSideLosesMoreThanTheCredit plays random sessions: an honest container, a
// player who pays as it likes, a ledger that locks, tops up and closes when it likes.
func TestNeitherSideLosesMoreThanTheCredit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		tm := terms()
		tm.Seconds = rapid.Uint32Range(1, 30).Draw(r, "planned")
		credit := rapid.Uint32Range(0, 5).Draw(r, "credit")
		m, err := voucher.NewMeter(tm, credit)
		if err != nil {
			r.Fatal(err)
		}
		var (
			played   uint32 // what the player was shown
			locked   bool
			escrow   uint32
			seq      uint64
			best     uint32 // seconds of the last voucher that was taken
			settles  uint64 // base units it is worth on the ledger
			promised uint32 // most that an honest player has signed
		)
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "step") {
			case 0, 1, 2, 3, 4:
				before := m.State()
				after := m.Second()
				if before.Run != (after.Served == before.Served+1) {
					r.Fatalf("allowed %v, but %d seconds became %d", before.Run, before.Served, after.Served)
				}
				if before.Run {
					played++
				}
			case 5, 6, 7: // the honest player pays what it was shown, and one more
				seq++
				want := min(played+1, tm.Seconds)
				if locked {
					want = min(played+1, escrow)
				}
				v := voucher.Sign(tm, player, seq, want)
				if err := m.Add(v); err == nil {
					best, settles, promised = want, v.Paid, max(promised, want)
				} else if want > best {
					r.Fatalf("an honest voucher for %d seconds after %d: %v", want, best, err)
				}
				if promised > played+1 {
					r.Fatalf("the player owes %d seconds and saw %d", promised, played)
				}
			case 8:
				if !locked {
					locked, escrow = true, tm.Seconds
				} else {
					escrow += rapid.Uint32Range(1, 5).Draw(r, "top up")
				}
				m.Escrow(locked, escrow)
			case 9: // junk
				v := voucher.Sign(tm, container, rapid.Uint64().Draw(r, "seq"), rapid.Uint32().Draw(r, "seconds"))
				before := m.State()
				if m.Add(v) == nil || m.State() != before {
					r.Fatal("a forged voucher was taken")
				}
			}
			s := m.State()
			covered := uint32(0)
			if locked {
				covered = min(best, escrow)
			}
			if s.Covered != covered || s.Served != played || s.Paid != settles {
				r.Fatalf("%+v, want covered %d, served %d, paid %d", s, covered, played, settles)
			}
			if played > covered+credit {
				r.Fatalf("%d seconds given, %d covered, credit %d", played, covered, credit)
			}
			if locked && played > escrow {
				r.Fatalf("%d seconds given, the escrow holds %d", played, escrow)
			}
			if s.Owed > uint64(credit)*tm.PerSecond {
				r.Fatalf("%d base units owed", s.Owed)
			}
			if v := m.Last(); v != nil && locked && v.Paid > tm.Owed(escrow) {
				r.Fatalf("a voucher over %d would not settle", v.Paid)
			}
		}
	})
}
