package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/actors/indexer"
	"github.com/framemesh/framemesh/actors/indexer/match"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
)

// measured shows a running ledger to those who match and to those who check matches.
type measured struct{ *ledgeractor.Ledger }

var (
	_ match.Figures   = measured{}
	_ indexer.Figures = measured{}
)

// Figures checks what certificates say was measured; nil without a ledger.
func (n *Node) Figures() match.Figures {
	if l := n.Ledger(); l != nil {
		return measured{l}
	}
	return nil
}

// Measured implements match.Figures.
func (m measured) Measured(ctx context.Context, asked []match.Asked) ([]match.Measured, error) {
	reads := make([]ledgeractor.Read, len(asked))
	for i, a := range asked {
		var err error
		if reads[i].Container, err = key.NodeOf(a.Container); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", match.ErrFigures, a.Container, err)
		}
		reads[i].Height = a.Height
	}
	read, err := m.FiguresOf(ctx, reads)
	if err != nil {
		return nil, figuresError(err)
	}
	out := make([]match.Measured, len(read))
	for i, f := range read {
		out[i] = measuredBy(f.Height, f.Epoch, f.Standing, f.Known)
	}
	return out, nil
}

// Near implements match.Figures.
func (m measured) Near(ctx context.Context, beacon [32]byte, epoch uint64) (bool, error) {
	near, err := m.Ledger.Near(ctx, beacon, epoch)
	return near, figuresError(err)
}

// figuresError gives an error of reading the meaning that it has for a certificate.
func figuresError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledgeractor.ErrPast):
		return fmt.Errorf("%w: %w", match.ErrFigures, err)
	}
	return fmt.Errorf("%w: %w", match.ErrNoFigures, err)
}

// measuredBy are the figures that a standing comes to. What was never measured has none.
func measuredBy(height, epoch uint64, s state.Standing, known bool) match.Measured {
	m := match.Measured{Height: height, Epoch: epoch}
	if known {
		m.RPMilli, m.QualityPPM, m.PriorityPPM, m.ProvenUntil = s.RPMilli, s.QualityPPM, s.PriorityPPM, s.ProvenUntil
	}
	return m
}

// FiguresOf checks the figures of certificates against the ledger through a light client, as
// long as its peers keep the states that those name.
func FiguresOf(c *light.Client) match.Figures { return dialled{ledgeractor.LightSource(c)} }

type dialled struct{ ledgeractor.Source }

// Measured implements match.Figures.
func (d dialled) Measured(ctx context.Context, asked []match.Asked) ([]match.Measured, error) {
	var out []match.Measured
	for _, a := range asked {
		n, err := key.NodeOf(a.Container)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", match.ErrFigures, a.Container, err)
		}
		epoch, err := ledgeractor.EpochOf(ctx, d.Source, a.Height)
		if err != nil {
			return nil, pastError(err)
		}
		s, known, err := ledgeractor.StandingAt(ctx, d.Source, n, a.Height)
		if err != nil {
			return nil, pastError(err)
		}
		out = append(out, measuredBy(a.Height, epoch, s, known))
	}
	return out, nil
}

// pastError is figuresError for a certificate of any age: a state that nobody keeps any more
// says nothing against it.
func pastError(err error) error { return fmt.Errorf("%w: %w", match.ErrNoFigures, err) }

// Near implements match.Figures.
func (d dialled) Near(ctx context.Context, beacon [32]byte, epoch uint64) (bool, error) {
	near, err := ledgeractor.Near(ctx, d.Source, beacon, epoch)
	if err != nil {
		return false, pastError(err)
	}
	return near, nil
}
