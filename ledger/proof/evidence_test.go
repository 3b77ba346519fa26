package proof_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

func skips(p proof.Pick) bool { return p.Tile == 5 }

func convicts(t *testing.T, f *tx.FraudProof, err error, who byte, reason proof.Reason) proof.Conviction {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	c, err := proof.Check(rules(), f)
	if err != nil {
		t.Fatalf("kind %d: %v", f.GetKind(), err)
	}
	if c.Guilty != node(who) || c.Reason != reason || c.Offence.String() == "" {
		t.Fatalf("kind %d convicts %s of %s (%s), want %s of %s", f.GetKind(), c.Guilty, c.Reason, c.Offence, node(who), reason)
	}
	return c
}

func acquits(t *testing.T, f *tx.FraudProof, err error, why string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := proof.Check(rules(), f); !errors.Is(err, proof.ErrInnocent) || !strings.Contains(err.Error(), why) {
		t.Fatalf("kind %d: %+v, %v; want innocent: %s", f.GetKind(), c, err, why)
	}
}

func TestAWrongTileConvictsAndARightOneDoesNot(t *testing.T) {
	liar, honest := render(t, container, 3, skips), render(t, container, 3, nil)
	f, err := proof.TileFraud(liar.commit, liar.roots, liar.open(proof.Pick{Frame: 1, Tile: 5}))
	c := convicts(t, f, err, container, proof.ReasonTile)
	if c.Epoch != epoch || c.Offence != economics.OffenceForged {
		t.Errorf("%+v", c)
	}
	// Another tile of the same commit is the same misdeed.
	f, err = proof.TileFraud(liar.commit, liar.roots, liar.open(proof.Pick{Frame: 2, Tile: 5}))
	if again := convicts(t, f, err, container, proof.ReasonTile); again.Name != c.Name {
		t.Error("two tiles of one commit are two misdeeds")
	}
	f, err = proof.TileFraud(liar.commit, liar.roots, liar.open(proof.Pick{Frame: 1, Tile: 4}))
	acquits(t, f, err, "recomputes")
	f, err = proof.TileFraud(honest.commit, honest.roots, honest.open(proof.Pick{Frame: 1, Tile: 5}))
	acquits(t, f, err, "recomputes")

	// Nobody can make a tile up for the honest: it does not lead to the root.
	forged := honest.open(proof.Pick{Frame: 1, Tile: 5})
	forged.Leaf[0] ^= 1
	f, err = proof.TileFraud(honest.commit, honest.roots, forged)
	acquits(t, f, err, "does not lead")
	f, err = proof.TileFraud(honest.commit, liar.roots, liar.open(proof.Pick{Frame: 1, Tile: 5}))
	acquits(t, f, err, "not the roots")
	f, err = proof.TileFraud(honest.commit, honest.roots[:2], honest.open(proof.Pick{Frame: 1, Tile: 5}))
	acquits(t, f, err, "frames")
}

func TestABrokenPathConvictsWhoSignedIt(t *testing.T) {
	r := render(t, container, 3, nil)
	picks := []proof.Pick{{Frame: 0, Tile: 1}, {Frame: 2, Tile: 6}}
	good := r.openings(t, container, picks, nil)
	f, err := proof.PathFraud(good, r.commit, 1)
	acquits(t, f, err, "leads to its root")

	broken := r.openings(t, container, picks, func(o *proof.Openings) { o.Items[1].Siblings[0][3] ^= 1 })
	f, err = proof.PathFraud(broken, r.commit, 1)
	convicts(t, f, err, container, proof.ReasonPath)
	f, err = proof.PathFraud(broken, r.commit, 0)
	acquits(t, f, err, "leads to its root")

	f, err = proof.PathFraud(r.openings(t, container, picks, func(o *proof.Openings) { o.Items[0].Tile = 1000 }), r.commit, 0)
	convicts(t, f, err, container, proof.ReasonPath)
	f, err = proof.PathFraud(r.openings(t, container, picks, func(o *proof.Openings) { o.Roots[0][0] ^= 1 }), r.commit, 0)
	convicts(t, f, err, container, proof.ReasonRoots)

	// Openings that another node signed, or of another commit, say nothing.
	f, err = proof.PathFraud(r.openings(t, other, picks, func(o *proof.Openings) { o.Items[1].Siblings[0][3] ^= 1 }), r.commit, 1)
	acquits(t, f, err, "another container's")
	f, err = proof.PathFraud(broken, render(t, container, 2, nil).commit, 1)
	acquits(t, f, err, "another commit")

	// A wrong tile that is opened properly is the other kind.
	liar := render(t, container, 3, skips)
	f, err = proof.PathFraud(liar.openings(t, container, []proof.Pick{{Tile: 5}}, nil), liar.commit, 0)
	acquits(t, f, err, "kind 1")
}

