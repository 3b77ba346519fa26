package witness

import (
	"errors"
	"testing"
)

// TestGoneIsOfOnePlayerSessionAndNetwork, and of one moment.
func TestGoneIsOfOnePlayerSessionAndNetwork(t *testing.T) {
	s, k := player(7)
	g := Gone{Seconds: 12, AtMS: 1_800_000_012_345}
	s.SignGone(k, &g)
	if err := g.Verify(s); err != nil {
		t.Fatal(err)
	}
	other, _ := player(8)
	elsewhere, apart, atAnother := s, s, s
	elsewhere.Chain += "-2"
	apart.ID[0]++
	atAnother.Container[0]++
	for name, x := range map[string]Session{"player": other, "network": elsewhere, "session": apart, "container": atAnother} {
		if err := g.Verify(x); !errors.Is(err, ErrForged) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Gone){
		"seconds": func(g *Gone) { g.Seconds++ }, "moment": func(g *Gone) { g.AtMS++ }, "signature": func(g *Gone) { g.Signature[5]++ },
	} {
		bad := g
		if change(&bad); !errors.Is(bad.Verify(s), ErrForged) {
			t.Errorf("another %s: %v", name, bad.Verify(s))
		}
	}
	for _, bad := range []Gone{{AtMS: 1}, {Seconds: 1}, {Seconds: 1, AtMS: 1 << 63}} {
		s.SignGone(k, &bad)
		if err := bad.Verify(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
