package quote_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
)

const (
	chain = "testnet"
	now   = 1_767_225_600_000
	age   = 60_000
)

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func address(n byte) key.Address { return key.Address(testKey(n)[ed25519.SeedSize:]) }

func oracles() (out []key.Address) {
	for n := range byte(9) {
		out = append(out, address(n+1))
	}
	return out
}

func sign(t testing.TB, n byte, perUSD, made uint64) quote.Quote {
	t.Helper()
	q, err := quote.Sign(chain, testKey(n), perUSD, made)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQuoteTravelsAndVerifies(t *testing.T) {
	q := sign(t, 1, 100_000_000_000, now)
	b := q.Encode()
	if len(b) != 112 || quote.Size != 112 {
		t.Fatalf("%d bytes", len(b))
	}
	got, err := quote.Decode(b)
	if err != nil || got != q {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := got.Verify(chain); err != nil {
		t.Error(err)
	}
	if err := got.Verify("othernet"); !errors.Is(err, quote.ErrSignature) {
		t.Errorf("on another network: %v", err)
	}
	for n := range len(b) {
		bad := bytes.Clone(b)
		bad[n] ^= 0x10
		if got, err := quote.Decode(bad); err == nil && got.Verify(chain) == nil {
			t.Errorf("byte %d changed, and it passes", n)
		}
	}
	for _, b := range [][]byte{nil, b[:111], append(bytes.Clone(b), 0)} {
		if _, err := quote.Decode(b); !errors.Is(err, quote.ErrDecode) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	for _, perUSD := range []uint64{0, uint64(amount.Supply) + 1, math.MaxUint64} {
		if _, err := quote.Sign(chain, testKey(1), perUSD, now); !errors.Is(err, quote.ErrDecode) {
			t.Errorf("a rate of %d: %v", perUSD, err)
		}
	}
}

func TestMedian(t *testing.T) {
	q := func(n byte, perUSD, made uint64) quote.Quote { return sign(t, n, perUSD, made) }
	for _, c := range []struct {
		name   string
		quotes []quote.Quote
		min    int
		want   uint64
		err    error
	}{
		{"one of one", []quote.Quote{q(1, 5, now)}, 1, 5, nil},
		{"the middle of three", []quote.Quote{q(1, 9, now), q(2, 1, now), q(3, 4, now)}, 3, 4, nil},
		{"the lower middle of two", []quote.Quote{q(1, 9, now), q(2, 1, now)}, 2, 1, nil},
		{"the lower middle of four", []quote.Quote{q(1, 9, now), q(2, 1, now), q(3, 4, now), q(4, 5, now)}, 3, 4, nil},
		{"one liar of three is outvoted", []quote.Quote{q(1, 10, now), q(2, 11, now), q(3, uint64(amount.Supply), now)}, 3, 11, nil},
		{"as old as allowed", []quote.Quote{q(1, 5, now-age)}, 1, 5, nil},
		{"as far ahead as allowed", []quote.Quote{q(1, 5, now+age)}, 1, 5, nil},
		{"a millisecond too old", []quote.Quote{q(1, 5, now-age-1), q(2, 5, now)}, 1, 0, quote.ErrStale},
		{"a millisecond too far ahead", []quote.Quote{q(1, 5, now+age+1)}, 1, 0, quote.ErrStale},
		{"of the beginning of time", []quote.Quote{q(1, 5, 0)}, 1, 0, quote.ErrStale},
		{"of the end of time", []quote.Quote{q(1, 5, math.MaxUint64)}, 1, 0, quote.ErrStale},
		{"two of one oracle", []quote.Quote{q(1, 5, now), q(2, 5, now), q(1, 6, now-1)}, 1, 0, quote.ErrDouble},
		{"of nobody known", []quote.Quote{q(1, 5, now), q(42, 5, now)}, 1, 0, quote.ErrOracle},
		{"too few", []quote.Quote{q(1, 5, now), q(2, 5, now)}, 3, 0, quote.ErrFew},
		{"none", nil, 1, 0, quote.ErrFew},
		{"none, and none needed", nil, 0, 0, quote.ErrFew},
	} {
		got, err := quote.Median(c.quotes, oracles(), now, age, c.min)
		if got != c.want || !errors.Is(err, c.err) || (c.err == nil && err != nil) {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, got, err, c.want, c.err)
		}
	}
	// A young network has no minus.
	if got, err := quote.Median([]quote.Quote{q(1, 5, 0)}, oracles(), 10, age, 1); got != 5 || err != nil {
		t.Errorf("at the beginning of time: %d, %v", got, err)
	}
}

func TestMedianIsBetweenHonestOracles(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(r, "quotes")
		liars := rapid.IntRange(0, (n-1)/2).Draw(r, "liars")
		var qs []quote.Quote
		lo, hi := uint64(math.MaxUint64), uint64(0)
		for i := range n {
			rate := rapid.Uint64Range(1, uint64(amount.Supply)).Draw(r, "rate")
			if i >= liars {
				lo, hi = min(lo, rate), max(hi, rate)
			}
			qs = append(qs, quote.Quote{Oracle: address(byte(i + 1)), PerUSD: rate, MadeMS: now})
		}
		got, err := quote.Median(qs, oracles(), now, age, 1)
		if err != nil || got < lo || got > hi {
			r.Fatalf("%d, %v; honest ones say %d to %d", got, err, lo, hi)
		}
		shuffled := rapid.Permutation(qs).Draw(r, "order")
		if again, err := quote.Median(shuffled, oracles(), now, age, 1); err != nil || again != got {
			r.Fatalf("in another order %d, %v; was %d", again, err, got)
		}
	})
}

func TestFreshPicksWhatMedianCounts(t *testing.T) {
	qs := []quote.Quote{
		sign(t, 1, 5, now-10), sign(t, 1, 6, now), sign(t, 1, 7, now-20),
		sign(t, 2, 8, now-age-1), sign(t, 42, 9, now),
		sign(t, 3, 12, now), sign(t, 3, 11, now), sign(t, 4, 13, now),
	}
	got := quote.Fresh(qs, oracles(), now, age, 9)
	want := []quote.Quote{qs[1], qs[6], qs[7]}
	slices.SortFunc(want, func(a, b quote.Quote) int { return bytes.Compare(a.Oracle[:], b.Oracle[:]) })
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if rate, err := quote.Median(got, oracles(), now, age, 3); rate != 11 || err != nil {
		t.Errorf("%d, %v", rate, err)
	}
	if got := quote.Fresh(qs, oracles(), now, age, 2); !slices.Equal(got, want[:2]) {
		t.Errorf("two of them: %+v", got)
	}
	if got := quote.Fresh(qs, oracles(), now, age, -1); len(got) != 0 {
		t.Errorf("less than none: %+v", got)
	}
}

// FuzzQuote: no bytes make Decode panic, and what it takes is written back the same.
func FuzzQuote(f *testing.F) {
	q, err := quote.Sign(chain, testKey(1), 100_000_000_000, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(q.Encode())
	f.Add(q.Encode()[:111])
	f.Add(make([]byte, quote.Size))
	f.Add(bytes.Repeat([]byte{0xff}, quote.Size))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := quote.Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(q.Encode(), b) {
			t.Fatalf("%x became %x", b, q.Encode())
		}
		if rate, err := quote.Median([]quote.Quote{q}, []key.Address{q.Oracle}, q.MadeMS, 0, 1); err != nil || rate != q.PerUSD {
			t.Fatalf("the median of one is %d, %v", rate, err)
		}
		_ = q.Verify(chain)
	})
}
