package ledger

import (
	"context"
	"fmt"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// Appeal is an accusation that a wider committee looks at again, and who that is. Nothing in it
// is to be changed.
type Appeal struct {
	ID         [32]byte // name of the accusation
	Epoch      uint64   // in which its committee is drawn
	Batch      uint32   // under which it is answered
	Accusation state.Accusation
	Seed       [32]byte
	Members    []key.Node // in the order of a result's bits
	Quorum     int        // attestations that make a certificate
}

// Appeals are the open appeals whose committees are drawn in an epoch: all of them stand on the
// ledger before it begins. Each record is read with proof where the source proves. Errors:
// ErrNoBeacon while the epoch is young, and those of reading.
func (l *Ledger) Appeals(ctx context.Context, epoch uint64) ([]Appeal, error) {
	r := pages{ctx, l}
	seed, ok, err := l.seedOf(ctx, epoch)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoBeacon
	}
	named, err := state.ReadAppeals(r, epoch)
	if err != nil {
		return nil, fmt.Errorf("ledger: appeals of epoch %d: %w", epoch, err)
	}
	params := l.Params()
	var all []Appeal
	for _, n := range named {
		a, ok, err := state.ReadAccusation(r, n.Accusation)
		if err != nil {
			return nil, fmt.Errorf("ledger: accusation %x: %w", n.Accusation[:8], err)
		}
		if !ok {
			continue // decided already
		}
		members, ok, err := state.AppealCommittee(r, epoch, n.Accusation, a, params)
		if err != nil {
			return nil, fmt.Errorf("ledger: committee of the accusation %x: %w", n.Accusation[:8], err)
		}
		if !ok {
			return nil, ErrNoCandidates
		}
		all = append(all, Appeal{ID: n.Accusation, Epoch: epoch, Batch: n.Batch, Accusation: a, Seed: seed.value,
			Members: members, Quorum: judge.From(params).Wider().Quorum()})
	}
	return all, nil
}

// IsAppeal says whether a batch number is one under which appeals are answered.
func IsAppeal(batch uint32) bool { return batch>>31 != 0 }
