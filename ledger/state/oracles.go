package state

import (
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
)

// An oracle signs with a node's key, so what it can lose is that node's stake. Orders carry
// its quotes beside those of others: the ledger compares them as it prices the order.

const prefixOracle = "orac/"

// OracleKey holds the Deviations of an oracle; none while none of its quotes was off.
func OracleKey(oracle key.Address) []byte { return with(prefixOracle, oracle[:]) }

// Deviations are the quotes of an oracle that were off.
type Deviations struct {
	Total  uint64   // ever counted
	MadeMS uint64   // when the last of them was made; an older quote does not count
	Epochs []uint64 // in which they were seen and have cost nothing yet, strictly rising, fewer than economics.OracleLimit
}

// Encode writes 18 bytes and 8 for each epoch.
func (d Deviations) Encode() []byte {
	w := newWriter(17 + 8*len(d.Epochs))
	w.u64(d.Total)
	w.u64(d.MadeMS)
	w.u8(uint8(len(d.Epochs)))
	for _, e := range d.Epochs {
		w.u64(e)
	}
	return w.b
}

// DecodeDeviations reads what Encode wrote. It wraps ErrRecord.
func DecodeDeviations(b []byte) (d Deviations, err error) {
	r := newReader("deviations", b)
	d.Total, d.MadeMS = r.u64(), r.u64()
	n := int(r.u8())
	r.check(n < economics.OracleLimit && d.Total > 0)
	for i := range min(n, economics.OracleLimit) {
		d.Epochs = append(d.Epochs, r.u64())
		r.check(i == 0 || d.Epochs[i-1] < d.Epochs[i])
	}
	return d, r.done()
}

// compareQuotes counts the quotes of an order that are off: of each oracle one in an epoch,
// and each quote once. The third within appeal_epochs is an offence, which every node
// recomputes from what the oracles signed.
func (m *Machine) compareQuotes(c *txContext, op *tx.OpenSession) error {
	quotes, err := op.DecodedQuotes()
	if err != nil {
		return refuse(ErrField, "%v", err)
	}
	for _, off := range quote.Off(quotes, len(m.network.Oracles), m.params.OracleMaxAgeMS/2) {
		if err := m.strike(c, off); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) strike(c *txContext, off quote.Deviation) error {
	oracle, now := off.Quote.Oracle, m.head.Epoch
	d, _, err := load(m.overlay, OracleKey(oracle), DecodeDeviations)
	if err != nil {
		return err
	}
	if off.Quote.MadeMS <= d.MadeMS || slices.Contains(d.Epochs, now) {
		return nil
	}
	d.Epochs = slices.DeleteFunc(d.Epochs, func(e uint64) bool { return e+m.params.AppealEpochs < now })
	d.Total, d.MadeMS, d.Epochs = d.Total+1, off.Quote.MadeMS, append(d.Epochs, now)
	c.emit("oracle_off", "oracle", oracle, "per_usd", off.Quote.PerUSD, "median", off.Median, "made_ms", off.Quote.MadeMS,
		"strikes", len(d.Epochs), "total", d.Total)
	if len(d.Epochs) == economics.OracleLimit {
		d.Epochs = nil
		events, err := m.slash(key.Node(oracle), economics.OffenceOracle, key.Address{}, m.network.Supply)
		if err != nil {
			return err
		}
		if !c.quiet {
			c.events = append(c.events, events...)
		}
	}
	return m.overlay.Set(OracleKey(oracle), d.Encode())
}
