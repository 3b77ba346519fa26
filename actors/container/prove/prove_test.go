package prove

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const chain = "test"

var secret = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))

func setup() Setup {
	s := Setup{Chain: chain, Key: secret, Epoch: 7, Task: [32]byte{1}, Kernel: recompute.New(), Picks: 48,
		T0: 20_000, Until: 30_000, CommitBy: 30_500, Close: 60_000, Backend: "go\x00", Device: "a device"}
	for i := range byte(10) {
		s.Checkers = append(s.Checkers, key.Node{i + 1})
	}
	return s
}

// drawn is a rendering of some frames whose leaves are made up.
type drawn struct{ roots [][32]byte }

func (d *drawn) Roots() [][32]byte { return d.roots }

func (d *drawn) Open(_ context.Context, picks []proof.Pick) (items []*proof.Opening, err error) {
	for _, p := range picks {
		items = append(items, &proof.Opening{Frame: p.Frame, Tile: p.Tile, Leaf: d.roots[p.Frame][:]})
	}
	return items, nil
}

func some(frames int) *drawn {
	d := new(drawn)
	for i := range frames {
		d.roots = append(d.roots, sha256.Sum256([]byte{byte(i)}))
	}
	return d
}

// reopener is a Renderer that only reopens.
type reopener struct{}

func (reopener) Render(context.Context, Render) (Rendering, error) { return nil, errors.ErrUnsupported }
func (reopener) Reopen(_ Render, roots [][32]byte) Rendering       { return &drawn{roots} }

func of[T Action](todo []Action) (all []T) {
	for _, a := range todo {
		if x, ok := a.(T); ok {
			all = append(all, x)
		}
	}
	return all
}

