package cheat

import (
	"context"

	"github.com/framemesh/framemesh/actors/indexer"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Match is what an indexer does to a certificate before it signs it; nil for the honest, and
// for cheats that are no indexer's.
func (c Cheat) Match() func(*wire.Certificate) {
	if c.Name != "mismatch" {
		return nil
	}
	return func(cert *wire.Certificate) {
		if last := len(cert.GetTop()) - 1; last > 0 {
			cert.Top[0], cert.Top[last] = cert.Top[last], cert.Top[0]
		}
	}
}

// Figures is the ledger as an indexer that cheats reads it; honest for all but one cheat.
func (c Cheat) Figures(honest indexer.Figures) indexer.Figures {
	if c.Name != "figures" || honest == nil {
		return honest
	}
	return flattered{honest}
}

// flattered reads more than there is: everything else of the match follows from it.
type flattered struct{ indexer.Figures }

// Measured implements indexer.Figures.
func (f flattered) Measured(ctx context.Context, asked []match.Asked) ([]match.Measured, error) {
	out, err := f.Figures.Measured(ctx, asked)
	for i := range out {
		if out[i].Proven() {
			out[i].RPMilli += out[i].RPMilli / 4
		}
	}
	return out, err
}
