package sim

import (
	"google.golang.org/protobuf/proto"

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
	if err != nil || c.GetEpoch() != w.epoch || result.Epoch != w.epoch || int(c.GetBatch()) >= len(l.certified) {
		w.report.BadCertificates++
		return
	}
	members := w.plan.Batches[c.GetBatch()].Members(result.Attempt)
	if c.Attested() < w.c.Params.Quorum() || c.VerifyBy(Chain, members) != nil || result.Attempt > 0 && w.q.now < w.times.AttestBy {
		w.report.BadCertificates++
		return
	}
	if l.certified[c.GetBatch()] != nil {
		return
	}
	l.certified[c.GetBatch()] = &certificate{result, members}
	if result.Attempt > 0 {
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

// certificateSize is what the operation of a transaction has, its envelope not counted.
func certificateSize(c *tx.VoteCertificate) int { return proto.Size(c) }

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
