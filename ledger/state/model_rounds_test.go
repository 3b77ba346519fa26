package state

import (
	"encoding/json"
	"strings"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// entry is anything that a committee may say.
func (h *history) entry() proof.Entry {
	e := proof.Entry{
		OfflinePPM: rapid.SampledFrom([]uint32{0, 0, 0, 100_000, 1_000_000}).Draw(h.T, "offline"),
		QualityPPM: rapid.Uint32Range(0, 1_000_000).Draw(h.T, "quality"),
	}
	switch e.Verdict = rapid.SampledFrom([]uint32{1, 1, 1, 0, 2, 3, 3, 4, 5, 6}).Draw(h.T, "verdict"); e.Verdict {
	case proof.VerdictOK:
		e.RPMilli = rapid.Uint64Range(1, 500_000).Draw(h.T, "rp")
	case proof.VerdictBad:
		said := bad(rapid.SampledFrom([]proof.Reason{proof.ReasonTile, proof.ReasonSegment, proof.ReasonSegment, proof.ReasonModule}).Draw(h.T, "reason"))
		e.Reason, e.Evidence, e.Found = said.Reason, said.Evidence, said.Found
	}
	if o, _, ok := h.order(); ok && e.Evidence.IsZero() && rapid.IntRange(0, 2).Draw(h.T, "dropped") == 1 {
		e.Dropped, e.Found = o.Session, rapid.Uint64Range(0, 7).Draw(h.T, "found")
	}
	return e
}

// bits are who was right and who was wrong among members.
func (h *history) bits(r *proof.Result, members int) {
	r.Correct = rapid.Uint64Range(0, 1<<members-1).Draw(h.T, "correct")
	r.Wrong = rapid.Uint64Range(0, 1<<members-1).Draw(h.T, "wrong") & rapid.Uint64Range(0, 1<<members-1).Draw(h.T, "really") &^ r.Correct
}

// ownerOf is the person who owns an account, or another one.
func ownerOf(a key.Address, other identity) identity {
	for _, name := range modelPeople {
		if who(name).address() == a {
			return who(name)
		}
	}
	return other
}

// signers are some of the members, mostly enough.
func (h *history) signers(members []key.Node) []key.Node {
	if len(members) == 0 {
		return nil
	}
	n := len(members) - rapid.IntRange(0, len(members)/2).Draw(h.T, "silent")
	return append([]key.Node(nil), members[:n]...)
}

// certify brings a certificate on a batch of this epoch or the last.
func (h *history) certify() {
	at := h.bed.Epoch() - min(h.bed.Epoch(), rapid.Uint64Range(0, 1).Draw(h.T, "ago"))
	a, ok, err := DrawnFor(h.bed.Reader(), chainName, at, h.bed.Params())
	if h.bed.must(err); !ok || len(a.Batches) == 0 {
		return
	}
	batch := a.Batches[0]
	r := &proof.Result{Epoch: at, Votes: sha([]byte("votes")), Attempt: rapid.Uint32Range(0, 1).Draw(h.T, "attempt")}
	for range batch.Containers {
		r.Entries = append(r.Entries, h.entry())
	}
	members := batch.Members(r.Attempt)
	h.bits(r, len(members))
	h.bring(r, members)
}

func (h *history) bring(r *proof.Result, members []key.Node) {
	h.say(h.pick("by", modelPeople), nil, h.bed.certificateBy(r, h.signers(members)...))
}

func (h *history) accusations() (all [][32]byte, err error) {
	err = h.bed.Reader().Range([]byte(prefixAccusation), prefixEnd([]byte(prefixAccusation)), func(k, _ []byte) bool {
		all = append(all, [32]byte(k[len(prefixAccusation):]))
		return true
	})
	return all, err
}

// answer brings what a wider committee found about an appeal of this epoch or the last.
func (h *history) answer() {
	at := h.bed.Epoch() - min(h.bed.Epoch(), rapid.Uint64Range(0, 1).Draw(h.T, "ago"))
	appeals, err := ReadAppeals(h.bed.Reader(), at)
	if h.bed.must(err); len(appeals) == 0 {
		return
	}
	a, ok, err := ReadAccusation(h.bed.Reader(), appeals[0].Accusation)
	if h.bed.must(err); !ok {
		h.Fatalf("appeal %d of epoch %d is about nothing", appeals[0].Batch, at)
	}
	members, ok, err := AppealCommittee(h.bed.Reader(), at, appeals[0].Accusation, a, h.bed.Params())
	if h.bed.must(err); !ok {
		return
	}
	r := &proof.Result{Epoch: at, Batch: appeals[0].Batch, Votes: sha([]byte("votes")), Entries: []proof.Entry{h.entry()}}
	h.bits(r, len(members))
	h.bring(r, members)
}

// fraud says of a round, a good one or not, what can be said.
func (h *history) fraud() {
	b := h.bed
	container, checker := h.pick("container", []string{"c1", "c2", "new1"}), h.pick("checker", []string{"k0", "k1"})
	epoch := b.Epoch() - min(b.Epoch(), rapid.Uint64Range(0, 2).Draw(h.T, "ago"))
	if _, ok, err := ReadSeed(b.Reader(), epoch); err != nil || !ok {
		return
	}
	c := b.round(container, epoch, rapid.Bool().Draw(h.T, "spoilt"))
	var p *tx.FraudProof
	switch rapid.IntRange(0, 5).Draw(h.T, "kind") {
	case 0, 1:
		p = b.tileFraud(c, 1, rapid.IntRange(1, 2).Draw(h.T, "tile"))
	case 2:
		p = b.proof(proof.PairFraud(c.commit, b.round(container, epoch, true).commit))
	case 3, 4:
		vote, nonce := b.voted(checker, c, func(work [32]byte) [32]byte {
			work[0] ^= rapid.Byte().Draw(h.T, "work") & 1
			return work
		})
		p = b.proof(proof.WorkFraud(vote, 0, c.commit, c.roots, nonce, nil))
	default:
		second := rapid.Uint32Range(0, 1).Draw(h.T, "second")
		p = b.proof(proof.PairFraud(b.says(container, segment(1, second, 1)), b.says(container, segment(1, second, 2))))
	}
	h.say(h.pick("by", modelPeople), nil, p)
}

// match reports a certificate, an honest one or not, of the block before. An honest one never
// convicts, whatever came before.
func (h *history) match() {
	b := h.bed
	height := b.Head().Height - 1
	if first, ok := b.matchFacts().number(BeganKey(b.Epoch())); !ok || first > height {
		return // it was in an epoch of which nothing may be known any more
	}
	x := b.matched()
	honest := false
	switch rapid.IntRange(0, 5).Draw(h.T, "lie") {
	case 0:
		x.Wrong = "order"
	case 1:
		x.Choices[0].Figures.RPMilli++
	case 2:
		x.Choices[0].Figures.Height += rapid.Uint64Range(1, 4).Draw(h.T, "blocks")
	case 3:
		x.Drawn = append(x.Drawn, h.pick("drawn", modelNodes).node())
	default:
		honest = true
	}
	for e := b.Epoch() - min(b.Epoch(), 1); e <= b.Epoch(); e++ {
		listed, err := Listed(b.Reader(), e, economics.RoleIndexer, x.Indexer)
		if b.must(err); listed {
			break
		}
		honest = honest && e < b.Epoch()
	}
	raw, err := json.Marshal(x)
	b.must(err)
	h.say(h.pick("by", modelPeople), nil, proof.MatchFraud(x.Indexer, b.Epoch(), raw))
	if last := h.outcomes[len(h.outcomes)-1]; honest && strings.Contains(last, "fraud_proven") {
		h.Fatalf("an honest match convicts: %s", last)
	}
}
