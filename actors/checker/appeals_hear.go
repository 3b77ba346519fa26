package checker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// hearing is one appeal that this checker is in the committee of.
type hearing struct {
	ledgeractor.Appeal
	mine    *proof.Opened // what this checker attests; nil before it knows
	asked   bool          // evidence is being rerun
	silent  bool          // for good
	by      map[[32]byte]map[key.Node][]byte
	said    []*proof.Opened // as they came, to be recalled
	results map[[32]byte][]byte
	timer   bool // a bringAnswer is under way
	over    bool // the ledger has the answer
}

// attested takes what another member attests.
func (h *hearings) attested(c *supervise.Ctx, o *proof.Opened) {
	d := o.Statement.GetDraft()
	if d == nil || o.Signer == h.a.self {
		return
	}
	for _, x := range h.open {
		if x.Epoch == d.GetEpoch() && x.Batch == d.GetBatch() {
			if err := x.check(h.a.o.Book.Chain(), o); err != nil {
				c.Log().Debug("an attestation on an appeal was refused", "signer", o.Signer, "err", err)
				return
			}
			h.count(c, x, o)
			return
		}
	}
	if epoch := d.GetEpoch(); h.known[epoch] || epoch > h.epoch+1 || epoch+appealEpochs <= h.epoch {
		return
	}
	of := 0
	for _, w := range h.waiting {
		if w.Signer == o.Signer {
			of++
		}
	}
	if of < waitingOf && len(h.waiting) < maxWaiting {
		h.waiting = append(h.waiting, o)
	}
}

// ErrAttestation is an attestation on an appeal that does not count.
var ErrAttestation = errors.New("checker: this attests no answer to the appeal")

// check says why a statement does not count.
func (x *hearing) check(chain string, o *proof.Opened) error {
	d := o.Statement.GetDraft()
	if !slices.Contains(x.Members, o.Signer) {
		return fmt.Errorf("%w: %s is no member", ErrAttestation, o.Signer)
	}
	digest := sha256.Sum256(d.GetResult())
	given := 0
	for result, by := range x.by {
		if by[o.Signer] != nil {
			if result == digest {
				return fmt.Errorf("%w: it is known", ErrAttestation)
			}
			given++
		}
	}
	if given >= resultsOf {
		return fmt.Errorf("%w: %s attests %d results", ErrAttestation, o.Signer, given+1)
	}
	r, err := proof.DecodeResult(d.GetResult())
	if err != nil || r.Epoch != x.Epoch || r.Batch != x.Batch || r.Attempt != 0 || len(r.Entries) != 1 || r.Correct|r.Wrong != 0 {
		return fmt.Errorf("%w: the result is none of this appeal", ErrAttestation)
	}
	if !key.Verify(o.Signer[:], chain, key.KindCertificate, tx.VotePayload(x.Epoch, x.Batch, digest), d.GetAttestation()) {
		return fmt.Errorf("%w: it is not signed by %s", ErrAttestation, o.Signer)
	}
	return nil
}

// count adds an attestation, and sees to it that the answer is brought when there are enough.
// Until then those a moment later may join: they are paid for what they attest.
func (h *hearings) count(c *supervise.Ctx, x *hearing, o *proof.Opened) {
	d := o.Statement.GetDraft()
	digest := sha256.Sum256(d.GetResult())
	if x.by[digest] == nil {
		x.by[digest] = map[key.Node][]byte{}
	}
	x.by[digest][o.Signer], x.results[digest] = d.GetAttestation(), d.GetResult()
	x.said = append(x.said, o)
	if x.timer || x.over || x.agreed() == nil {
		return
	}
	x.timer = true
	slot := h.pause() / 8
	turn := judge.Rank(x.Seed, x.Batch, 0, x.Members, h.a.self)
	c.After(time.Duration(turn+4)*slot, bringAnswer{x.ID})
}

// agreed is the certificate that enough members attest; nil while there is none.
func (x *hearing) agreed() *tx.VoteCertificate {
	for digest, by := range x.by {
		if len(by) < x.Quorum {
			continue
		}
		c := &tx.VoteCertificate{Epoch: x.Epoch, Batch: x.Batch, Result: x.results[digest]}
		for place, n := range x.Members {
			if sig := by[n]; sig != nil && c.Attested() < tx.MaxAttestations {
				c.AddAttestation(place, sig)
			}
		}
		return c
	}
	return nil
}

// ask asks members for what they have heard on an appeal, themselves included.
func (a *Appeals) ask(ctx context.Context, x ledgeractor.Appeal, of []key.Node) (all []*proof.Opened) {
	for _, n := range of {
		id, err := n.Peer()
		if err != nil {
			continue
		}
		raws, err := a.o.Calls.Recall(ctx, id, x.Epoch, false, x.Batch)
		if err != nil {
			continue
		}
		for _, raw := range raws[:min(len(raws), resultsOf*len(x.Members))] {
			if o, err := proof.Open(a.o.Book.Chain(), raw); err == nil && ledgeractor.IsAppeal(o.Statement.GetDraft().GetBatch()) {
				all = append(all, o)
			}
		}
	}
	return all
}

// recall gives what was attested on an appeal.
func (h *hearings) recall(m recallAppeal) [][]byte {
	out := [][]byte{}
	for _, x := range h.open {
		if x.Epoch == m.epoch && x.Batch == m.batch {
			for _, o := range x.said {
				out = append(out, o.Raw)
			}
		}
	}
	return out
}
