package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/node/testnet"
)

// Proof is what the rounds of Proof of Render came to while the demo ran.
type Proof struct {
	Epochs []testnet.Proofs `json:"epochs"` // oldest first; the last one still runs
}

// proofs tells of the rounds so far; nil in a network without any.
func proofs(ctx context.Context, n *testnet.Net) (*Proof, error) {
	list, err := n.Proofs(ctx)
	if errors.Is(err, testnet.ErrNoProofs) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("demo: rounds: %w", err)
	}
	return &Proof{Epochs: list}, nil
}

// judge says who was accused: all peers of a demo are honest. Who was too late for a round
// because the machine is busy loses that round's reward and nothing else.
func (p *Proof) judge() (wrong []string) {
	for _, e := range p.Epochs {
		if e.Wrong != 0 || e.Frauds != 0 || e.Slashes != 0 {
			wrong = append(wrong, fmt.Sprintf("honest peers were accused in epoch %d: %d wrong openings, %d fraud proofs, %d slashes",
				e.Epoch, e.Wrong, e.Frauds, e.Slashes))
		}
	}
	return wrong
}
