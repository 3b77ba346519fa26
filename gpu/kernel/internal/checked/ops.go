// Package checked is the plain kernel with a watch on every signed operation: it panics
// with an Overflow where a result needs more than 32 bits or a divisor is not one that
// all drivers divide by alike. Tests run it over the whole range of parameters, so that
// also a driver whose overflow wraps differently computes the same bits.
package checked

import "fmt"

//go:generate go run ../checkgen ../plain/plain.go checked.go

// Overflow is what an operation panics with.
type Overflow struct {
	Op   string
	A, B int64
}

// Error names the operation.
func (o Overflow) Error() string { return fmt.Sprintf("checked: %s of %d and %d", o.Op, o.A, o.B) }

func fit(op string, v, a, b int64) int32 {
	if v != int64(int32(v)) {
		panic(Overflow{op, a, b})
	}
	return int32(v)
}

func add(a, b int32) int32 { return fit("sum", int64(a)+int64(b), int64(a), int64(b)) }
func sub(a, b int32) int32 { return fit("difference", int64(a)-int64(b), int64(a), int64(b)) }
func mul(a, b int32) int32 { return fit("product", int64(a)*int64(b), int64(a), int64(b)) }
func neg(a int32) int32    { return fit("negation", -int64(a), int64(a), 0) }

// quo allows the divisors ≥ 1 and ≤ −17.
func quo(a, b int32) int32 {
	if b < 1 && b > -17 {
		panic(Overflow{"quotient", int64(a), int64(b)})
	}
	return a / b
}

func shr(a int32, by uint) int32 {
	if by > 31 {
		panic(Overflow{"shift", int64(a), int64(by)})
	}
	return a >> by
}

func signed(v uint32) int32 { return fit("signed", int64(v), int64(v), 0) }

func unsigned(v int32) uint32 {
	if v < 0 {
		panic(Overflow{"unsigned", int64(v), 0})
	}
	return uint32(v)
}
