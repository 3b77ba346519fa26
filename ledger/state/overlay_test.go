package state

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestOverlayIsAMap runs random reads, writes, nested changes and flushes against plain
// maps: whatever was done, an overlay reads, ranges and flushes like a map would.
func TestOverlayIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := newMemory()
		model := map[string]string{}
		for range rapid.IntRange(0, 200).Draw(t, "base size") {
			k, v := drawKey(t), rapid.StringN(1, 4, 8).Draw(t, "value")
			base.Set([]byte(k), []byte(v))
			model[k] = v
		}
		o := NewOverlay(base)
		var saved []map[string]string
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				k := drawKey(t)
				got, err := o.Get([]byte(k))
				want, ok := model[k]
				if err != nil || (got != nil) != ok || string(got) != want {
					t.Fatalf("get %q: %q %v, want %q %v", k, got, err, want, ok)
				}
			},
			"set": func(t *rapid.T) {
				for range rapid.IntRange(1, 80).Draw(t, "n") {
					k, v := drawKey(t), rapid.StringN(1, 4, 8).Draw(t, "value")
					if err := o.Set([]byte(k), []byte(v)); err != nil {
						t.Fatal(err)
					}
					model[k] = v
				}
			},
			"delete": func(t *rapid.T) {
				k := drawKey(t)
				if err := o.Delete([]byte(k)); err != nil {
					t.Fatal(err)
				}
				delete(model, k)
			},
			"begin": func(t *rapid.T) {
				o.Begin()
				saved = append(saved, maps.Clone(model))
			},
			"commit": func(t *rapid.T) {
				err := o.Commit()
				if (err == nil) != (len(saved) > 0) {
					t.Fatalf("commit with %d open: %v", len(saved), err)
				}
				saved = saved[:max(len(saved)-1, 0)]
			},
			"discard": func(t *rapid.T) {
				err := o.Discard()
				if (err == nil) != (len(saved) > 0) {
					t.Fatalf("discard with %d open: %v", len(saved), err)
				}
				if len(saved) > 0 {
					model, saved = saved[len(saved)-1], saved[:len(saved)-1]
				}
			},
			"range": func(t *rapid.T) {
				from, to := []byte(drawKey(t)), []byte(drawKey(t))
				if rapid.Bool().Draw(t, "to the end") {
					to = nil
				}
				limit := rapid.IntRange(1, 300).Draw(t, "limit")
				var got []string
				if err := o.Range(from, to, func(k, v []byte) bool {
					got = append(got, string(k)+"="+string(v))
					return len(got) < limit
				}); err != nil {
					t.Fatal(err)
				}
				want := within(model, from, to)
				if want = want[:min(len(want), limit)]; !slices.Equal(got, want) {
					t.Fatalf("range %q to %q:\n got %q\nwant %q", from, to, got, want)
				}
			},
			"flush": func(t *rapid.T) {
				before := len(base.writes)
				err := o.Flush(base)
				if (err == nil) != (len(saved) == 0) {
					t.Fatalf("flush with %d open: %v", len(saved), err)
				}
				if err != nil {
					return
				}
				if got, want := within(base.plain(), nil, nil), within(model, nil, nil); !slices.Equal(got, want) {
					t.Fatalf("flushed %q, want %q", got, want)
				}
				if w := base.writes[before:]; !slices.IsSortedFunc(w, func(a, b [2]string) int { return bytes.Compare([]byte(a[0]), []byte(b[0])) }) {
					t.Fatalf("written out of order: %q", w)
				}
			},
		})
	})
}

func drawKey(t *rapid.T) string { return rapid.StringMatching(`[a-d]{1,4}`).Draw(t, "key") }

func (s *memory) plain() map[string]string {
	out := map[string]string{}
	s.Range(nil, nil, func(k, v []byte) bool { out[string(k)] = string(v); return true })
	return out
}

func within(m map[string]string, from, to []byte) []string {
	out := []string{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k >= string(from) && (to == nil || k < string(to)) {
			out = append(out, k+"="+m[k])
		}
	}
	return out
}

func TestOverlayRefusesEmptyValues(t *testing.T) {
	o := NewOverlay(newMemory())
	if err := o.Set([]byte("k"), nil); !errors.Is(err, errValue) {
		t.Fatalf("got %v", err)
	}
}

func TestOverlayPassesErrorsOn(t *testing.T) {
	o := NewOverlay(broken{})
	if _, err := o.Get([]byte("k")); !errors.Is(err, errBroken) {
		t.Fatalf("get: %v", err)
	}
	if err := o.Range(nil, nil, func(_, _ []byte) bool { return true }); !errors.Is(err, errBroken) {
		t.Fatalf("range: %v", err)
	}
	if err := o.Set([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := o.Flush(broken{}); !errors.Is(err, errBroken) {
		t.Fatalf("flush: %v", err)
	}
	if v, err := o.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Fatalf("after a failed flush: %q %v", v, err)
	}
}

var errBroken = errors.New("disk on fire")

type broken struct{}

func (broken) Get([]byte) ([]byte, error)                        { return nil, errBroken }
func (broken) Set(_, _ []byte) error                             { return errBroken }
func (broken) Delete([]byte) error                               { return errBroken }
func (broken) Range(_, _ []byte, _ func(_, _ []byte) bool) error { return errBroken }

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ in, want []byte }{
		{[]byte("a/"), []byte("a0")},
		{[]byte{1, 0xff}, []byte{2}},
		{[]byte{0xff, 0xff}, nil},
		{nil, nil},
	} {
		if got := prefixEnd(c.in); !bytes.Equal(got, c.want) {
			t.Errorf("prefixEnd(%x) = %x, want %x", c.in, got, c.want)
		}
	}
}