func TestTwoStatementsWhereOneIsAllowedConvict(t *testing.T) {
	a, b := render(t, container, 3, nil), render(t, container, 2, nil)
	f, err := proof.PairFraud(a.commit, b.commit)
	c := convicts(t, f, err, container, proof.ReasonTwoCommits)
	swapped, err := proof.PairFraud(b.commit, a.commit)
	if convicts(t, swapped, err, container, proof.ReasonTwoCommits) != c || !proto.Equal(f, swapped) {
		t.Error("the order of the two makes a difference")
	}
	tile := render(t, container, 3, skips)
	f, err = proof.TileFraud(tile.commit, tile.roots, tile.open(proof.Pick{Tile: 5}))
	if convicts(t, f, err, container, proof.ReasonTile).Name != c.Name {
		t.Error("a container would be punished twice for one round")
	}

	f, err = proof.PairFraud(a.commit, a.commit)
	acquits(t, f, err, "same statement")
	f, err = proof.PairFraud(a.commit, render(t, other, 3, nil).commit)
	acquits(t, f, err, "two nodes")
	later := sign(t, container, &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{
		Epoch: epoch + 1, Size: 1, Frames: 2, Roots: fill(1, 32), Kernel: proof.KernelRP1}}})
	f, err = proof.PairFraud(a.commit, later)
	acquits(t, f, err, "two questions")

	second := func(session, at byte, state byte) *proof.Opened {
		s := &proof.SegCommit{Session: fill(session, 16), Second: uint32(at), State: fill(state, 32), Inputs: fill(2, 32), Frames: fill(3, 32), Audio: fill(4, 32), App: fill(6, 32)}
		if at > 0 {
			s.Previous = fill(1, 32)
		}
		return sign(t, container, &proof.Statement{Says: &proof.Statement_Segment{Segment: s}})
	}
	f, err = proof.PairFraud(second(1, 4, 1), second(1, 4, 2))
	c = convicts(t, f, err, container, proof.ReasonTwoSeconds)
	f.Epoch = 99 // seconds are of no epoch: whatever it is reported under, it is one misdeed
	if convicts(t, f, nil, container, proof.ReasonTwoSeconds) != c {
		t.Error("the epoch of the report changes what was done")
	}
	f, err = proof.PairFraud(second(1, 4, 1), second(1, 5, 2))
	acquits(t, f, err, "two questions")
	f, err = proof.PairFraud(second(1, 4, 1), second(2, 4, 2))
	acquits(t, f, err, "two questions")

	vote := func(batch uint32, salt byte) *proof.Opened {
		v := goodVote(a)
		v.Batch, v.Salt = batch, fill(salt, 32)
		return sign(t, checker, &proof.Statement{Says: &proof.Statement_Vote{Vote: v}})
	}
	f, err = proof.PairFraud(vote(1, 1), vote(1, 2))
	if c := convicts(t, f, err, checker, proof.ReasonTwoVotes); c.Offence != economics.OffenceEquivocation {
		t.Errorf("%+v", c)
	}
	f, err = proof.PairFraud(vote(1, 1), vote(2, 2))
	acquits(t, f, err, "two questions")

	f, err = proof.PairFraud(vote(1, 1), vote(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	f.Kind = proof.FraudCommits
	if _, err := proof.Check(rules(), f); !errors.Is(err, proof.ErrKind) {
		t.Errorf("two votes as two commits: %v", err)
	}
	pong := sign(t, container, &proof.Statement{Says: &proof.Statement_Pong{Pong: &proof.Pong{Nonce: fill(1, 32), Epoch: epoch, Checker: fill(1, 32)}}})
	if _, err := proof.PairFraud(pong, pong); !errors.Is(err, proof.ErrKind) {
		t.Errorf("two pongs: %v", err)
	}
}

// round is a checker's side of a round: its nonce and its vote on one commit.
func castVote(t *testing.T, r *rendering, tiles uint32, change func(*proof.Finding)) (vote, nonce *proof.Opened, picks []proof.Pick) {
	t.Helper()
	nonce = sign(t, checker, &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: epoch, Nonce: fill(9, 32)}}})
	picks = hashKernel{}.Picks([32]byte(fill(9, 32)), r.commit.Digest, uint32(len(r.roots)), hashTiles, int(tiles))
	work, err := hashKernel{}.Work(proof.Task(chain, epoch, seed), node(container), node(checker), 1, r.roots, picks)
	if err != nil {
		t.Fatal(err)
	}
	f := &proof.Finding{Container: 3, Verdict: proof.VerdictOK, Commit: r.commit.Digest[:], Samples: 2000 * uint64(len(r.roots)), ArrivalMs: 10_010, Work: work[:], Tiles: tiles}
	if change != nil {
		change(f)
	}
	vote = sign(t, checker, &proof.Statement{Says: &proof.Statement_Vote{Vote: &proof.Vote{Epoch: epoch, Salt: fill(4, 32), Findings: []*proof.Finding{f}}}})
	return vote, nonce, picks
}

