package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// judge says who was accused, and who was not verified or paid: all peers of a demo are
// honest. Of epochs that had begun before the network had, and of those that still run,
// nothing can be said.
func (p *Proof) judge(n *testnet.Net, began time.Time) (wrong []string) {
	g := n.Genesis()
	now := g.Epoch(uint64(max(time.Now().UnixMilli(), 0)))
	happened, _, err := n.Happened()
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range p.Epochs {
		if e.Wrong != 0 || e.Frauds != 0 || e.Slashes != 0 || e.AuditsWrong != 0 || e.Accusations != 0 {
			wrong = append(wrong, fmt.Sprintf("honest peers were accused in epoch %d: %d wrong openings, %d wrong audits, %d fraud proofs, %d accusations, %d slashes",
				e.Epoch, e.Wrong, e.AuditsWrong, e.Frauds, e.Accusations, e.Slashes))
		}
		if g.EpochStart(e.Epoch) < uint64(max(began.UnixMilli(), 0)) || e.Epoch >= now || e.Challenged == 0 {
			continue
		}
		if e.Certificates == 0 {
			wrong = append(wrong, fmt.Sprintf("epoch %d has no certificate: nobody was verified", e.Epoch))
		}
		if e.Certificates > 0 && now >= e.Epoch+paidAfter && e.Rewarded == 0 {
			wrong = append(wrong, fmt.Sprintf("nobody was paid for epoch %d", e.Epoch))
		}
		for _, h := range happened {
			if h.Kind == "unproven" && h.Epoch == e.Epoch {
				wrong = append(wrong, fmt.Sprintf("%s was not verified in epoch %d: %s", h.Name, h.Epoch, h.Text))
			}
		}
	}
	return wrong
}

// paidAfter is how many epochs later a round is surely paid: when the second one begins, and
// its first block may take a moment.
const paidAfter = 3