func begin(t testing.TB, s Setup) *Prover {
	t.Helper()
	p, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func committedTo(t testing.TB, frames int) *Prover {
	p := begin(t, setup())
	p.At(20_000)
	if got := of[Send](p.Rendered(30_010, some(frames))); len(got) != 10 {
		t.Fatalf("sent to %d", len(got))
	}
	return p
}

func TestRendersCommitsAndSendsUntilAllHaveIt(t *testing.T) {
	p := begin(t, setup())
	if got := p.At(5_000); !slices.Equal(got, []Action{Wake{20_000}}) {
		t.Fatal(got)
	}
	r := of[Render](p.At(20_000))
	if len(r) != 1 || r[0].UntilMS != 30_000 || r[0].Task != [32]byte{1} || r[0].Container != key.Node(secret[32:]) {
		t.Fatal(r)
	}
	sent := of[Send](p.Rendered(30_010, some(3)))
	c := sent[0].Commit.Statement.GetCommit()
	if len(sent) != 10 || c.GetFrames() != 3 || c.GetKernel() != kernel.Name || c.GetBackend() != "go" || c.GetDevice() != "a device" {
		t.Fatal(len(sent), c)
	}
	if p.Samples() != 3*kernel.Sizes()[0].Samples() {
		t.Error(p.Samples())
	}
	for i := range byte(9) {
		p.Answered(key.Node{i + 1})
	}
	again := of[Send](p.At(31_000))
	if len(again) != 1 || again[0].To != (key.Node{10}) || again[0].Commit != sent[0].Commit {
		t.Fatal(again)
	}
	n := 0
	for now := uint64(31_000); now < 100_000; now += 500 {
		n += len(of[Send](p.At(now)))
	}
	if n == 0 || n > sends {
		t.Errorf("sent %d times more to one that never answers", n)
	}
}

func TestWokenTooLateStaysOut(t *testing.T) {
	p := begin(t, setup())
	if got := p.At(26_700); got != nil || p.Committed() != nil {
		t.Error(got)
	}
	if got := p.Rendered(30_000, some(3)); got != nil {
		t.Error("commits to what nobody asked for")
	}
}

// TestRendersWhatIsLeftOfTheWindow from when it is told of the task, and to its end.
func TestRendersWhatIsLeftOfTheWindow(t *testing.T) {
	for _, now := range []uint64{20_001, 22_100, 26_600} {
		p := begin(t, setup())
		if r := of[Render](p.At(now)); len(r) != 1 || r[0].UntilMS != 30_000 {
			t.Errorf("at %d: %v", now, r)
		}
	}
}

func TestNothingRenderedNothingSaid(t *testing.T) {
	p := begin(t, setup())
	p.At(20_000)
	if got := p.Rendered(30_000, some(0)); got != nil || p.Committed() != nil {
		t.Error(got)
	}
}

func TestBusyAnswersInsteadOfRendering(t *testing.T) {
	session := bytes.Repeat([]byte{3}, 16)
	p := begin(t, setup())
	p.At(20_000)
	todo := p.Busy(22_000, session, nil)
	if len(of[Stop](todo)) != 1 || !slices.Contains(todo, Action(Wake{25_000})) || p.Committed() != nil {
		t.Fatal("checkers may not know their duty yet", todo)
	}
	if todo = p.At(25_000); len(of[Send](todo)) != 10 {
		t.Fatal(todo)
	}
	if got := p.Committed().Statement.GetCommit(); !bytes.Equal(got.GetBusy().GetSession(), session) || got.GetFrames() != 0 {
		t.Error(got)
	}
	if got := p.Rendered(30_000, some(3)); got != nil {
		t.Error("a second commitment")
	}
	// A session that ended before the round leaves no trace, one that begins after it neither.
	p = begin(t, setup())
	p.Busy(10_000, session, nil)
	p.Busy(11_000, nil, nil)
	if len(of[Render](p.At(20_000))) != 1 {
		t.Error("does not render")
	}
	p.Rendered(30_000, some(1))
	if got := p.Busy(31_000, session, nil); got != nil {
		t.Error("a second commitment")
	}
	// One that begins after the middle is told of at once.
	p = begin(t, setup())
	p.At(20_000)
	if todo = p.Busy(27_000, session, nil); len(of[Stop](todo)) != 1 || len(of[Send](todo)) != 10 {
		t.Error(todo)
	}
	// After one that ended early in the window, the rest of it is rendered in.
	p = begin(t, setup())
	p.At(20_000)
	p.Busy(21_000, session, nil)
	if r := of[Render](p.Busy(23_000, nil, nil)); len(r) != 1 || r[0].UntilMS != 30_000 {
		t.Error(r)
	}
	if got := p.Busy(23_250, nil, nil); got != nil {
		t.Error("rendering begins twice", got)
	}
	p = begin(t, setup())
	p.Busy(10_000, []byte("no session"), nil)
	if got := p.At(25_000); got != nil || p.Err() == nil {
		t.Error(got, p.Err())
	}
}

func TestQuestions(t *testing.T) {
	p := committedTo(t, 3)
	picks := []proof.Pick{{Frame: 2, Tile: 15}, {Frame: 0, Tile: 1}}
	digest := p.Committed().Digest
	many := make([]proof.Pick, 49)
	for name, c := range map[string]struct {
		at     uint64
		from   key.Node
		commit [32]byte
		picks  []proof.Pick
		want   error
	}{
		"by a stranger":            {31_000, key.Node{99}, digest, picks, ErrAsker},
		"about another commitment": {31_000, key.Node{1}, [32]byte{1}, picks, ErrQuestion},
		"about nothing":            {31_000, key.Node{1}, digest, nil, ErrQuestion},
		"about too much":           {31_000, key.Node{1}, digest, many, ErrQuestion},
		"about a frame too far":    {31_000, key.Node{1}, digest, []proof.Pick{{Frame: 3}}, ErrQuestion},
		"about a tile too far":     {31_000, key.Node{1}, digest, []proof.Pick{{Tile: 16}}, ErrQuestion},
		"too late":                 {60_001, key.Node{1}, digest, picks, ErrNoCommit},
	} {
		if _, err := p.Ask(c.at, c.from, c.commit, c.picks); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range answers {
		a, err := p.Ask(31_000, key.Node{2}, digest, picks)
		if err != nil {
			t.Fatal(err)
		}
		o, err := a.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		says := o.Statement.GetOpenings()
		if len(says.GetItems()) != 2 || says.GetItems()[0].GetFrame() != 2 || len(says.GetRoots()) != 3 || says.GetChecker()[0] != 2 {
			t.Error(says)
		}
	}
	if _, err := p.Ask(31_000, key.Node{2}, digest, picks); !errors.Is(err, ErrAsked) {
		t.Error("answers without end:", err)
	}
	if _, err := p.Ask(31_000, key.Node{3}, digest, picks); err != nil {
		t.Error(err)
	}
	if _, err := p.Ask(31_000, key.Node{3}, digest, picks[:1]); !errors.Is(err, ErrAsked) {
		t.Error("another question:", err)
	}
	if _, err := begin(t, setup()).Ask(31_000, key.Node{1}, digest, picks); !errors.Is(err, ErrNoCommit) {
		t.Error(err)
	}
}

func TestRestartKeepsTheCommitment(t *testing.T) {
	p := committedTo(t, 3)
	data, err := p.Save()
	if err != nil {
		t.Fatal(err)
	}
	q, err := Restore(setup(), reopener{}, data)
	if err != nil {
		t.Fatal(err)
	}
	sent := of[Send](q.At(30_020))
	if len(sent) != 10 || sent[0].Commit.Digest != p.Committed().Digest || of[Render](q.At(20_000)) != nil {
		t.Error(sent)
	}
	if _, err := q.Ask(31_000, key.Node{1}, p.Committed().Digest, []proof.Pick{{Frame: 1, Tile: 1}}); err != nil {
		t.Error(err)
	}
	if again, _ := q.Save(); !bytes.Equal(again, data) {
		t.Errorf("%s\n%s", data, again)
	}
	other := setup()
	other.Epoch = 8
	if _, err := Restore(other, reopener{}, data); !errors.Is(err, ErrSaved) {
		t.Error(err)
	}
	if _, err := Restore(setup(), reopener{}, bytes.Replace(data, []byte(`"roots":["`), []byte(`"roots":["AAAA`), 1)); !errors.Is(err, ErrSaved) {
		t.Error(err)
	}
	fresh, err := begin(t, setup()).Save()
	if err != nil {
		t.Fatal(err)
	}
	if q, err = Restore(setup(), reopener{}, fresh); err != nil || len(of[Render](q.At(20_000))) != 1 {
		t.Error("a restart before the round keeps the container out:", err)
	}
}

// TestAheadFollowsTheMedian of what checkers stamp, so that some of them can say what they
// like.
func TestAheadFollowsTheMedian(t *testing.T) {
	p := committedTo(t, 3)
	for i := range byte(10) {
		stamp := uint64(30_010 + 1_500 + 20) // their clocks are 1.5 s ahead, the way takes 20 ms
		if i < 4 {
			stamp = 1 << 50
		}
		p.Stamped(key.Node{i + 1}, 30_010, 30_050, stamp)
	}
	if got := p.Ahead(); got != 1_500 {
		t.Fatal(got)
	}
	s := setup()
	s.Ahead = 1_500
	q := begin(t, s)
	if got := q.At(5_000); !slices.Equal(got, []Action{Wake{18_500}}) {
		t.Error(got)
	}
	if r := of[Render](q.At(18_500)); len(r) != 1 || r[0].UntilMS != 28_500 {
		t.Error(r)
	}
	p = committedTo(t, 3)
	p.Stamped(key.Node{1}, 30_010, 30_050, 90_000_000)
	if got := p.Ahead(); got != 0 {
		t.Errorf("one of ten moves the clock by %d", got)
	}
}

func TestClassSuitsTheDevice(t *testing.T) {
	k := recompute.New()
	for _, c := range []struct {
		rate, ms uint64
		want     uint32
	}{{0, 10_000, 0}, {100_000, 10_000, 0}, {10_000_000, 10_000, 3}, {10_000_000, 1_500, 2}, {1_000_000_000, 10_000, 6}, {1 << 60, 10_000, 7}} {
		got := Class(k, c.rate, c.ms)
		if got != c.want {
			t.Errorf("rate %d for %d ms: size %d, want %d", c.rate, c.ms, got, c.want)
		}
		_, samples, _ := k.Shape(got)
		if got > 0 && c.rate < 1<<50 && samples*1000/c.rate > min(200, c.ms/16) {
			t.Errorf("a frame takes %d ms", samples*1000/c.rate)
		}
	}
}

func TestSetupIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Setup){
		"no key":          func(s *Setup) { s.Key = nil },
		"no kernel":       func(s *Setup) { s.Kernel = nil },
		"no chain":        func(s *Setup) { s.Chain = "" },
		"no window":       func(s *Setup) { s.Until = s.T0 },
		"closes too soon": func(s *Setup) { s.Close = s.T0 },
	} {
		s := setup()
		change(&s)
		if _, err := New(s); !errors.Is(err, ErrSetup) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	data, err := committedTo(f, 3).Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	s := setup()
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Restore(s, reopener{}, data)
		if err != nil {
			if !errors.Is(err, ErrSaved) {
				t.Fatal(err)
			}
			return
		}
		p.At(20_000)
		p.At(30_600)
	})
}
