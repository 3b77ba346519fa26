package audit_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/container/segments/segmentstest"
	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/stream"
)

// cache holds compiled code between the tests.
var cache string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "framemesh-audit-test")
	if err != nil {
		panic(err)
	}
	cache = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var id = [16]byte{7}

// play is a session on a container and an auditor who looks at it.
type play struct {
	*segmentstest.Play
	t     testing.TB
	store *segments.Store
	log   *segments.Log
	owner *segmentstest.Page
	code  []byte
	terms audit.Terms
}

// start begins a session. ran is the module that really runs, code the one advertised.
func start(t testing.TB, double segments.Double, ran, code []byte, guests ...*segmentstest.Page) *play {
	t.Helper()
	s, err := segments.Open(segments.Options{Dir: t.TempDir(), Chain: "demo", Key: segmentstest.PlayerKey(200), Double: double})
	if err != nil {
		t.Fatal(err)
	}
	p := &play{t: t, store: s, code: code, owner: &segmentstest.Page{Key: segmentstest.PlayerKey(1), Role: stream.RoleOwner, Shift: 40}}
	key := p.owner.Key.Public().(ed25519.PublicKey)
	p.terms = audit.Terms{Chain: "demo", Container: s.Node(), Session: id, App: sha(code), Owner: [32]byte(key), Seconds: 10, Epoch: 3, Seed: [32]byte{1}}
	if p.log, err = s.Begin(segments.About{Session: id, App: sha(code), Player: key}); err != nil {
		t.Fatal(err)
	}
	w := witness.Session{Chain: "demo", Container: s.Node(), ID: id}
	p.Play = segmentstest.Start(t, ran, cache, w, p.log, append([]*segmentstest.Page{p.owner}, guests...)...)
	return p
}

// audit asks for ten seconds and judges the answer.
func (p *play) audit(from uint32) (audit.Finding, *proof.File) {
	p.t.Helper()
	answer, err := p.store.Data(context.Background(), id, from, 10)
	if err != nil {
		p.t.Fatal(err)
	}
	p.terms.From = from
	f, file, err := audit.Audit(context.Background(), p.terms, answer, p.code, segment.Auditor{CacheDir: cache})
	if err != nil {
		p.t.Fatal(err)
	}
	return f, file
}

// convicts reruns a proof file as somebody does who has nothing but the file and the app.
func (p *play) convicts(file *proof.File, second uint32, field string) {
	p.t.Helper()
	if file == nil {
		p.t.Fatal("the finding has no proof")
	}
	b, err := proof.EncodeFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	again, err := proof.ParseFile(b)
	if err != nil {
		p.t.Fatal(err)
	}
	v, err := audit.VerifyFile(context.Background(), again, func([32]byte) ([]byte, error) { return p.code, nil }, segment.Auditor{CacheDir: cache})
	if err != nil || !v.Guilty || v.Second != second || v.Field != field {
		p.t.Errorf("the file gives %+v, %v; want second %d, %s", v, err, second, field)
	}
}

func (p *play) wantEqual(from uint32) audit.Finding {
	p.t.Helper()
	f, file := p.audit(from)
	if f.Outcome != audit.Equal || file != nil || f.Inputs.Applied == 0 || f.Inputs.Proven+f.Inputs.Released != f.Inputs.Applied {
		p.t.Errorf("from second %d: %v: %s %+v", from, f.Outcome, f.Text, f.Inputs)
	}
	return f
}

func TestAnHonestSessionPasses(t *testing.T) {
	code := cart(t)
	p := start(t, segments.Honest, code, code)
	p.Seconds(34)
	for _, from := range []uint32{0, 10, 20} {
		if f := p.wantEqual(from); f.Seconds != 10 {
			t.Errorf("%d seconds were replayed", f.Seconds)
		}
	}
	if f, _ := p.audit(15); f.Outcome != audit.Equal { // answered from second 10 on
		t.Errorf("from second 15: %v: %s", f.Outcome, f.Text)
	}
}

