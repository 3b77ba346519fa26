package ledger

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
)

// The appeals of an epoch are read record by record, as a light client reads them: with the
// committee that the seed draws from all who have not judged yet.
func TestAppealsAreReadRecordByRecord(t *testing.T) {
	l, f, doc := fakeLedger(t)
	node := func(i int) key.Node { return key.Node(address(seeded("node", i))) }
	const epoch = 3
	if _, err := l.Appeals(within(t), epoch); !errors.Is(err, ErrNoBeacon) {
		t.Fatalf("without a seed: %v", err)
	}
	f.put(state.SeedKey(epoch), bytes.Repeat([]byte{4}, 32))
	if all, err := l.Appeals(within(t), epoch); err != nil || len(all) != 0 {
		t.Fatalf("%d appeals, %v", len(all), err)
	}
	open, decided := [32]byte{1}, [32]byte{2}
	f.put(state.AppealsKey(epoch), slices.Concat([]byte{1}, decided[:], open[:]))
	signers := []key.Node{node(0), node(1)}
	slices.SortFunc(signers, func(a, b key.Node) int { return bytes.Compare(a[:], b[:]) })
	a := state.Accusation{Node: node(20), Offence: economics.OffenceForged, Amount: 1, Final: 5, Epoch: 1, Evidence: proof.Name{3}, Signers: signers, Appealed: epoch, Bond: 1}
	f.put(state.AccusationKey(open), a.Encode())
	if _, err := l.Appeals(within(t), epoch); !errors.Is(err, ErrNoCandidates) {
		t.Fatalf("without candidates: %v", err)
	}
	p := state.CandidatePage{Total: 12}
	for i := range 12 {
		p.Candidates = append(p.Candidates, state.Candidate{Node: node(i), Stake: 1, Owner: key.Address(node(i))})
	}
	slices.SortFunc(p.Candidates, func(a, b state.Candidate) int { return bytes.Compare(a.Node[:], b.Node[:]) })
	f.put(state.CandidatesKey(epoch, economics.RoleChecker, 0), p.Encode())
	all, err := l.Appeals(within(t), epoch)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d appeals, %v", len(all), err)
	}
	got := all[0]
	want := judge.From(doc.Params).Wider()
	if got.ID != open || got.Batch != state.AppealBatch(open) || !IsAppeal(got.Batch) || got.Epoch != epoch || got.Quorum != want.Quorum() ||
		len(got.Members) != min(want.Members(), 10) || got.Accusation.Evidence != a.Evidence {
		t.Errorf("%+v", got)
	}
	for _, n := range got.Members {
		if slices.Contains(signers, n) {
			t.Errorf("%s judged before", n)
		}
	}
	if IsAppeal(1<<31 - 1) {
		t.Error("a batch of a round is taken for an appeal's")
	}
}
