package segment

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func keeper(t *testing.T, dir string, budget int64) *Keeper {
	t.Helper()
	k, err := OpenKeeper(dir, budget)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// keep plays n seconds and keeps them as a session would.
func keep(t *testing.T, k *Keeper, s *session, n int) {
	t.Helper()
	for range n {
		if s.rec.Number()%StateEvery == 0 {
			if err := k.State(s.state()); err != nil {
				t.Fatal(err)
			}
		}
		sec := s.second()
		if err := k.Add(&sec); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *session) state() []byte {
	s.t.Helper()
	st := State{Params: s.p, Number: s.rec.Number(), Seats: s.seats}
	b, err := s.rt.Snapshot(st.AppendHead(nil))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func TestKeptWindowsCanBeAudited(t *testing.T) {
	code := cart(t)
	dir := filepath.Join(t.TempDir(), "session")
	k := keeper(t, dir, 0)
	s := play(t, code, 5, nil)
	keep(t, k, s, 75)
	if k.Next() != 75 {
		t.Fatalf("next is %d", k.Next())
	}
	k.Close()
	// Killed in the middle of a record, and of a state.
	log := logFile{first: 60}
	f, err := os.OpenFile(filepath.Join(dir, log.name()), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte{200, 0, 0, 0, 1, 2, 3, 4, 5}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.WriteFile(filepath.Join(dir, stateName(70)+tempExt), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	// And between packing a log and removing the plain one.
	if err := os.WriteFile(filepath.Join(dir, logFile{first: 0}.name()), []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	k = keeper(t, dir, 0)
	if k.Next() != 75 {
		t.Fatalf("after the kill next is %d", k.Next())
	}
	keep(t, k, s, 10)
	for _, c := range []struct {
		from  uint32
		n     int
		start uint32
	}{{0, 10, 0}, {20, 10, 20}, {57, 6, 50}, {70, 15, 70}, {84, 1, 80}} {
		w, err := k.Window(c.from, c.n)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Seconds[0].Number; got != c.start || w.Seconds[len(w.Seconds)-1].Number != c.from+uint32(c.n)-1 {
			t.Errorf("from %d: begins with %d", c.from, got)
		}
		if v := audit(t, code, through(t, w), w.Claimed()); v.Bad() {
			t.Errorf("from %d: %v", c.from, v)
		}
	}
	for _, c := range []struct {
		from uint32
		n    int
	}{{85, 1}, {80, 6}, {1 << 31, 1}, {0, 0}, {0, 51}, {^uint32(0), 50}} {
		if _, err := k.Window(c.from, c.n); !errors.Is(err, ErrGone) {
			t.Errorf("%d seconds from %d: %v", c.n, c.from, err)
		}
	}
	if sec, err := k.Second(61); err != nil || sec.Number != 61 {
		t.Error(sec.Number, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		if filepath.Ext(e.Name()) == tempExt {
			t.Errorf("%s was left", e.Name())
		}
	}
	if err := k.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestOldStatesAndInputsGo(t *testing.T) {
	dir := t.TempDir()
	k := keeper(t, dir, 8<<10)
	s := play(t, cart(t), 5, nil)
	state := s.state()
	st, err := ParseState(state)
	if err != nil {
		t.Fatal(err)
	}
	sec := s.second()
	for n := range uint32(3000) {
		if n%StateEvery == 0 {
			st.Number = n
			if err := k.State(append(st.AppendHead(nil), st.App...)); err != nil {
				t.Fatal(err)
			}
		}
		sec.Number = n
		if err := k.Add(&sec); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.states) != KeepStates || k.states[0] != 2690 {
		t.Errorf("%d states, the first of %d", len(k.states), k.states[0])
	}
	if _, err := k.Window(2600, 10); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	var total int64
	for _, l := range k.logs {
		total += l.size
	}
	if total > 8<<10+logSeconds*int64(len(appendRecord(nil, &sec))) || len(k.logs) < 2 || k.logs[0].first == 0 {
		t.Errorf("%d logs of %d bytes, from second %d", len(k.logs), total, k.logs[0].first)
	}
	if err := k.Add(&Second{Number: 5}); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// TestRestoredSecondsBeginWindowsOfTheirOwn goes on from an earlier state, as a
// successor of a worker that crashed does.
func TestRestoredSecondsBeginWindowsOfTheirOwn(t *testing.T) {
	code := cart(t)
	k := keeper(t, t.TempDir(), 0)
	s := play(t, code, 5, nil)
	keep(t, k, s, 12)
	back, seats := s.window(), s.seats
	keep(t, k, s, 2)
	snapshot, err := back.unpackState(s.base)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.rt.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	s.seats = seats
	s.record(k.Next(), true)
	if err := k.State(s.state()); err != nil {
		t.Fatal(err)
	}
	keep(t, k, s, 3)
	if _, err := k.Window(10, 6); !errors.Is(err, ErrGone) {
		t.Errorf("a window over a restore: %v", err)
	}
	w, err := k.Window(14, 3)
	if err != nil {
		t.Fatal(err)
	}
	first := w.Seconds[0]
	before, err := k.Second(11)
	if err != nil {
		t.Fatal(err)
	}
	if first.Number != 14 || !first.Restored || first.Start != before.Roots.State {
		t.Errorf("second %d, restored %v: a restore goes back to a state that was committed to", first.Number, first.Restored)
	}
	if v := audit(t, code, w, w.Claimed()); v.Bad() {
		t.Error(v)
	}
}
