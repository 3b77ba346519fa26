package round

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// counted checks that every ballot comes to the result of the certificate, under whose name it
// is kept, and returns the files.
func (k *kit) counted(want int) (files []*proof.File) {
	k.t.Helper()
	if len(k.ballots) != want {
		k.t.Fatalf("%d ballots were kept, want %d", len(k.ballots), want)
	}
	for _, b := range k.ballots {
		f, err := proof.ParseFile(b.File)
		if err != nil {
			k.t.Fatal(err)
		}
		out, err := judge.Recount(f)
		if err != nil || !bytes.Equal(out.Bytes, k.certs[0].GetResult()) || b.Result != sha256.Sum256(out.Bytes) {
			k.t.Errorf("ballot of batch %d: %v", b.Batch, err)
		}
		files = append(files, f)
	}
	return files
}

// Whoever attests a result keeps the votes that it follows from.
func TestTheVotesBehindAResultAreKept(t *testing.T) {
	k := newKit(t)
	k.commits()
	k.rest()
	k.result()
	for _, f := range k.counted(5) {
		if n := len(f.GetBallot().GetVotes()); n != 5 {
			t.Errorf("%d votes", n)
		}
		f.GetBallot().Votes[0], f.GetBallot().Members = f.GetBallot().Votes[1], f.GetBallot().GetMembers()[1:]
		if _, err := judge.Recount(f); !errors.Is(err, judge.ErrRecount) {
			t.Errorf("with other votes of other members: %v", err)
		}
	}
}

// The ballot of a batch in which containers lied comes to their verdicts.
func TestTheBallotOfABadVerdict(t *testing.T) {
	k := newKit(t)
	k.answer = func(o *proof.Openings) {
		for _, item := range o.Items {
			item.Leaf[0] ^= 1
		}
	}
	k.commits()
	k.rest()
	for _, f := range k.frauds {
		if _, err := k.check(f.Proof); err != nil {
			t.Error(err)
		}
	}
	if v := k.result().Entries[0].Verdict; v != proof.VerdictBad {
		t.Errorf("verdict %d", v)
	}
	k.counted(5)
}

// A conviction that the ledger made while drafts were on their way: who drafted first had not heard
// of it, the others had. All keep the ballot of what they attest, without that conviction.
func TestTheBallotOfAConvictionThatSomeHeardOf(t *testing.T) {
	k := newKit(t)
	k.commits()
	k.to(k.times.NonceReveal)
	first := slices.IndexFunc(k.rounds, func(r *Round) bool { d := r.duties[0]; return d.draftAt == d.windows.draft })
	if first < 0 {
		t.Fatal("nobody drafts first")
	}
	finder := k.rounds[(first+1)%len(k.rounds)] // drew a wrong tile that the others did not
	s := finder.duties[0].subjects[1]
	f := &tx.FraudProof{Kind: proof.FraudTile, Subject: s.node[:], Epoch: 7, Statement: s.commit.Signed.GetStatement(),
		Signature: s.commit.Signed.GetSignature(), Evidence: []byte("as the ledger judged it")}
	finder.convict(s, proof.ReasonTile)(f, nil)
	for i, r := range k.rounds {
		if i != first {
			r.Convicted(f)
		}
	}
	k.rest()
	if e := k.result().Entries[1]; e.Verdict != proof.VerdictOK {
		t.Errorf("the first draft came from one who knew: %+v", e)
	}
	for _, f := range k.counted(5) {
		if n := len(f.GetBallot().GetProven()); n != 0 {
			t.Errorf("a ballot names %d convictions that its result was made without", n)
		}
	}
}

// Of a batch that was attested before a restart the ballot is kept once the votes were heard
// again.
func TestABallotAfterARestart(t *testing.T) {
	k := newKit(t)
	k.commits()
	var me int
	for i, r := range k.rounds { // not who drafts first
		if d := r.duties[0]; d.draftAt > d.windows.draft {
			me = i
		}
	}
	d := k.rounds[me].duties[0]
	for _, at := range k.moments() {
		if at > k.now && at < d.windows.draft {
			k.to(at)
		}
	}
	// the others go on, and this one hears their drafts only after it was restored
	heard := len(k.said)
	saved, err := k.rounds[me].Save()
	if err != nil {
		t.Fatal(err)
	}
	was := k.rounds[me]
	k.rest()
	k.result()
	k.ballots = nil
	again, err := Restore(k.setup(was.Me()), saved)
	if err != nil {
		t.Fatal(err)
	}
	k.now = d.windows.attestBy - 1
	var todo []Action
	todo = append(todo, again.At(k.now)...)
	for _, o := range k.said[heard:] {
		if o.Signer != was.Me() {
			more, _ := again.Heard(k.now, o)
			todo = append(todo, more...)
		}
	}
	for _, a := range todo {
		if b, ok := a.(Ballot); ok {
			k.ballots = append(k.ballots, b)
		}
	}
	k.counted(1)
}
