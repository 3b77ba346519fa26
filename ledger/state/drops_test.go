package state

import (
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// gone is a round that heard of the container, late, before it went and a player missed it, as all
// three members say. It earns nothing.
func gone(session []byte) proof.Entry {
	e := proof.Entry{Verdict: proof.VerdictLate, Reason: proof.ReasonLate, Dropped: session}
	if len(session) != 0 {
		e.Found = 7
	}
	return e
}

// droppedID is the name of what c1 is accused of by the only batch of an epoch.
func droppedID(epoch uint64) [32]byte {
	return AccusationID(who("c1").node(), epoch, 0, economics.OffenceDrop)
}

func (b *bed) accusation(id [32]byte) (Accusation, bool) {
	b.tb.Helper()
	a, ok, err := ReadAccusation(b.Reader(), id)
	b.must(err)
	return a, ok
}

// TestAContainerThatWentPaysAThird, when the window for its appeal has passed: what the session
// can have cost its player goes there, and nothing more.
func TestAContainerThatWentPaysAThird(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	o := b.open(b.order(1, 600))
	b.next(6_500) // of the epoch's ten seconds, at 1 s
	b.certify(1, b.on(1, "c1", gone(o.Session)))
	a, ok := b.accusation(droppedID(1))
	required := b.Params().ContainerStake
	if !ok || a.Offence != economics.OffenceDrop || a.Amount != required/3 || a.Victim != who("alice").address() || a.Final != 1+3+1 || a.Session != [16]byte(o.Session) {
		t.Fatalf("got %+v", a)
	}
	batch := b.drawn(1).Batches[0]
	if !slices.Equal(a.Asked, slices.Concat(batch.Committee, batch.Reserve)) || len(a.Signers) != 3 {
		t.Errorf("got %+v", a)
	}
	if a.Most != 5*testRate { // from 1 s to 5.5 s, when votes are due
		t.Errorf("it can have cost %d", a.Most)
	}
	if e := b.event("accused"); e["offence"] != "drop" || e["session"] == "" {
		t.Errorf("got %v", e)
	}
	b.pass(3)
	alice, penalties := b.balance(who("alice")), b.Supply().Pools[economics.PoolPenalties]
	if s := b.stakeOf(who("c1")); s.Offences != 0 {
		t.Error("punished before the window has passed")
	}
	b.pass(1)
	if s := b.stakeOf(who("c1")); s.Offences != 1 || s.Amount != 2_000*frm-required/3 || s.Jailed {
		t.Errorf("got %+v", s)
	}
	if got := b.balance(who("alice")); got != alice+a.Most {
		t.Errorf("the player got %d, the session can have cost %d", got-alice, a.Most)
	}
	if got := b.Supply().Pools[economics.PoolPenalties]; got < penalties+required/3/4 {
		t.Errorf("penalties got %d", got-penalties)
	}
	if got := b.standingOf("c1").PriorityPPM; got != 500_000 {
		t.Errorf("priority %d", got)
	}
	b.end()
}

// TestNobodyIsAccusedWithoutASessionThatCouldGoOn, whatever a committee says.
func TestNobodyIsAccusedWithoutASessionThatCouldGoOn(t *testing.T) {
	settle := func(b *bed, o *tx.OpenSession) {
		b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, nil)))
	}
	for name, c := range map[string]struct {
		play    func(b *bed) (session []byte) // from the first block of epoch 0 on, at 1 s
		accused bool
	}{
		"it settled when it was back": {func(b *bed) []byte {
			o := b.open(b.order(1, 600))
			b.next(13_000) // 4 s into the epoch
			settle(b, o)
			return o.Session
		}, true},
		"its player closed it in the epoch": {func(b *bed) []byte {
			o := b.open(b.order(1, 600))
			b.next(13_000)
			b.must(b.send(who("alice"), closing(o, nil)))
			return o.Session
		}, true}, // before or after it missed the container: the committee knows
		"there was none": {func(b *bed) []byte {
			b.next(13_000)
			name := sessionName(who("alice"), 7)
			return name[:]
		}, false},
		"it was another container's": {func(b *bed) []byte {
			o := b.order(1, 600)
			o.Container = who("c2").raw()
			b.open(o)
			b.next(13_000)
			return o.Session
		}, false},
		"its player closed it in the epoch before": {func(b *bed) []byte {
			o := b.open(b.order(1, 600))
			b.must(b.send(who("alice"), closing(o, nil)))
			b.next(13_000)
			return o.Session
		}, true}, // having complained: this epoch's checkers are the next who could look
		"its player closed it, and it settled when it was back": {func(b *bed) []byte {
			o := b.open(b.order(1, 600))
			b.must(b.send(who("alice"), closing(o, nil)))
			b.next(13_000)
			settle(b, o)
			return o.Session
		}, true},
		"its player closed it, and it settled before a watch could end": {func(b *bed) []byte {
			o := b.open(b.order(1, 600))
			b.must(b.send(who("alice"), closing(o, nil)))
			b.next(9_500)
			settle(b, o)
			b.next(3_000)
			return o.Session
		}, false},
		"it had been settled before": {func(b *bed) []byte {
			o := b.open(b.order(1, 600))
			settle(b, o)
			b.next(13_000)
			return o.Session
		}, false},
		"it was settled before a watch could end": {func(b *bed) []byte {
			o := b.open(b.order(1, 600))
			b.next(9_500) // 0.5 s into the epoch; a watch takes 0.83 s
			settle(b, o)
			b.next(3_000)
			return o.Session
		}, false},
		"its seconds had run out": {func(b *bed) []byte {
			o := b.open(b.order(1, 9))
			b.next(13_000)
			return o.Session
		}, false},
		"it began when votes were due": {func(b *bed) []byte {
			b.next(14_000)
			o := b.open(b.order(1, 600))
			return o.Session
		}, false},
		"the committee names nothing": {func(b *bed) []byte {
			b.open(b.order(1, 600))
			b.next(13_000)
			return nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newRounds(t)
			session := c.play(b)
			b.certify(1, b.on(1, "c1", gone(session)))
			if _, ok := b.accusation(droppedID(1)); ok != c.accused {
				t.Errorf("accused: %v", ok)
			}
			if got := b.lastVerdict(who("c1").node()).Verdict == VerdictAccused; got != c.accused {
				t.Errorf("remembered: %v", got)
			}
			b.end()
		})
	}
}

