package amount_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/amount"
)

func TestSupplyFits(t *testing.T) {
	if amount.Supply != 4_200_000_000_000_000_000 || uint64(amount.Supply) > 1<<63-1 {
		t.Fatalf("supply is %d", uint64(amount.Supply))
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]amount.Amount{
		"0": 0, "0.00000001": 1, "1": amount.FRM, "12.5": 1_250_000_000, "0.1": 10_000_000,
		"1334.22": 133_422_000_000, "42000000000": amount.Supply, "41999999999.99999999": amount.Supply - 1,
	} {
		got, err := amount.Parse(text)
		if err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, uint64(got), err, uint64(want))
		}
		if got.String() != text {
			t.Errorf("%d is written %s; want %s", uint64(got), got, text)
		}
	}
	for text, want := range map[string]amount.Amount{"12.50": 1_250_000_000, "007": 7 * amount.FRM, "1.00000000": amount.FRM} {
		if got, err := amount.Parse(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, uint64(got), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", ".", "1.", ".5", "-1", "+1", " 1", "1 ", "1e3", "1,5", "1_000", "0x10", "1.2.3", "٣", "1.-5",
		"0.000000001", "42000000000.00000001", "42000000001", "18446744073709551616", "99999999999999999999999999",
		"FRM", "NaN", "Inf", strings.Repeat("9", 10_000), strings.Repeat("0", 10_000) + "1",
	} {
		got, err := amount.Parse(text)
		if !errors.Is(err, amount.ErrAmount) || got != 0 {
			t.Errorf("%.40q is %d, %v", text, uint64(got), err)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%.40q: an error of %d bytes", text, len(err.Error()))
		}
	}
}

func TestTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := amount.Amount(rapid.Uint64Range(0, uint64(amount.Supply)).Draw(t, "amount"))
		if b, err := amount.Parse(a.String()); err != nil || a != b {
			t.Fatalf("%d is written %s and read %d, %v", uint64(a), a, uint64(b), err)
		}
	})
}

func TestMulDiv(t *testing.T) {
	const most = 1<<64 - 1
	for _, c := range []struct{ a, b, c, q, r, up uint64 }{
		{0, 5, 1, 0, 0, 0},
		{7, 3, 2, 10, 1, 11},
		{6, 3, 2, 9, 0, 9},
		{most, most, most, most, 0, most},
		{most, 2, 3, 12297829382473034410, 0, 12297829382473034410},
		{1, 1, most, 0, 1, 1},
	} {
		q, r, err := amount.MulDiv(c.a, c.b, c.c)
		if err != nil || q != c.q || r != c.r {
			t.Errorf("%d·%d/%d = %d rest %d, %v", c.a, c.b, c.c, q, r, err)
		}
		if up, err := amount.MulDivUp(c.a, c.b, c.c); err != nil || up != c.up {
			t.Errorf("⌈%d·%d/%d⌉ = %d, %v", c.a, c.b, c.c, up, err)
		}
	}
	for _, c := range [][3]uint64{{1, 1, 0}, {0, 0, 0}, {most, 2, 1}, {1 << 63, 4, 2}} {
		if _, _, err := amount.MulDiv(c[0], c[1], c[2]); !errors.Is(err, amount.ErrOverflow) {
			t.Errorf("%v: %v", c, err)
		}
		if _, err := amount.MulDivUp(c[0], c[1], c[2]); !errors.Is(err, amount.ErrOverflow) {
			t.Errorf("%v rounded up: %v", c, err)
		}
	}
	// (2^126 − 1)/2^62 is a little less than 2^64: only rounding up overflows.
	if _, err := amount.MulDivUp(1<<63+1, 1<<63-1, 1<<62); !errors.Is(err, amount.ErrOverflow) {
		t.Errorf("rounding up past 64 bits: %v", err)
	}
}

// MulDiv agrees with big integers wherever the result fits, and says so where not.
func TestMulDivIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b"), rapid.Uint64Min(1).Draw(t, "c")
		n := new(big.Int).Mul(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b))
		q, r := n.QuoRem(n, new(big.Int).SetUint64(c), new(big.Int))
		gotQ, gotR, err := amount.MulDiv(a, b, c)
		if !q.IsUint64() {
			if !errors.Is(err, amount.ErrOverflow) {
				t.Fatalf("%d·%d/%d: %v", a, b, c, err)
			}
			return
		}
		if err != nil || gotQ != q.Uint64() || gotR != r.Uint64() {
			t.Fatalf("%d·%d/%d = %d rest %d, %v; want %d rest %d", a, b, c, gotQ, gotR, err, q, r)
		}
		up, err := amount.MulDivUp(a, b, c)
		if r.Sign() > 0 {
			q.Add(q, big.NewInt(1))
		}
		if q.IsUint64() != (err == nil) || (err == nil && up != q.Uint64()) {
			t.Fatalf("⌈%d·%d/%d⌉ = %d, %v; want %d", a, b, c, up, err, q)
		}
	})
}

func TestAddSub(t *testing.T) {
	if s, err := amount.Amount(1).Add(2); err != nil || s != 3 {
		t.Errorf("1 + 2 = %d, %v", uint64(s), err)
	}
	if _, err := amount.Amount(1<<64 - 1).Add(1); !errors.Is(err, amount.ErrOverflow) {
		t.Errorf("overflow: %v", err)
	}
	if d, ok := amount.Amount(3).Sub(3); !ok || d != 0 {
		t.Errorf("3 − 3 = %d, %v", uint64(d), ok)
	}
	if _, ok := amount.Amount(2).Sub(3); ok {
		t.Error("2 − 3 is an amount")
	}
}

// FuzzParse: whatever Parse takes is written back to something that means the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"12.5", "0.00000001", "42000000000", "1.", "-0", "1e8", "0.000000001", "٣.٥"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := amount.Parse(s)
		if err != nil {
			if !errors.Is(err, amount.ErrAmount) || a != 0 {
				t.Fatalf("%q: %d, %v", s, uint64(a), err)
			}
			return
		}
		if b, err := amount.Parse(a.String()); a > amount.Supply || err != nil || a != b {
			t.Fatalf("%q is %d, written %s and read %d, %v", s, uint64(a), a, uint64(b), err)
		}
	})
}
