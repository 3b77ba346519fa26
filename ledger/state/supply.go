package state

import (
	"fmt"
	"math/bits"

	"github.com/framemesh/framemesh/ledger/economics"
)

const poolCount = int(economics.PoolPenalties) + 1

// Totals are all purses by kind, in base units. Their sum is the supply, always.
type Totals struct {
	Balances  uint64
	Stakes    uint64
	Unbonding uint64
	Vesting   uint64
	Escrow    uint64
	Burned    uint64
	Pools     [poolCount]uint64 // by economics.Pool, the reserve among them
}

// Pool is what a pool holds.
func (t Totals) Pool(p economics.Pool) uint64 {
	if int(p) >= poolCount {
		return 0
	}
	return t.Pools[p]
}

// Reserve is what the reserve holds.
func (t Totals) Reserve() uint64 { return t.Pools[economics.PoolReserve] }

// Sum adds everything up, burned money too; ok is false when it does not fit 64 bits.
func (t Totals) Sum() (sum uint64, ok bool) {
	var carry, c uint64
	for _, v := range []uint64{t.Balances, t.Stakes, t.Unbonding, t.Vesting, t.Escrow, t.Burned} {
		sum, c = bits.Add64(sum, v, 0)
		carry += c
	}
	for _, v := range t.Pools {
		sum, c = bits.Add64(sum, v, 0)
		carry += c
	}
	return sum, carry == 0
}

// Encode writes the record.
func (t Totals) Encode() []byte {
	w := newWriter(8 * (7 + poolCount))
	for _, v := range []uint64{t.Balances, t.Stakes, t.Unbonding, t.Vesting, t.Escrow, t.Burned} {
		w.u64(v)
	}
	w.u16(uint16(poolCount))
	for _, v := range t.Pools {
		w.u64(v)
	}
	return w.b
}

// DecodeTotals reads what Encode wrote. It wraps ErrRecord.
func DecodeTotals(b []byte) (t Totals, err error) {
	r := newReader("totals", b)
	for _, at := range []*uint64{&t.Balances, &t.Stakes, &t.Unbonding, &t.Vesting, &t.Escrow, &t.Burned} {
		*at = r.u64()
	}
	r.check(int(r.u16()) == poolCount)
	for i := range t.Pools {
		t.Pools[i] = r.u64()
	}
	return t, r.done()
}

// Walk adds up every purse by visiting every record, which takes as long as the state is
// large: for tests and for audits of a snapshot. The result must equal the record of the
// running totals. It wraps ErrRecord for a value that is none.
func Walk(s Reader) (Totals, error) {
	var t Totals
	var bad error
	visit := func(prefix string, amount func(v []byte) (uint64, error), into *uint64) error {
		err := s.Range([]byte(prefix), prefixEnd([]byte(prefix)), func(k, v []byte) bool {
			a, err := amount(v)
			if err != nil {
				bad = fmt.Errorf("%q: %w", k, err)
				return false
			}
			sum, carry := bits.Add64(*into, a, 0)
			if carry != 0 {
				bad = fmt.Errorf("%w: %s holds more than there can be", ErrInvariant, prefix)
				return false
			}
			*into = sum
			return true
		})
		if err == nil {
			err = bad
		}
		return err
	}
	for _, kind := range []struct {
		prefix string
		amount func([]byte) (uint64, error)
		into   *uint64
	}{
		{prefixAccount, func(v []byte) (uint64, error) { a, err := DecodeAccount(v); return a.Balance, err }, &t.Balances},
		{prefixStake, func(v []byte) (uint64, error) { a, err := DecodeStake(v); return a.Amount, err }, &t.Stakes},
		{prefixUnbonding, func(v []byte) (uint64, error) { a, err := DecodeUnbonding(v); return a.Amount, err }, &t.Unbonding},
		{prefixVesting, func(v []byte) (uint64, error) { a, err := DecodeLot(v); return a.Held, err }, &t.Vesting},
		{prefixSession, func(v []byte) (uint64, error) { a, err := DecodeSession(v); return a.Escrow, err }, &t.Escrow},
	} {
		if err := visit(kind.prefix, kind.amount, kind.into); err != nil {
			return t, err
		}
	}
	for _, p := range economics.Pools() {
		v, err := s.Get(PoolKey(p))
		if err != nil {
			return t, err
		}
		if v == nil {
			continue
		}
		if t.Pools[p], err = decodePool(v); err != nil {
			return t, err
		}
	}
	// What was burned has no purse left to visit: the record is the only witness, and the
	// sum with all others shows whether it is true.
	v, err := s.Get(TotalsKey())
	if err != nil {
		return t, err
	}
	kept, err := DecodeTotals(v)
	t.Burned = kept.Burned
	return t, err
}

func encodePool(v uint64) []byte {
	w := newWriter(8)
	w.u64(v)
	return w.b
}

func decodePool(b []byte) (uint64, error) {
	r := newReader("pool", b)
	v := r.u64()
	return v, r.done()
}