func TestAVoteWithoutTheWorkConvicts(t *testing.T) {
	r := render(t, container, 3, nil)
	vote, nonce, _ := castVote(t, r, 6, nil)
	f, err := proof.WorkFraud(vote, 0, r.commit, r.roots, nonce, nil)
	acquits(t, f, err, "recomputes")

	lazy, nonce, _ := castVote(t, r, 6, func(f *proof.Finding) { f.Work = fill(7, 32) })
	f, err = proof.WorkFraud(lazy, 0, r.commit, r.roots, nonce, nil)
	convicts(t, f, err, checker, proof.ReasonWork)

	// A copied vote holds the work of another's picks.
	copied, nonce, _ := castVote(t, r, 6, func(f *proof.Finding) {
		theirs, err := hashKernel{}.Work(proof.Task(chain, epoch, seed), node(container), node(other), 1, r.roots, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.Work = theirs[:]
	})
	f, err = proof.WorkFraud(copied, 0, r.commit, r.roots, nonce, nil)
	convicts(t, f, err, checker, proof.ReasonWork)

	none, nonce, _ := castVote(t, r, 6, func(f *proof.Finding) { f.Work, f.Tiles = nil, 0 })
	f, err = proof.WorkFraud(none, 0, r.commit, r.roots, nonce, nil)
	acquits(t, f, err, "claims no work")

	// A nonce of another checker draws other picks, so it proves nothing.
	foreign := sign(t, other, &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: epoch, Nonce: fill(8, 32)}}})
	f, err = proof.WorkFraud(vote, 0, r.commit, r.roots, foreign, nil)
	acquits(t, f, err, "another checker's")
	old := sign(t, checker, &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: epoch - 1, Nonce: fill(8, 32)}}})
	f, err = proof.WorkFraud(vote, 0, r.commit, r.roots, old, nil)
	acquits(t, f, err, "does not belong")
	f, err = proof.WorkFraud(vote, 0, render(t, container, 2, nil).commit, r.roots, nonce, nil)
	acquits(t, f, err, "another commit")
}

func TestWhoVotesOkOverItsOwnWrongTileIsConvicted(t *testing.T) {
	liar := render(t, container, 3, skips)
	vote, nonce, _ := castVote(t, liar, 24, nil) // every tile
	wrong := proof.Pick{Frame: 1, Tile: 5}
	f, err := proof.WorkFraud(vote, 0, liar.commit, liar.roots, nonce, liar.open(wrong))
	convicts(t, f, err, checker, proof.ReasonSawWrong)
	f, err = proof.WorkFraud(vote, 0, liar.commit, liar.roots, nonce, liar.open(proof.Pick{Frame: 1, Tile: 4}))
	acquits(t, f, err, "recomputes")

	// An honest voter whose picks were all right is not to blame for others.
	honest, nonce, picks := castVote(t, liar, 1, nil)
	if picks[0].Tile == 5 {
		t.Fatal("the pick was meant to be a right one")
	}
	f, err = proof.WorkFraud(honest, 0, liar.commit, liar.roots, nonce, liar.open(wrong))
	acquits(t, f, err, "none of this checker's picks")

	bad, nonce, _ := castVote(t, liar, 24, func(f *proof.Finding) { f.Verdict, f.Evidence = proof.VerdictBad, fill(1, 32) })
	f, err = proof.WorkFraud(bad, 0, liar.commit, liar.roots, nonce, liar.open(wrong))
	acquits(t, f, err, "not ok")
}