func TestHonestSessionsPassWhateverHappens(t *testing.T) {
	code := cart(t)
	t.Run("lost messages", func(t *testing.T) {
		p := start(t, segments.Honest, code, code)
		p.owner.Lossy = 3
		p.Seconds(14)
		p.wantEqual(0)
	})
	t.Run("two seats", func(t *testing.T) {
		p := start(t, segments.Honest, code, code, &segmentstest.Page{Key: segmentstest.PlayerKey(2), Role: stream.RolePlay, Seat: 1, Shift: 9})
		p.Seconds(14)
		if f := p.wantEqual(0); f.Inputs.Guests == 0 || f.Inputs.Guests >= f.Inputs.Proven {
			t.Errorf("%+v", f.Inputs)
		}
	})
	t.Run("reload", func(t *testing.T) {
		p := start(t, segments.Honest, code, code)
		p.owner.Lossy = 4
		p.Seconds(5)
		p.owner.Reload(p.owner.Sent() + 1<<16)
		p.Seconds(9)
		p.wantEqual(0)
	})
	t.Run("worker restored", func(t *testing.T) {
		p := start(t, segments.Honest, code, code)
		p.Seconds(6)
		b, seats := p.Snapshot()
		p.Seconds(6)
		p.Crash(b, seats)
		p.Seconds(15)
		if f := p.wantEqual(12); !f.Restored {
			t.Error("nobody is told that the first second began anew")
		}
	})
	t.Run("ticks left out and said so", func(t *testing.T) {
		p := start(t, segments.Honest, code, code)
		p.Skip = func(second uint32, tick int) bool { return second == 3 && tick%2 == 0 }
		p.Seconds(14)
		p.wantEqual(0)
	})
	t.Run("a page that signs nothing", func(t *testing.T) {
		p := start(t, segments.Honest, code, code)
		p.owner.Silent = true
		p.Seconds(14)
		if f, _ := p.audit(0); f.Outcome != audit.Unproven || f.Inputs.Proven != 0 || f.Inputs.Applied == 0 {
			t.Errorf("%v: %+v", f.Outcome, f.Inputs)
		}
	})
}

func TestEveryCheaterIsFound(t *testing.T) {
	code := cart(t)
	cases := map[string]struct {
		double segments.Double
		cheat  func(p *play)
		second uint32
		field  string
	}{
		"dropped ticks that are hidden": {segments.Drop, func(p *play) {
			p.Skip = func(second uint32, tick int) bool { return second == 4 && tick >= 50 }
		}, 4, segment.FieldInput},
		"invented input": {segments.Honest, func(p *play) {
			p.Alter = func(e *segment.Event) {
				if e.Kind == segment.EventState {
					e.State[20+0x2c/8] ^= 1 << (0x2c % 8)
				}
			}
		}, 0, audit.FieldPlayer},
		"input behind the recorder": {segments.Honest, func(p *play) {
			p.Cheat = func(in *app.Input) {
				if in.Tick > 200 {
					in.Seats[0].Buttons |= 1
				}
			}
		}, 3, segment.FieldState},
		"state poked": {segments.Poke, func(*play) {}, 3, segment.FieldState},
		"begins elsewhere": {segments.Honest, func(p *play) {
			p.Lie = func(s *segment.Second) {
				if s.Number == 5 {
					s.Start[0]++
					s.Roots.Input = s.InputRoot()
				}
			}
		}, 5, segment.FieldStart},
		"frames of another game": {segments.Honest, func(p *play) {
			p.Lie = func(s *segment.Second) {
				if s.Number == 6 {
					s.Roots.Frame[0]++
				}
			}
		}, 6, segment.FieldFrame},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.double, code, code)
			c.cheat(p)
			p.Seconds(14)
			f, file := p.audit(0)
			if f.Outcome != audit.Wrong || f.FirstBad != c.second || f.Field != c.field || f.Reason == 0 {
				t.Fatalf("%v in second %d, %s: %s", f.Outcome, f.FirstBad, f.Field, f.Text)
			}
			p.convicts(file, c.second, c.field)
		})
	}
	t.Run("another module", func(t *testing.T) {
		other := append([]byte(nil), code...)
		other = append(other, 0, 2, 1, 'x') // a section with a name, which changes nothing but the hash
		p := start(t, segments.Module, other, code)
		p.Seconds(14)
		// The state that it shows is none of the advertised module's, and it signed both.
		for _, from := range []uint32{0, 4} {
			if f, file := p.audit(from); f.Outcome != audit.Wrong || f.Field != audit.FieldApp || f.Reason != proof.ReasonModule || file != nil {
				t.Errorf("from second %d: %v: %s", from, f.Outcome, f.Text)
			}
		}
		p.terms.App = sha(other) // and one that says so, against what was matched
		if f, _ := p.audit(0); f.Outcome != audit.Wrong || f.Field != audit.FieldApp || f.Reason != proof.ReasonModule {
			t.Errorf("against the advertised one: %v, %s", f.Outcome, f.Text)
		}
	})
}

