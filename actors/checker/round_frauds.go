package checker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/proof"
	ledgerstate "github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// fraud keeps a proof and brings it to the ledger. Until it is there the disk remembers that,
// too: a checker that is killed goes on with it.
func (s *rounds) fraud(c *supervise.Ctx, a round.Fraud) {
	s.report(s.epoch).Frauds++
	c.Log().Warn("somebody cheated, and it can be proven", "accused", a.Accused, "epoch", s.epoch, "kind", a.Proof.GetKind())
	r, log, epoch := s.r, c.Log(), s.epoch
	c.Go(func(context.Context) any {
		if err := r.owe(a.File); err != nil {
			log.Warn("a proof would be lost with this process; make room on the disk", "err", err)
		}
		name, err := r.proofs.keep(a.File)
		if err != nil {
			log.Warn("a proof is not kept on the disk; make room there", "err", err)
		} else {
			log.Info("a proof was kept; see `framemesh proof show`", "proof", name)
		}
		return fraudFound{epoch, a.Proof, a.File}
	})
}

// fraudFound is a fraud proof that is on the disk.
type fraudFound struct {
	epoch uint64
	proof *tx.FraudProof
	file  []byte
}

func (s *rounds) bringFraud(c *supervise.Ctx, m fraudFound) {
	r := s.r
	s.bring(c, "fraud", m.epoch, r.o.Book.EpochStart(m.epoch+fraudFor), &tx.Body{Op: &tx.Body_Fraud{Fraud: m.proof}},
		func() any { r.paid(m.file); return nil })
}

// resumeFrauds goes on with the fraud proofs that an earlier run did not bring to the ledger.
func (s *rounds) resumeFrauds(c *supervise.Ctx) {
	r := s.r
	self := c.Self()
	c.Go(func(context.Context) any {
		for _, f := range r.owed() {
			_ = self.Tell(f) // a full mailbox: the next start finds it again
		}
		return nil
	})
}

// fraudFor is for how many epochs a fraud proof is brought to a ledger that is out of reach.
const fraudFor = 96

// hopeless says whether a refusal stays one however often it is asked for.
func hopeless(err error) bool {
	for _, rule := range []error{ledgerstate.ErrInnocent, ledgerstate.ErrAccused, ledgerstate.ErrVoteEpoch, ledgerstate.ErrEvidence} {
		if errors.Is(err, rule) {
			return true
		}
	}
	return false
}

// owedPrefix begins the names of proof files that the ledger does not have yet.
const (
	owedPrefix = "fraud-"
	maxOwed    = 256       // files that are gone on with
	maxOwing   = 256 << 10 // bytes of one
)

func (r *Rounds) owedFile(file []byte) string {
	sum := sha256.Sum256(file)
	return filepath.Join(r.o.Dir, owedPrefix+hex.EncodeToString(sum[:]))
}

// owe remembers that the ledger is to have a proof, paid forgets it.
func (r *Rounds) owe(file []byte) error { return record.Write(r.owedFile(file), file) }

func (r *Rounds) paid(file []byte) { _ = os.Remove(r.owedFile(file)) }

// owed are the proofs that the ledger is still to have.
func (r *Rounds) owed() (all []fraudFound) {
	list, err := os.ReadDir(r.o.Dir)
	if err != nil {
		return nil
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), owedPrefix) || len(all) >= maxOwed {
			continue
		}
		b, err := record.Read(filepath.Join(r.o.Dir, e.Name()), maxOwing)
		if err != nil {
			continue
		}
		f, err := proof.ParseFile(b)
		if err != nil || f.FraudProof() == nil || f.GetChain() != r.o.Book.Chain() {
			continue
		}
		all = append(all, fraudFound{f.GetEpoch(), f.FraudProof(), b})
	}
	return all
}