func TestWhatIsNoEvidenceIsNeverAVerdict(t *testing.T) {
	liar := render(t, container, 3, skips)
	good, err := proof.TileFraud(liar.commit, liar.roots, liar.open(proof.Pick{Tile: 5}))
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		want  error
		spoil func(*tx.FraudProof)
	}{
		"signature":        {proof.ErrSignature, func(f *tx.FraudProof) { f.Signature[0] ^= 1 }},
		"of another node":  {proof.ErrSignature, func(f *tx.FraudProof) { n := node(other); f.Subject = n[:] }},
		"another epoch":    {proof.ErrEpoch, func(f *tx.FraudProof) { f.Epoch++ }},
		"no statement":     {proof.ErrMalformed, func(f *tx.FraudProof) { f.Statement = nil }},
		"junk as evidence": {proof.ErrMalformed, func(f *tx.FraudProof) { f.Evidence = fill(0xff, 40) }},
		"no evidence":      {proof.ErrInnocent, func(f *tx.FraudProof) { f.Evidence = nil }},
		"evidence too big": {proof.ErrTooLarge, func(f *tx.FraudProof) { f.Evidence = fill(1, proof.MaxEvidence+1) }},
		"a kind of others": {proof.ErrUnknown, func(f *tx.FraudProof) { f.Kind = 3 }},
		"as a broken path": {proof.ErrMalformed, func(f *tx.FraudProof) { f.Kind = proof.FraudPath }},
	} {
		f := proto.CloneOf(good)
		x.spoil(f)
		if c, err := proof.Check(rules(), f); !errors.Is(err, x.want) {
			t.Errorf("%s: %+v, %v; want %v", name, c, err, x.want)
		}
	}
	r := rules()
	r.Seed = func(uint64) (seed [32]byte, ok bool) { return seed, false }
	if _, err := proof.Check(r, good); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("without the seed: %v", err)
	}
	r = rules()
	r.Chain = "test-2"
	if _, err := proof.Check(r, good); !errors.Is(err, proof.ErrSignature) {
		t.Errorf("on another network: %v", err)
	}
}

// countingKernel says how many tiles are rendered.
type countingKernel struct {
	hashKernel
	tiles *int
}

func (k countingKernel) CheckTile(task, container [32]byte, size uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error {
	*k.tiles++
	return k.hashKernel.CheckTile(task, container, size, roots, p, leaf, siblings)
}

func (k countingKernel) Work(task, container, checker [32]byte, size uint32, roots [][32]byte, picks []proof.Pick) ([32]byte, error) {
	*k.tiles += len(picks)
	return k.hashKernel.Work(task, container, checker, size, roots, picks)
}

func TestACaseSaysWhatItCostsAndPreparingItIsFree(t *testing.T) {
	liar := render(t, container, 3, skips)
	lazy, nonce, _ := castVote(t, liar, 6, func(f *proof.Finding) { f.Work = fill(7, 32) })
	tile, err := proof.TileFraud(liar.commit, liar.roots, liar.open(proof.Pick{Tile: 5}))
	if err != nil {
		t.Fatal(err)
	}
	work, err := proof.WorkFraud(lazy, 0, liar.commit, liar.roots, nonce, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := proof.PairFraud(liar.commit, render(t, container, 2, nil).commit)
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[*tx.FraudProof]int{tile: 1, work: 6, pair: 0} {
		rendered := 0
		r := rules()
		r.Kernel = countingKernel{tiles: &rendered}
		c, err := proof.Prepare(r, f)
		if err != nil {
			t.Fatal(err)
		}
		_, samples, _ := r.Kernel.Shape(liar.commit.Statement.GetCommit().GetSize())
		if announced := uint64(want) * (samples / hashTiles); rendered != 0 || c.Samples() != announced {
			t.Errorf("kind %d: %d tiles rendered before judging, %d samples announced, want 0 and %d", f.GetKind(), rendered, c.Samples(), announced)
		}
		if v, err := c.Judge(); err != nil || rendered != want || v.Name != c.Name() {
			t.Errorf("kind %d: %v, %d tiles rendered, want %d", f.GetKind(), err, rendered, want)
		}
	}
}
