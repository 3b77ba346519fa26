package checker

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// bring brings the answer to the ledger, unless somebody has.
func (h *hearings) bring(c *supervise.Ctx, x *hearing) {
	if x == nil || x.over {
		return
	}
	cert := x.agreed()
	book, id := h.a.o.Book, x.ID
	c.Go(func(ctx context.Context) any {
		if ok, err := book.Certified(ctx, cert.GetEpoch(), cert.GetBatch()); err == nil && ok {
			return answerBrought{id, true, nil}
		}
		err := book.Send(ctx, &tx.Body{Op: &tx.Body_Certificate{Certificate: cert}})
		return answerBrought{id, errors.Is(err, ErrSettled), err}
	})
}

func (h *hearings) brought(c *supervise.Ctx, m answerBrought) {
	x := h.open[m.id]
	if x == nil {
		return
	}
	switch {
	case m.settled:
		x.over = true
		h.a.metrics.sent.WithLabelValues("late").Inc()
	case m.err == nil:
		x.over = true
		h.a.metrics.sent.WithLabelValues("sent").Inc()
	case hopeless(m.err):
		x.over = true
		h.a.metrics.sent.WithLabelValues("failed").Inc()
		c.Log().Error("the ledger refuses the answer to an appeal for good", "accusation", hex.EncodeToString(m.id[:]), "err", m.err)
	default:
		c.Log().Debug("the ledger does not take the answer to an appeal yet", "err", m.err)
		c.After(h.pause()/4, bringAnswer{m.id})
	}
}

// look asks, while an appeal is open, whether the ledger has its answer, and the other members
// for what they attest: gossip is lost where nobody is connected.
func (h *hearings) look(c *supervise.Ctx, m lookAgain) {
	a, more := h.a, false
	for _, x := range h.open {
		if x.Epoch != m.epoch || x.over {
			continue
		}
		more = true
		var missing []key.Node
		if x.agreed() == nil {
			for _, n := range x.Members {
				heard := n == a.self || slices.ContainsFunc(x.said, func(o *proof.Opened) bool { return o.Signer == n })
				if !heard {
					missing = append(missing, n)
				}
			}
		}
		appeal := x.Appeal
		c.Go(func(ctx context.Context) any {
			ctx, cancel := context.WithTimeout(ctx, rollTime)
			defer cancel()
			if ok, err := a.o.Book.Certified(ctx, appeal.Epoch, appeal.Batch); err == nil && ok {
				return answerBrought{appeal.ID, true, nil}
			}
			return attestedAll{a.ask(ctx, appeal, missing)}
		})
	}
	if more && m.epoch+appealEpochs > h.epoch {
		c.After(h.pause(), m)
	}
}
