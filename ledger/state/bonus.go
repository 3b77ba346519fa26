package state

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// What a checker earns from the base of each epoch is its weight in the bonus of the quarter
// in which it is paid; whether it gets any of that bonus is asked when the quarter is over.

// asked counts that a panel with the checker came to a certificate.
func (c *Conduct) asked(quarter uint64, answered bool) {
	switch {
	case quarter == c.Quarter+1:
		c.Previous, c.Now, c.Quarter = c.Now, Duties{}, quarter
	case quarter > c.Quarter:
		c.Previous, c.Now, c.Quarter = Duties{}, Duties{}, quarter
	}
	d := &c.Now
	switch {
	case quarter+1 == c.Quarter:
		d = &c.Previous
	case quarter < c.Quarter:
		return
	}
	d.Asked++
	if answered {
		d.Answered++
	}
}

// uptime is the part of its duties in a quarter that the checker did, in bps; 0 where it had
// none, or they are forgotten.
func (c *Conduct) uptime(quarter uint64) uint64 {
	d := c.Now
	switch {
	case quarter+1 == c.Quarter:
		d = c.Previous
	case quarter != c.Quarter:
		return 0
	}
	if d.Asked == 0 {
		return 0
	}
	return uint64(d.Answered) * amount.BPS / uint64(d.Asked)
}

// earned enters what a checker was paid of an epoch's base into the bonus of the quarter that
// is being paid.
func (m *Machine) earned(n key.Node, paid uint64) error {
	e, err := m.emission()
	if err != nil {
		return err
	}
	weight := economics.BonusWeight(paid, amount.BPS, 0)
	if weight == 0 {
		return nil
	}
	last := (e.Next/m.params.Quarter()+1)*m.params.Quarter() - 1
	return m.AddWeight(last, RewardBonus, n, Weight{Capacity: weight})
}

// deservesBonus says whether a checker did its duties in the quarter that ends with an epoch,
// and was never suspended in it.
func (m *Machine) deservesBonus(n key.Node, last uint64) (bool, error) {
	c, err := m.conduct(n)
	if err != nil {
		return false, err
	}
	quarter, bans := last/m.params.Quarter(), uint64(0)
	if c.BannedUntil > quarter*m.params.Quarter() {
		bans = 1
	}
	return economics.BonusWeight(amount.BPS*uint64(amount.FRM), c.uptime(quarter), bans) > 0, nil
}
