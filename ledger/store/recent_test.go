package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Whatever was read before, each version says what it says: the working one with its
// changes, the saved ones without, after discarding and rolling back too.
func TestWhatIsRememberedIsWhatTheTreeSays(t *testing.T) {
	s := tree(t, opened(t, t.TempDir(), Options{CacheMiB: 1}))
	draw := rand.New(rand.NewPCG(3, 4))
	type state map[string]string
	working, saved := state{}, map[int64]state{}
	var readers []*Reader
	var of []state
	same := func(what string, get func([]byte) ([]byte, error), want state) {
		t.Helper()
		for i := range 40 {
			key := fmt.Sprintf("key %d", i)
			got, err := get([]byte(key))
			value, there := want[key]
			if err != nil || there != (got != nil) || string(got) != value {
				t.Fatalf("%s: %s is %q, %v, must be %q", what, key, got, err, value)
			}
			clear(got) // it is the caller's own
		}
	}
	for round := range 300 {
		for range draw.IntN(6) {
			key := fmt.Sprintf("key %d", draw.IntN(40))
			if draw.IntN(3) == 0 {
				if err := s.Delete([]byte(key)); err != nil {
					t.Fatal(err)
				}
				delete(working, key)
				continue
			}
			value := fmt.Sprintf("%d of round %d%s", draw.Int(), round, bytes.Repeat([]byte("x"), draw.IntN(2*recentValue)))
			if err := s.Set([]byte(key), []byte(value)); err != nil {
				t.Fatal(err)
			}
			working[key] = value
		}
		same("working", s.Get, working)
		switch n := draw.IntN(12); {
		case n < 8:
			version, _, err := s.Save()
			if err != nil {
				t.Fatal(err)
			}
			saved[version] = state{}
			for k, v := range working {
				saved[version][k] = v
			}
			r, err := s.At(version)
			if err != nil {
				t.Fatal(err)
			}
			readers, of = append(readers, r), append(of, saved[version])
		case n < 10:
			if err := s.Discard(); err != nil {
				t.Fatal(err)
			}
		default:
			back := s.Version() - 1
			if back < 1 {
				continue
			}
			if err := s.Rollback(back); err != nil {
				t.Fatal(err)
			}
			readers, of = nil, nil // of what no longer is
		}
		working = state{}
		for k, v := range saved[s.Version()] {
			working[k] = v
		}
		for i := max(len(readers)-3, 0); i < len(readers); i++ {
			same(fmt.Sprintf("version %d", readers[i].Version()), readers[i].Get, of[i])
		}
	}
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	for i := range 3 * recentMost {
		r.add(fmt.Appendf(nil, "%d", i), []byte("value"), false)
		if len(r.values) > recentMost {
			t.Fatalf("%d values", len(r.values))
		}
	}
	r.forget()
	r.add([]byte("large"), make([]byte, recentValue+1), false)
	if len(r.values) != 0 {
		t.Error("a large one is remembered")
	}
}
