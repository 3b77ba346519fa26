//go:build unix

package worker

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/gpu/segment"
)

// TestPlayIsProvenOverACrash plays, kills the worker, goes on with another, stops it,
// and audits every second that was handed over.
func TestPlayIsProvenOverACrash(t *testing.T) {
	sharedCache(t) // made before the two run beside each other
	for _, module := range []string{testCard, "../app/testdata/ball.wasm"} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			provenOverACrash(t, module)
		})
	}
}

func provenOverACrash(t *testing.T, module string) {
	file := snapshotFile(t)
	spec := realSpec(t, module, sharedCache(t))
	spec.Snapshot, spec.Save = file, []byte("from an earlier session")
	k, err := segment.OpenKeeper(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })

	a := newAudience()
	a.keeper = k
	p := startReal(t, spec, a)
	p.Seat(0, true)
	p.Run()
	a.await(t, "a picture", func() bool { return len(a.units) > 0 })
	for seq := range uint32(20) {
		p.Input(0, state(seq+1, withKey(0x1d)))
	}
	a.await(t, "two seconds and a snapshot", func() bool {
		_, _, ok := file.Newest()
		return ok && len(a.proof) >= 2
	})
	p.Kill()
	a.end(t, p)

	b := newAudience()
	b.keeper = k
	p = startReal(t, spec, b)
	p.Seat(0, true)
	p.Run()
	b.await(t, "a second", func() bool { return len(b.proof) >= 1 && len(b.units) > 70 })
	b.put(func() {}) // what came is seen here
	if err := p.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.end(t, p)
	if a.broken != nil || b.broken != nil {
		t.Fatal(a.broken, b.broken)
	}

	all := slices.Concat(a.proof, b.proof)
	first := b.proof[0]
	if !first.Restored || a.proof[0].Restored || first.Events[0].Kind != segment.EventLeave || b.proof[len(b.proof)-1].Roots.Ticks == 0 {
		t.Errorf("the successor begins with %+v", first)
	}
	for _, states := range [][]uint32{append([]uint32{0}, a.states...), append([]uint32{first.Number}, b.states...)} {
		if len(states) < 2 || states[1] != states[0] || slices.ContainsFunc(states[2:], func(n uint32) bool { return n%segment.StateEvery != 0 }) {
			t.Errorf("states of seconds %v, beginning with %d", states[1:], states[0])
		}
	}
	if !slices.ContainsFunc(a.proof, func(s segment.Second) bool { return s.Roots.State == first.Start }) {
		// Only a crash between a second's end and its report lets it begin elsewhere.
		t.Logf("second %d begins with a state whose second was never reported", first.Number)
	}
	heard := 0
	for i, s := range all {
		heard += len(s.Messages(0))
		if !s.Bound() || i > 0 && s.Number <= all[i-1].Number {
			t.Errorf("second %d after %d", s.Number, all[max(i, 1)-1].Number)
		}
		if i > 0 && !s.Restored && s.Start != all[i-1].Roots.State {
			t.Errorf("second %d does not begin where the one before ended", s.Number)
		}
	}
	if heard == 0 {
		t.Error("no message of the player is in the record")
	}
	code, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	auditor := segment.Auditor{CacheDir: spec.CacheDir}
	for _, part := range [][]segment.Second{a.proof, b.proof} {
		w, err := k.Window(part[0].Number, len(part))
		if err != nil {
			t.Fatal(err)
		}
		claimed := w.Claimed()
		if v, err := auditor.Audit(context.Background(), code, w, claimed); err != nil || v.Bad() {
			t.Errorf("from second %d: %v %v", part[0].Number, v, err)
		}
		claimed[len(claimed)-1].State[0] ^= 1
		if v, err := auditor.Audit(context.Background(), code, w, claimed); err != nil || v.FirstBad != len(claimed)-1 {
			t.Errorf("a lie from second %d: %v %v", part[0].Number, v, err)
		}
	}
	for _, s := range slices.Concat(a.stats, b.stats) {
		t.Logf("second of play at tick %d: proof %v, worst tick %v, %d MiB", s.Tick, s.Proof, s.Worst, s.RSS>>20)
	}
}

// TestNumbersOutliveTheirWorker: what a successor finds in the file.
func TestNumbersOutliveTheirWorker(t *testing.T) {
	f := snapshotFile(t)
	s := openSnapshots(f.f, [32]byte{1}, 1)
	if n := s.number(); n != 0 {
		t.Fatalf("an empty file is at second %d", n)
	}
	if err := s.setNumber(7); err != nil {
		t.Fatal(err)
	}
	if err := s.put(auditSlot, 5, 300, []byte("state")); err != nil {
		t.Fatal(err)
	}
	put1(t, s, 1, "one")
	if n := openSnapshots(f.f, [32]byte{2}, 2).number(); n != 7 {
		t.Errorf("second %d", n)
	}
	if b, err := f.auditState(5); err != nil || string(b) != "state" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := f.auditState(15); err == nil {
		t.Error("read another second's state")
	}
	if tick, n, ok := f.Newest(); !ok || tick != 1 || n != 3 {
		t.Error("the auditors' state counts as a snapshot", tick, n, ok)
	}
	if _, err := f.f.WriteAt([]byte{9}, numberAt); err != nil {
		t.Fatal(err)
	}
	if n := s.number(); n != 0 {
		t.Errorf("a torn number reads as %d", n)
	}
}
