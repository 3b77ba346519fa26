package segment

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

func audit(t *testing.T, code []byte, w Window, claimed []Roots) Verdict {
	t.Helper()
	v, err := auditor().Audit(context.Background(), code, w, claimed)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// through sends a window through its encoding.
func through(t *testing.T, w Window) Window {
	t.Helper()
	got, err := ParseWindow(w.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestHonestPlayIsAsClaimed(t *testing.T) {
	for name, code := range map[string][]byte{"novareef": game(t, "novareef"), "cometcup": game(t, "cometcup"), "cart": cart(t), "latency-30": game(t, "latency-30")} {
		t.Run(name, func(t *testing.T) {
			if raceDetector && name != "cart" && name != "novareef" {
				t.Skip("one game is enough for the race detector, which compiles for half a minute each")
			}
			s := play(t, code, 5, nil)
			from0 := s.play(2)
			later := s.play(3)
			for _, w := range []Window{from0, later} {
				w = through(t, w)
				if v := audit(t, code, w, w.Claimed()); v.Bad() {
					t.Errorf("from second %d: %v", w.Seconds[0].Number, v)
				}
			}
			if later.Seconds[0].Start != from0.Seconds[1].Roots.State {
				t.Error("the seconds do not chain")
			}
			again := play(t, code, 5, nil).play(2)
			for i, r := range again.Claimed() {
				if r != from0.Seconds[i].Roots {
					t.Errorf("second %d: two runs of the same inputs have other roots", i)
				}
			}
			roots, err := auditor().Replay(context.Background(), code, later)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range roots {
				want := later.Seconds[i].Roots
				if r != want {
					t.Errorf("second %d: replayed %+v, recorded %+v", i, r, want)
				}
			}
		})
	}
}

func TestCheatersAreFoundAtTheirFirstSecond(t *testing.T) {
	code := cart(t)
	nova := game(t, "novareef")
	for _, c := range []struct {
		name  string
		code  []byte
		from  int // seconds of honest play before the window
		cheat func(s *session, second int)
		bad   int
		field string
	}{
		{"a key that nobody pressed", nova, 1, func(s *session, n int) {
			s.cheat = func(in *app.Input) {
				if n == 1 && in.Tick%60 > 7 {
					in.Seats[0].SetKey(keyDown, true)
				}
			}
		}, 1, FieldState},
		{"invented inputs, and owned up to", nova, 1, func(s *session, n int) {
			touch := func(in *app.Input) {
				if n == 1 && in.Tick%60 == 7 {
					in.Seats[0].SetKey(keySpace, !in.Seats[0].Key(keySpace))
				}
			}
			s.cheat = touch
			s.lie = func(in *app.Input, _ *app.Frame, _ []int16) { touch(in) }
		}, 1, FieldInput},
		{"another picture", code, 0, func(s *session, n int) {
			s.lie = func(_ *app.Input, f *app.Frame, _ []int16) {
				if n == 1 {
					for i := range f.Pix {
						f.Pix[i] ^= 1
					}
				}
			}
		}, 1, FieldFrame},
		{"silence", code, 0, func(s *session, n int) {
			s.lie = func(_ *app.Input, _ *app.Frame, pcm []int16) {
				if n == 2 {
					clear(pcm)
					pcm[0] = 1
				}
			}
		}, 2, FieldAudio},
		{"one byte of memory", nova, 1, func(s *session, n int) {
			if n == 1 {
				mem, _, _ := s.rt.(app.Viewer).View(nil)
				mem[len(mem)-5] ^= 1
			}
		}, 1, FieldState},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := play(t, c.code, 5, nil)
			for range c.from {
				s.second()
			}
			w := s.window()
			for n := range 3 {
				c.cheat(s, n)
				w.Seconds = append(w.Seconds, s.second())
			}
			claimed := w.Claimed()
			v := audit(t, c.code, through(t, w), claimed)
			if v.FirstBad != c.bad || v.Field != c.field || v.Number != w.Seconds[c.bad].Number || v.Got == v.Claimed {
				t.Fatalf("%+v, want %s of second %d", v, c.field, c.bad)
			}
			proof, err := auditor().Prove(context.Background(), c.code, w, claimed, c.bad)
			if err != nil {
				t.Fatal(err)
			}
			got, err := auditor().VerifySecond(context.Background(), c.code, through(t, proof))
			if err != nil || got.FirstBad != 0 || got.Field != c.field || got.Got != v.Got {
				t.Errorf("the proof alone: %+v %v", got, err)
			}
			// A second that is as claimed makes no proof of fraud.
			if c.bad == 0 {
				return
			}
			if proof, err = auditor().Prove(context.Background(), c.code, w, claimed, 0); err != nil {
				t.Fatal(err)
			}
			if got, err := auditor().VerifySecond(context.Background(), c.code, proof); err != nil || got.Bad() {
				t.Errorf("an honest second: %v %v", got, err)
			}
		})
	}
}

func TestTicksLeftOutAreSeenAndAreNoFraud(t *testing.T) {
	code := cart(t)
	s := play(t, code, 1, nil)
	w := s.window()
	for range 20 {
		s.tick()
	}
	s.rec.Skip(15)
	w.Seconds = append(w.Seconds, s.second())
	s.rec.Skip(1000) // a standstill counts as a second, and no more
	w.Seconds = append(w.Seconds, s.second(), s.second())
	for i, want := range []uint32{45, 0, 60} {
		if got := w.Seconds[i].Roots.Ticks; got != want {
			t.Errorf("second %d has %d ticks, want %d", i, got, want)
		}
	}
	if v := audit(t, code, through(t, w), w.Claimed()); v.Bad() {
		t.Error(v)
	}
	// Dropping a tick and claiming it was played is fraud.
	s = play(t, code, 1, nil)
	w = s.play(2)
	sec := &w.Seconds[1]
	sec.Roots.Ticks--
	sec.Events = trim(sec.Events, uint16(sec.Roots.Ticks))
	sec.Roots.Input = sec.InputRoot()
	if v := audit(t, code, w, w.Claimed()); v.FirstBad != 1 || v.Field != FieldInput {
		t.Error(v)
	}
	sec.Roots.Ticks = 61
	sec.Roots.Input = sec.InputRoot()
	if v := audit(t, code, w, w.Claimed()); v.FirstBad != 1 || v.Field != FieldTicks {
		t.Error(v)
	}
}

func trim(events []Event, ticks uint16) (out []Event) {
	for _, e := range events {
		if e.Tick < ticks {
			out = append(out, e)
		}
	}
	return out
}

func TestAnotherSeedOrModuleIsFoundAtTheStart(t *testing.T) {
	nova := game(t, "novareef")
	w := play(t, nova, 5, nil).play(1)
	// The session ran with another seed than it says: its roots speak of seed 6.
	cheat := play(t, nova, 5, nil)
	cheat.p.Seed = 6
	cheat.record(0, false)
	lied := cheat.play(1)
	lied.Base = false // a delta over an app that it is not
	snapshot := play(t, nova, 5, nil)
	b, err := snapshot.rt.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	if lied.Packed, err = packState(nil, b); err != nil {
		t.Fatal(err)
	}
	if v := audit(t, nova, lied, lied.Claimed()); v.FirstBad != 0 || v.Field != FieldStart {
		t.Errorf("another seed: %v", v)
	}
	// Another module than the one that was promised.
	if _, err := auditor().Audit(context.Background(), cart(t), w, w.Claimed()); !errors.Is(err, ErrModule) {
		t.Errorf("another module: %v", err)
	}
	// A checker who says another seed than the container did proves nothing.
	forged := w
	forged.Params.Seed = 6
	if _, err := auditor().Audit(context.Background(), nova, forged, forged.Claimed()); !errors.Is(err, ErrUnbound) {
		t.Errorf("a forged seed: %v", err)
	}
	// A chain that breaks.
	s := play(t, nova, 5, nil)
	two := s.play(2)
	two.Seconds[1].Start[0] ^= 1
	two.Seconds[1].Roots.Input = two.Seconds[1].InputRoot()
	// A state of another module under the name of the promised one, as who runs the other has.
	foreign := play(t, cart(t), 5, nil)
	foreign.second()
	relabelled := foreign.play(1)
	relabelled.Params.App = sha256.Sum256(nova)
	if _, err := auditor().Audit(context.Background(), nova, relabelled, relabelled.Claimed()); !errors.Is(err, ErrForeign) || !errors.Is(err, ErrUnbound) {
		t.Errorf("a state of another module: %v", err)
	}
	if v := audit(t, nova, two, two.Claimed()); v.FirstBad != 1 || v.Field != FieldStart {
		t.Errorf("a broken chain: %v", v)
	}
}

// TestWhatCommitmentsDoNotVouchForIsNoVerdict forges each part of an honest window:
// none of it may make the container look bad.
func TestWhatCommitmentsDoNotVouchForIsNoVerdict(t *testing.T) {
	code := cart(t)
	s := play(t, code, 5, []byte("saved"))
	s.second()
	other := s.window()
	s.second()
	good := s.play(2)
	claimed := good.Claimed()
	for name, c := range map[string]struct {
		is     error
		change func(w *Window)
	}{
		"another state":     {ErrUnbound, func(w *Window) { w.Packed = other.Packed }},
		"other seats":       {ErrUnbound, func(w *Window) { w.Seats = Seats{} }},
		"another seed":      {ErrUnbound, func(w *Window) { w.Params.Seed++ }},
		"less memory":       {ErrUnbound, func(w *Window) { w.Params.Memory = 1 << 20 }},
		"another save":      {ErrUnbound, func(w *Window) { w.Params.Save = nil }},
		"another machine":   {ErrUnbound, func(w *Window) { w.Params.Arch = "riscv64" }},
		"another message":   {ErrUnbound, func(w *Window) { w.Seconds[0].Events[3].State[20] ^= 4 }},
		"a message less":    {ErrUnbound, func(w *Window) { w.Seconds[1].Events = w.Seconds[1].Events[1:] }},
		"a later message":   {ErrUnbound, func(w *Window) { w.Seconds[0].Events[3].Tick++ }},
		"another number":    {ErrUnbound, func(w *Window) { w.Seconds[0].Number-- }},
		"another tick":      {ErrUnbound, func(w *Window) { w.Seconds[0].Tick++ }},
		"another start":     {ErrUnbound, func(w *Window) { w.Seconds[1].Start[0]++ }},
		"restored":          {ErrUnbound, func(w *Window) { w.Seconds[0].Restored = true }},
		"other tick inputs": {ErrUnbound, func(w *Window) { w.Seconds[0].TickRoot[0]++ }},
		"junk for a state":  {ErrMalformed, func(w *Window) { w.Packed = []byte("junk") }},
		"no seconds":        {ErrMalformed, func(w *Window) { w.Seconds = nil }},
		"a state cut short": {ErrMalformed, func(w *Window) { w.Packed = w.Packed[:len(w.Packed)/2] }},
	} {
		w := good
		w.Seconds = nil
		for _, sec := range good.Seconds {
			sec.Events = append([]Event(nil), sec.Events...)
			w.Seconds = append(w.Seconds, sec)
		}
		c.change(&w)
		v, err := auditor().Audit(context.Background(), code, w, claimed)
		if err == nil || v.Bad() || !errors.Is(err, c.is) {
			t.Errorf("%s: %v %v", name, v, err)
		}
	}
	if v := audit(t, code, good, claimed); v.Bad() {
		t.Error(v)
	}
}

func TestBisect(t *testing.T) {
	for _, n := range []uint32{1, 2, 7, 86400} {
		for _, bad := range []uint32{0, 1, n / 2, n - 1, n} {
			asked := 0
			chain := func(differs bool) func(uint32) ([32]byte, error) {
				return func(i uint32) ([32]byte, error) {
					asked++
					if differs && i >= bad {
						return [32]byte{1, byte(i)}, nil
					}
					return [32]byte{0, byte(i)}, nil
				}
			}
			got, err := Bisect(n, chain(false), chain(true))
			if err != nil || got != min(bad, n) {
				t.Errorf("of %d: %d, want %d: %v", n, got, bad, err)
			}
			if asked > 2*19 {
				t.Errorf("of %d: asked %d times", n, asked)
			}
		}
	}
	boom := errors.New("boom")
	if _, err := Bisect(9, func(uint32) ([32]byte, error) { return [32]byte{}, boom }, nil); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestPortable(t *testing.T) {
	for name, want := range map[string]bool{"novareef": false} {
		if got, err := Portable(game(t, name)); err != nil || got != want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if got, err := Portable(cart(t)); err != nil || !got {
		t.Errorf("a cart of integers: %v %v", got, err)
	}
	if _, err := Portable([]byte("junk")); !errors.Is(err, ErrModule) {
		t.Error(err)
	}
	// The replay refuses what another architecture computed with floats.
	code := game(t, "novareef")
	w := Window{Params: Params{App: sum(code), Arch: "riscv64", Memory: app.DefaultMemory}, Seconds: []Second{{}}}
	if _, err := (Auditor{}).Replay(context.Background(), code, w); !errors.Is(err, ErrArch) {
		t.Error(err)
	}
}

func TestAVerdictTellsItsRootsApart(t *testing.T) {
	v := Verdict{Number: 7, Field: FieldState, Got: [32]byte{0x5d, 0x10, 31: 1}, Claimed: [32]byte{0xa0, 31: 2}}
	if got, want := v.String(), "second 7: the state is 5d10000000000000, claimed was a000000000000000"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	v.Claimed = [32]byte{0x5d, 0x10, 31: 2}
	zeros := strings.Repeat("00", 29)
	if got, want := v.String(), "second 7: the state is 5d10"+zeros+"01, claimed was 5d10"+zeros+"02"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