// TestWhoClosesWhatItMissesLosesNothingByIt: whatever a player does to have its money back after
// its complaint, the container is accused as it would have been, settles for the same or not, and
// the victim gets no more. The result is about epoch 2.
func TestWhoClosesWhatItMissesLosesNothingByIt(t *testing.T) {
	// times are ms after the session was opened, 1 s into epoch 0; 0 = never
	story := func(seconds uint32, closes, settles uint64) (accused bool, most uint64) {
		b := newRounds(t, func(p *genesis.Plan) { p.Params.ChallengeEpochs, p.Params.AppealEpochs = 1, 20 })
		o := b.open(b.order(1, seconds))
		at := uint64(0)
		until := func(ms uint64) { b.next(ms - at); at = ms }
		steps := []struct {
			ms uint64
			do func() error
		}{
			{closes, func() error { return b.send(who("alice"), closing(o, promise(who("alice"), o, 1, 3))) }},
			{settles, func() error {
				return b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(who("alice"), o, 2, 4)))
			}},
		}
		if settles < closes && settles != 0 {
			steps[0], steps[1] = steps[1], steps[0]
		}
		for _, s := range steps {
			if s.ms != 0 {
				until(s.ms)
				_ = s.do() // what is settled is closed no more
			}
		}
		until(26_000) // votes on epoch 2 are due at 24.5 s
		b.certify(2, b.on(2, "c1", gone(o.Session)))
		a, accused := b.accusation(droppedID(2))
		b.end()
		return accused, a.Most
	}
	for _, seconds := range []uint32{18, 600} { // 18: run out before epoch 2
		for _, settles := range []uint64{0, 15_000, 19_400, 21_000, 25_000} {
			accused, most := story(seconds, 0, settles)
			if want := seconds == 600 && (settles == 0 || settles > 20_000); accused != want {
				t.Fatalf("%d s, settled at %d: accused %v", seconds, settles, accused)
			}
			for _, closes := range []uint64{9_100, 12_000, 18_900, 20_500, 24_000} { // in epochs 1 and 2
				if got, more := story(seconds, closes, settles); got != accused || more > most {
					t.Errorf("%d s, settled at %d, closed at %d: accused %v for at most %d, and %v for %d without that", seconds, settles, closes, got, more, accused, most)
				}
			}
			// Closed in epoch 0: the player had ended it long before.
			if got, _ := story(seconds, 5_000, settles); got {
				t.Errorf("%d s, settled at %d: accused for a session that was closed two epochs before", seconds, settles)
			}
		}
	}
	// The window ends before the certificate comes: nobody answered.
	b := newRounds(t, func(p *genesis.Plan) { p.Params.ChallengeEpochs, p.Params.AppealEpochs = 1, 20 })
	o := b.open(b.order(1, 600))
	b.next(5_000)
	b.must(b.send(who("alice"), closing(o, nil))) // in epoch 0: it settles with the first block of epoch 2
	b.next(8_000)                                 // a block of epoch 1 draws its checkers
	b.next(6_500)
	if _, ok := b.sessionOf(o); ok {
		t.Fatal("the window has not ended")
	}
	b.certify(1, b.on(1, "c1", gone(o.Session)))
	if a, ok := b.accusation(droppedID(1)); !ok || a.Most != 5*testRate { // from 1 s to 6 s, when it was closed
		t.Errorf("accused %v, %+v", ok, a)
	}
	b.end()
}

