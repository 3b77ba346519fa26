package round

import (
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/proof"
)

// A container that is gone when it is asked, and back before votes are made, is asked again
// and loses nothing.
func TestAContainerThatComesBackIsAskedAgain(t *testing.T) {
	k := newKit(t)
	k.unanswer = true
	k.commits()
	w := k.rounds[0].duties[0].windows
	for _, at := range k.moments() {
		k.unanswer = at < w.ask+(w.vote-w.ask)/2
		k.to(at)
	}
	for i, e := range k.result().Entries {
		if e.Verdict != proof.VerdictOK {
			t.Errorf("container %d: %v", i, e)
		}
	}
}

// What a checker found out about a container before it was killed stands in its vote.
func TestWhatWasFoundOutlivesAKill(t *testing.T) {
	k := newKit(t)
	k.commits()
	if _, _, err := k.rounds[0].Committed(k.now, k.container(0), k.commit(0, func(c *proof.CapCommit) { c.Frames = 11 }), 20); err == nil {
		t.Fatal("two commitments were taken")
	}
	data, err := k.rounds[0].Save()
	if err != nil {
		t.Fatal(err)
	}
	if k.rounds[0], err = Restore(k.setup(k.rounds[0].Me()), data); err != nil {
		t.Fatal(err)
	}
	k.rest()
	for _, o := range k.said {
		v := o.Statement.GetVote()
		if v == nil || o.Signer != k.rounds[0].Me() {
			continue
		}
		if f := v.GetFindings()[0]; f.GetVerdict() != proof.VerdictBad || f.GetReason() != uint32(proof.ReasonTwoCommits) {
			t.Errorf("it voted %v", f)
		}
		return
	}
	t.Error("it did not vote")
}

// Whether an attestation got out before a kill nobody knows: it is given again, the same one,
// and never another.
func TestAnAttestationIsGivenAgainAfterAKill(t *testing.T) {
	k := newKit(t)
	k.commits()
	for _, at := range k.moments() {
		if at > k.times.RevealBy {
			break
		}
		k.to(at)
	}
	for i := range k.rounds {
		k.silent[i] = true
	}
	var draft *proof.Opened
	for at := k.now + 1_000; draft == nil && at < k.times.AttestBy; at += 1_000 {
		k.to(at)
		if i := slices.IndexFunc(k.said, func(o *proof.Opened) bool { return o.Kind() == proof.KindDraft }); i >= 0 {
			draft = k.said[i]
		}
	}
	if draft == nil {
		t.Fatal("nobody drafted")
	}
	n := slices.IndexFunc(k.rounds, func(r *Round) bool { return r.Me() != draft.Signer })
	attested := func() (results [][32]byte) {
		todo, err := k.rounds[n].Heard(k.now, draft)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range todo {
			if p, ok := a.(Publish); ok && p.Opened.Kind() == proof.KindDraft {
				results = append(results, sha256.Sum256(p.Opened.Statement.GetDraft().GetResult()))
			}
		}
		return results
	}
	first := attested()
	data, err := k.rounds[n].Save()
	if err != nil {
		t.Fatal(err)
	}
	if k.rounds[n], err = Restore(k.setup(k.rounds[n].Me()), data); err != nil {
		t.Fatal(err)
	}
	if again := attested(); len(first) != 1 || !slices.Equal(first, again) {
		t.Errorf("it attested %x, and after the kill %x", first, again)
	}
}

// A proof file that a round makes is one, and is what the vote names.
func TestProofFilesOfARoundCanBeRead(t *testing.T) {
	k := newKit(t)
	k.answer = func(o *proof.Openings) { o.Items[3].Siblings[1][0] ^= 1 }
	k.commits()
	k.rest()
	if len(k.frauds) == 0 {
		t.Fatal("no fraud proof")
	}
	for _, f := range k.frauds {
		file, err := proof.ParseFile(f.File)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := file.Convict(proof.Rules{Kernel: cheap()}); err != nil || v.Guilty != f.Accused {
			t.Errorf("%+v, %v", v, err)
		}
	}
	evidence := sha256.Sum256(k.frauds[0].File)
	if !slices.ContainsFunc(k.said, func(o *proof.Opened) bool {
		return slices.ContainsFunc(o.Statement.GetVote().GetFindings(), func(f *proof.Finding) bool { return string(f.GetEvidence()) == string(evidence[:]) })
	}) {
		t.Error("no vote names the file")
	}
}
