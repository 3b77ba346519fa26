// Package amount is money in integers: base units of 10^-8 FRM, 128-bit products, and
// divisions that say which way they round. There are no floats here or above.
package amount

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Amount counts base units.
type Amount uint64

// Units.
const (
	FRM      Amount = 100_000_000                  // base units of one FRM
	Decimals        = 8                            // of the text of an amount
	Supply          = Amount(42_000_000_000) * FRM // all there ever is: 4.2e18 < 2^63
	PPM             = 1_000_000
	BPS             = 10_000
)

// maxText is the longest text that Parse looks at, in bytes.
const maxText = 40

// Errors of this package.
var (
	ErrAmount   = errors.New("amount: not an amount")
	ErrOverflow = errors.New("amount: over the range of 64 bits")
)

// Add returns a + b or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	s, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return 0, ErrOverflow
	}
	return Amount(s), nil
}

// Sub returns a - b; ok is false when b is larger.
func (a Amount) Sub(b Amount) (d Amount, ok bool) {
	if b > a {
		return 0, false
	}
	return a - b, true
}

// MulDiv returns ⌊a·b/c⌋ and the remainder through a 128-bit product. It returns
// ErrOverflow for c = 0 and for a result over 64 bits.
func MulDiv(a, b, c uint64) (quotient, remainder uint64, err error) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c { // also c = 0
		return 0, 0, ErrOverflow
	}
	quotient, remainder = bits.Div64(hi, lo, c)
	return quotient, remainder, nil
}

// MulDivUp returns ⌈a·b/c⌉.
func MulDivUp(a, b, c uint64) (uint64, error) {
	q, r, err := MulDiv(a, b, c)
	if err != nil || r == 0 {
		return q, err
	}
	if q++; q == 0 {
		return 0, ErrOverflow
	}
	return q, nil
}

// String writes the exact amount in FRM without needless zeros: 12.5, 0.00000001, 0.
func (a Amount) String() string {
	whole, part := uint64(a/FRM), uint64(a%FRM)
	if part == 0 {
		return strconv.FormatUint(whole, 10)
	}
	return strconv.FormatUint(whole, 10) + "." + strings.TrimRight(fmt.Sprintf("%08d", part), "0")
}

// Parse reads FRM with at most 8 decimals, exactly: no exponent, sign, space or
// separator. It wraps ErrAmount.
func Parse(s string) (Amount, error) {
	bad := func(why string) (Amount, error) {
		return 0, fmt.Errorf("%w: %.40q %s; write FRM such as 12.5, with at most %d decimals", ErrAmount, s, why, Decimals)
	}
	if len(s) > maxText {
		return bad("is too long")
	}
	whole, part, dot := strings.Cut(s, ".")
	if whole == "" || (dot && part == "") {
		return bad("is no number")
	}
	for _, r := range whole + part {
		if r < '0' || r > '9' {
			return bad("is no number")
		}
	}
	if len(part) > Decimals {
		return bad("is finer than a base unit")
	}
	w, err := strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return bad("is too large")
	}
	p, err := strconv.ParseUint(part+strings.Repeat("0", Decimals-len(part)), 10, 64)
	if err != nil {
		return bad("is no number")
	}
	hi, lo := bits.Mul64(w, uint64(FRM))
	sum, carry := bits.Add64(lo, p, 0)
	if hi != 0 || carry != 0 || Amount(sum) > Supply {
		return bad("is more than there is")
	}
	return Amount(sum), nil
}