// TestAwaits: from which sessions a container can be missed.
func TestAwaits(t *testing.T) {
	player := who("alice").address()
	s := Session{Player: player, Seconds: 60, OpenedMS: 1_000_000, Phase: PhaseOpen}
	closed := func(at uint64) Session {
		s := s
		s.Phase, s.ClosingMS = PhaseClosing, at
		return s
	}
	for name, c := range map[string]struct {
		s        Session
		player   key.Address
		promised uint32
		now      uint64
		want     bool
	}{
		"it runs":                         {s, player, 30, 1_031_000, true},
		"its last second":                 {s, player, 59, 1_059_999, true},
		"its seconds have run out":        {s, player, 30, 1_060_000, false},
		"all of it is promised":           {s, player, 60, 1_031_000, false},
		"another's":                       {s, key.Address{1}, 30, 1_031_000, false},
		"closed since":                    {closed(1_020_000), player, 30, 1_031_000, true},
		"closed just then":                {closed(1_010_000), player, 30, 1_031_000, true},
		"closed before":                   {closed(1_009_999), player, 30, 1_031_000, false},
		"closed since, and has run out":   {closed(1_020_000), player, 30, 1_060_000, false},
		"closed since, and is all played": {closed(1_020_000), player, 60, 1_031_000, false},
	} {
		if got := c.s.Awaits(c.player, c.promised, c.now, 1_010_000); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestOneWayOutIsOneOffence: of all that ran when it went, one session is held against it; one
// that was opened later is another matter.
func TestOneWayOutIsOneOffence(t *testing.T) {
	b := newRounds(t, func(p *genesis.Plan) { p.Params.AppealEpochs = 20 })
	first, second := b.open(b.order(1, 600)), b.open(b.order(2, 600))
	b.next(16_000)
	b.certify(1, b.on(1, "c1", gone(first.Session)))
	b.pass(1)
	b.certify(2, b.on(2, "c1", gone(second.Session)))
	if _, ok := b.accusation(droppedID(2)); ok {
		t.Error("twice for one way out")
	}
	later := b.open(b.order(3, 600))
	b.pass(1)
	b.certify(3, b.on(3, "c1", gone(later.Session)))
	if _, ok := b.accusation(droppedID(3)); !ok {
		t.Error("once and never again")
	}
	b.pass(1)
	b.certify(4, b.on(4, "c1", gone(later.Session)))
	if _, ok := b.accusation(droppedID(4)); ok {
		t.Error("twice for one session")
	}
	b.end()
}

// TestNobodyIsAccusedOfADropByThoseWhoFoundNone: who attests only what others say accuses
// nobody, since nobody would answer for it.
func TestNobodyIsAccusedOfADropByThoseWhoFoundNone(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	o := b.open(b.order(1, 600))
	b.next(6_500)
	e := gone(o.Session)
	e.Found = 0b011
	r := b.result(1, 0, b.on(1, "c1", e))
	b.must(b.send(who("alice"), b.certificateBy(r, b.drawn(1).Batches[0].Committee[1:]...)))
	if a, ok := b.accusation(droppedID(1)); !ok || len(a.Answer()) != 1 || a.Answer()[0] != b.drawn(1).Batches[0].Committee[1] {
		t.Errorf("one who found it attests: %+v", a)
	}
	b.end()

	b = newRounds(t)
	b.pass(1)
	o = b.open(b.order(1, 600))
	b.next(6_500)
	e = gone(o.Session)
	e.Found = 0b001
	b.must(b.send(who("alice"), b.certificateBy(b.result(1, 0, b.on(1, "c1", e)), b.drawn(1).Batches[0].Committee[1:]...)))
	if _, ok := b.accusation(droppedID(1)); ok {
		t.Error("nobody who attests it has found it")
	}
	b.end()
}

// TestAnAppealOfADropAcquits those whom N + 1 colluders accuse, at their cost: who heard the
// container and only attests what the votes come to was not wrong.
func TestAnAppealOfADropAcquits(t *testing.T) {
	b := newRounds(t, manyCheckers)
	b.pass(1)
	o := b.open(b.order(1, 600))
	b.next(6_500)
	committee := b.drawn(1).Batches[0].Committee
	liars, honest := committee[:2], committee[2]
	e := gone(o.Session)
	e.Found = 0b011
	b.must(b.send(who("alice"), b.certificateBy(b.result(1, 0, b.on(1, "c1", e)), committee...)))
	id := droppedID(1)
	b.must(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	b.pass(1)
	r, members := b.appealAnswer(2, id, proof.Entry{Verdict: proof.VerdictOK})
	wrong := map[key.Node]uint64{}
	for _, n := range liars {
		wrong[n] = b.conductOf(n).WrongTotal
	}
	b.must(b.send(who("alice"), b.certificateBy(r, members[:4]...)))
	if _, ok := b.accusation(id); ok || b.stakeOf(who("c1")).Offences != 0 {
		t.Error("not acquitted")
	}
	for _, n := range liars {
		if b.conductOf(n).WrongTotal != wrong[n]+1 {
			t.Error("whoever accused it was not wrong")
		}
	}
	if got := b.conductOf(honest); got.WrongTotal != 0 {
		t.Errorf("who heard it answers for what others found: %+v", got)
	}
	b.end()
}
