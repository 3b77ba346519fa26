package state

import (
	"github.com/framemesh/framemesh/ledger/economics"
)

// CoefficientKey holds the Coefficient.
func CoefficientKey() []byte { return []byte(prefixCoefficient + "now") }

const prefixCoefficient = "coef/"

// Requirement is what a container must have bonded for that role. It is fixed for
// requirement_epochs from the epoch in which it was set.
type Requirement struct {
	Amount   uint64 // base units, from epoch From on
	Before   uint64 // base units, until then
	From     uint64 // epoch; when it has risen, stake_grace_epochs after Set
	Set      uint64 // epoch
	Peak     uint64 // milli-RP: the highest score since; the next requirement is made by it
	Measured bool   // it was made by a whole standing; one that was not is made anew by the first
}

// At is what is required in an epoch, in base units.
func (r Requirement) At(epoch uint64) uint64 {
	if epoch >= r.From {
		return r.Amount
	}
	return r.Before
}

// Until is the epoch from which on the requirement may be another: the first round that is
// judged in it or later makes the next one. 0 is as soon as rounds have measured the machine.
func (r Requirement) Until(p economics.Params) uint64 {
	if !r.Measured {
		return 0
	}
	return r.Set + p.RequirementEpochs
}

func (r Requirement) write(w *writer) {
	for _, v := range []uint64{r.Amount, r.Before, r.From, r.Set, r.Peak} {
		w.u64(v)
	}
	w.flag(r.Measured)
}

func readRequirement(r *reader) Requirement {
	return Requirement{r.u64(), r.u64(), r.u64(), r.u64(), r.u64(), r.flag()}
}

// Coefficient is SC, the stake of a container of the reference score, and the revenue that
// makes the next one.
type Coefficient struct {
	SC      uint64                        // base units
	Next    uint64                        // epoch from which on it is made anew
	Day     uint64                        // newest day of Revenue, as economics.Params.RevenueDay counts
	Revenue [economics.RevenueDays]uint64 // base units that containers earned by sessions; day d lies at d mod RevenueDays
}

// roll begins the days up to a new one, in which nothing was earned yet.
func (c *Coefficient) roll(day uint64) {
	if day <= c.Day {
		return
	}
	for i := range min(day-c.Day, economics.RevenueDays) {
		c.Revenue[(day-i)%economics.RevenueDays] = 0
	}
	c.Day = day
}

// Sum is the revenue of all days that are kept.
func (c *Coefficient) Sum() uint64 { return economics.Sum(c.Revenue[:]...) }

// Encode writes 265 bytes.
func (c Coefficient) Encode() []byte {
	w := newWriter(24 + 8*len(c.Revenue))
	w.u64(c.SC)
	w.u64(c.Next)
	w.u64(c.Day)
	for _, v := range c.Revenue {
		w.u64(v)
	}
	return w.b
}

// DecodeCoefficient reads what Encode wrote. It wraps ErrRecord.
func DecodeCoefficient(b []byte) (c Coefficient, err error) {
	r := newReader("coefficient", b)
	c = Coefficient{SC: r.u64(), Next: r.u64(), Day: r.u64()}
	for i := range c.Revenue {
		c.Revenue[i] = r.u64()
	}
	return c, r.done()
}
