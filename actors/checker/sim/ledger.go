package sim

import (
	"crypto/sha256"
	"slices"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// ledger takes certificates and fraud proofs of one epoch, by the rules of the real one that
// a round can feel.
type ledger struct {
	w         *World
	certified []*certificate
	guilty    map[key.Node]bool
}

type certificate struct {
	result  *proof.Result
	members []key.Node
}

// submit takes the first valid certificate of each batch.
func (l *ledger) submit(c *tx.VoteCertificate) {
	w := l.w
	w.report.Submitted++
	w.count("certificate", "checker", certificateSize(c))
	result, err := proof.DecodeResult(c.GetResult())
	if err != nil || c.GetEpoch() != w.epoch || result.GetEpoch() != w.epoch || int(c.GetBatch()) >= len(l.certified) {
		w.report.BadCertificates++
		return
	}
	members := w.plan.Batches[c.GetBatch()].Members(result.GetAttempt())
	payload := tx.VotePayload(w.epoch, c.GetBatch(), sha256.Sum256(c.GetResult()))
	good := 0
	for i, a := range c.GetAttestations() {
		rising := i == 0 || string(c.GetAttestations()[i-1].GetNode()) < string(a.GetNode())
		if rising && slices.Contains(members, key.Node(a.GetNode())) && key.Verify(a.GetNode(), Chain, key.KindCertificate, payload, a.GetSignature()) {
			good++
		}
	}
	if good < w.c.Params.Quorum() || good != len(c.GetAttestations()) || result.GetAttempt() > 0 && w.q.now < w.times.AttestBy {
		w.report.BadCertificates++
		return
	}
	if l.certified[c.GetBatch()] != nil {
		return
	}
	l.certified[c.GetBatch()] = &certificate{result, members}
	if result.GetAttempt() > 0 {
		w.report.ByReserve++
	}
	for _, n := range w.checkers {
		w.q.at(w.q.now+n.latency, func() {
			if n.round != nil {
				n.round.OnLedger(c.GetBatch())
			}
		})
	}
}

func certificateSize(c *tx.VoteCertificate) int {
	return 16 + len(c.GetResult()) + len(c.GetAttestations())*(key.Size+64+6)
}

// accuse judges a fraud proof as the real ledger does.
func (l *ledger) accuse(by *checker, f *tx.FraudProof) {
	w := l.w
	seed := w.plan.Seed
	found, err := proof.Check(proof.Rules{Chain: Chain, Kernel: w.c.Kernel, Seed: func(epoch uint64) ([32]byte, bool) { return seed, epoch == w.epoch }}, f)
	if err != nil {
		w.report.FalseProofs++
		by.Fate.FalseProofs++
		return
	}
	if l.guilty[found.Guilty] {
		return
	}
	l.guilty[found.Guilty] = true
	for _, n := range w.checkers {
		w.q.at(w.q.now+n.latency, func() {
			if n.round != nil {
				n.round.Convicted(f)
			}
		})
	}
	if n := w.byNode[found.Guilty]; n != nil {
		n.Fate.Convicted++
	}
	if n := w.byChecker[found.Guilty]; n != nil {
		n.Fate.Convicted++
	}
	w.report.Convictions = append(w.report.Convictions, Conviction{w.epoch, found.Reason, w.lies(found.Guilty)})
}

// lies says whether a node was told to cheat.
func (w *World) lies(name key.Node) bool {
	if n := w.byNode[name]; n != nil {
		return n.liar != nil
	}
	return w.byChecker[name].cheat != nil
}