// A window that begins elsewhere than the second before it ended is disproved by the two
// commitments alone.
func TestAWindowBeginsWhereTheOneBeforeEnded(t *testing.T) {
	code := cart(t)
	p := start(t, segments.Honest, code, code)
	p.Lie = func(s *segment.Second) {
		if s.Number == 10 {
			s.Start[0]++
			s.Roots.Input = s.InputRoot()
		}
	}
	p.Seconds(24)
	f, file := p.audit(10)
	if f.Outcome != audit.Wrong || f.Field != segment.FieldStart || f.FirstBad != 10 {
		t.Fatalf("%v: %s", f.Outcome, f.Text)
	}
	p.convicts(file, 10, segment.FieldStart)
}

// An input that was sent once is not applied again, though its player signed it.
func TestAnInputIsNotUsedTwice(t *testing.T) {
	code := cart(t)
	p := start(t, segments.Honest, code, code)
	var kept segment.Event
	n := 0
	p.Alter = func(e *segment.Event) {
		if e.Kind != segment.EventState {
			return
		}
		if n++; n == 9 {
			kept = *e
		}
		if n == 12 {
			seq := e.State
			*e = segment.Event{Tick: e.Tick, Seat: e.Seat, Kind: e.Kind, State: kept.State}
			copy(e.State[4:8], seq[4:8])
		}
	}
	p.Seconds(14)
	if f, _ := p.audit(0); f.Outcome != audit.Wrong || f.Field != audit.FieldPlayer {
		t.Errorf("%v: %s", f.Outcome, f.Text)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	code := cart(t)
	p := start(t, segments.Honest, code, code)
	p.Seconds(24)
	answer, err := p.store.Data(context.Background(), id, 10, 10)
	if err != nil {
		t.Fatal(err)
	}
	p.terms.From = 10
	for name, change := range map[string]func(a *proof.AuditData){
		"another session":       func(a *proof.AuditData) { a.Session[0]++ },
		"no window":             func(a *proof.AuditData) { a.Window = nil },
		"another second":        func(a *proof.AuditData) { a.From++ },
		"one commitment less":   func(a *proof.AuditData) { a.Segments = a.Segments[1:] },
		"commitments swapped":   func(a *proof.AuditData) { a.Segments[2], a.Segments[3] = a.Segments[3], a.Segments[2] },
		"records held back":     func(a *proof.AuditData) { a.Inputs = nil },
		"a record changed":      func(a *proof.AuditData) { a.Inputs[0][70]++ },
		"the window's state":    func(a *proof.AuditData) { w := mustWindow(t, a); w.Packed = nil; a.Window = w.Append(nil) },
		"an event left out":     func(a *proof.AuditData) { w := mustWindow(t, a); w.Seconds[3].Events = nil; a.Window = w.Append(nil) },
		"seconds of the window": func(a *proof.AuditData) { w := mustWindow(t, a); w.Seconds = w.Seconds[:5]; a.Window = w.Append(nil) },
	} {
		o, err := proof.Decode(append([]byte(nil), answer.Raw...))
		if err != nil {
			t.Fatal(err)
		}
		a := o.Statement.GetAudit()
		change(a)
		o, err = proof.Sign("demo", segmentstest.PlayerKey(200), &proof.Statement{Says: &proof.Statement_Audit{Audit: a}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f, file, err := audit.Audit(context.Background(), p.terms, o, code, segment.Auditor{CacheDir: cache})
		if err != nil || f.Outcome != audit.NotGiven || file != nil {
			t.Errorf("%s: %v, %s, %v", name, f.Outcome, f.Text, err)
		}
	}
	p.terms.Container[0]++
	if f, _, err := audit.Audit(context.Background(), p.terms, answer, code, segment.Auditor{CacheDir: cache}); err != nil || f.Outcome != audit.NotGiven {
		t.Errorf("another container's: %v, %v", f.Outcome, err)
	}
}

func mustWindow(t *testing.T, a *proof.AuditData) segment.Window {
	t.Helper()
	w, err := segment.ParseWindow(a.GetWindow())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A file convicts nobody who did not sign what is wrong.
func TestFilesOfTheInnocent(t *testing.T) {
	code := cart(t)
	module := func([32]byte) ([]byte, error) { return code, nil }
	p := start(t, segments.Poke, code, code)
	p.Seconds(14)
	_, file := p.audit(0)
	ctx := context.Background()
	if _, err := audit.VerifyFile(ctx, &proof.File{}, module, segment.Auditor{CacheDir: cache}); !errors.Is(err, audit.ErrOther) {
		t.Errorf("an empty file: %v", err)
	}
	honest := start(t, segments.Honest, code, code)
	honest.Seconds(14)
	answer, err := honest.store.Data(ctx, id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	a := answer.Statement.GetAudit()
	w := mustWindow(t, a)
	x := file.GetSecond()
	for name, second := range map[string]*proof.Second{
		"honest commitments with a cheater's window": {Subject: x.Subject, Segments: a.GetSegments()[2:4], Proof: x.Proof},
		"other seconds":       {Subject: x.Subject, Segments: a.GetSegments()[4:6], Proof: x.Proof},
		"not one second":      {Subject: x.Subject, Segments: x.Segments, Proof: a.GetWindow()},
		"no window":           {Subject: x.Subject, Segments: x.Segments, Proof: []byte{1}},
		"another container's": {Subject: make([]byte, 32), Segments: x.Segments, Proof: x.Proof},
	} {
		f := &proof.File{Version: 1, Chain: "demo", Seed: make([]byte, 32), Holds: &proof.File_Second{Second: second}}
		if v, err := audit.VerifyFile(ctx, f, module, segment.Auditor{CacheDir: cache}); v.Guilty || err != nil && !errors.Is(err, audit.ErrNoProof) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	// A record that somebody else signed, for inputs that the container did apply.
	forger := segmentstest.PlayerKey(66)
	of := witness.Session{Chain: "demo", Container: honest.store.Node(), ID: id, Player: [32]byte(forger.Public().(ed25519.PublicKey))}
	in, err := of.SignInputs(forger, 1, 1, make([]byte, 8*60))
	if err != nil {
		t.Fatal(err)
	}
	forged := witness.Batch{Player: of.Player, Shift: [4]uint32{40}, Used: [4]bool{true}, Inputs: *in}
	w.Seconds = w.Seconds[1:2]
	f := &proof.File{Version: 1, Chain: "demo", Seed: make([]byte, 32), Holds: &proof.File_Second{Second: &proof.Second{Subject: honest.terms.Container[:],
		Segments: a.GetSegments()[1:3], Inputs: [][]byte{forged.Append(nil)}, Proof: w.Append(nil)}}}
	if v, err := audit.VerifyFile(ctx, f, module, segment.Auditor{CacheDir: cache}); v.Guilty || !errors.Is(err, audit.ErrNoProof) {
		t.Errorf("a forged record: %+v, %v", v, err)
	}
}
