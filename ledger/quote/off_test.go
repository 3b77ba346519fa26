package quote_test

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/quote"
)

func TestOff(t *testing.T) {
	type said struct{ rate, made uint64 }
	for _, c := range []struct {
		name    string
		oracles int
		quotes  []said // of oracles 1, 2, 3 …
		off     []int  // which of them
	}{
		{"all agree", 3, []said{{100, now}, {101, now}, {99, now}}, nil},
		{"five per cent are none", 3, []said{{100, now}, {100, now}, {105, now}}, nil},
		{"above", 3, []said{{100, now}, {100, now}, {106, now}}, []int{2}},
		{"below", 3, []said{{94, now}, {100, now}, {100, now}}, []int{0}},
		{"two quotes compare nothing", 2, []said{{100, now}, {200, now}}, nil},
		{"no majority of all oracles", 5, []said{{100, now}, {100, now}, {200, now}}, nil},
		{"two liars of five frame nobody", 5, []said{{200, now}, {200, now}, {100, now}}, nil},
		{"three of five convict two", 5, []said{{100, now}, {100, now}, {100, now}, {200, now}, {300, now}}, []int{3, 4}},
		{"another time is another price", 3, []said{{100, now}, {100, now}, {200, now - 30_001}}, nil},
		{"the same half minute", 3, []said{{100, now}, {100, now}, {200, now - 30_000}}, []int{2}},
		{"a lie of tomorrow", 3, []said{{100, now}, {100, now}, {200, now + 30_000}}, []int{2}},
		{"nobody agrees", 3, []said{{100, now}, {200, now}, {300, now}}, nil},
	} {
		var all []quote.Quote
		for i, s := range c.quotes {
			all = append(all, sign(t, byte(i+1), s.rate, s.made))
		}
		got := quote.Off(all, c.oracles, 30_000)
		if len(got) != len(c.off) {
			t.Errorf("%s: %d are off, want %v", c.name, len(got), c.off)
			continue
		}
		for i, d := range got {
			if d.Quote != all[c.off[i]] || d.Median != 100 {
				t.Errorf("%s: %+v", c.name, d)
			}
		}
	}
	if quote.Off(nil, 0, 1<<63) != nil {
		t.Error("nothing is off")
	}
}
