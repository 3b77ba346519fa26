package round

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestRoundEndsInACertificate(t *testing.T) {
	k := newKit(t)
	k.commits()
	k.rest()
	res := k.result()
	for i, e := range res.Entries {
		if e.Verdict != proof.VerdictOK || e.RPMilli == 0 {
			t.Errorf("container %d: %v", i, e)
		}
	}
	if res.Correct != 0b11111 || res.Wrong != 0 {
		t.Errorf("correct %b, wrong %b", res.Correct, res.Wrong)
	}
	if len(k.certs) != 1 || len(k.frauds) != 0 {
		t.Errorf("%d certificates, %d fraud proofs", len(k.certs), len(k.frauds))
	}
	if err := k.certs[0].VerifyBy(chain, k.rounds[0].duties[0].members); err != nil || k.certs[0].Attested() != 3 {
		t.Errorf("%d attestations: %v", k.certs[0].Attested(), err)
	}
}

func TestSilentMembersAreReplaced(t *testing.T) {
	k := newKit(t)
	for i, r := range k.rounds {
		// All but those who draft last: nobody hears the first two.
		if d := r.duties[0]; d.draftAt < d.windows.draft+2*d.windows.slot(5) {
			k.silent[i] = true
		}
	}
	if len(k.silent) != 2 {
		t.Fatal(k.silent)
	}
	k.commits()
	k.rest()
	res := k.result()
	if res.Entries[0].Verdict != proof.VerdictOK {
		t.Error(res)
	}
	for i := range k.rounds {
		if got := res.Correct>>i&1 == 1; got == k.silent[i] {
			t.Errorf("member %d, silent %t, is correct %t", i, k.silent[i], got)
		}
	}
}

func TestAbsentLateAndBusy(t *testing.T) {
	k := newKit(t)
	k.now = k.times.CommitBy + 1
	for i, r := range k.rounds {
		_, todo, err := r.Committed(k.now, k.container(0), k.commit(0, nil), 20)
		if err != nil {
			t.Fatal(err)
		}
		k.do(i, todo)
	}
	k.rest()
	if e := k.result().Entries; e[0].Verdict != proof.VerdictLate || e[1].Verdict != proof.VerdictAbsent {
		t.Error(e)
	}

	k = newKit(t)
	k.now = k.times.T0 + 100
	session := bytes.Repeat([]byte{5}, 16)
	busy := func(c *proof.CapCommit) {
		c.Frames, c.Roots, c.Busy = 0, nil, &proof.Busy{Session: session}
	}
	for i, r := range k.rounds {
		r.s.InSession = func(n key.Node, s []byte) bool { return n == k.container(0) && bytes.Equal(s, session) }
		for place := range 2 {
			_, todo, err := r.Committed(k.now, k.container(place), k.commit(place, busy), 20)
			if err != nil {
				t.Fatal(err)
			}
			k.do(i, todo)
		}
	}
	k.rest()
	if e := k.result().Entries; e[0].Verdict != proof.VerdictBusy ||
		e[1].Verdict != proof.VerdictRefused || e[1].Reason != proof.ReasonNoSession {
		t.Error(e)
	}
}

func TestUnopenedIsBadAndNotSlashed(t *testing.T) {
	k := newKit(t)
	k.unanswer = true
	k.commits()
	k.rest()
	if e := k.result().Entries[0]; e.Verdict != proof.VerdictBad || e.Reason != proof.ReasonUnopened {
		t.Error(e)
	}
	if len(k.frauds) != 0 {
		t.Error(k.frauds)
	}
}

func TestEveryFraudConvicts(t *testing.T) {
	flip := func(b []byte) { b[0] ^= 1 }
	for name, c := range map[string]struct {
		lie    func(k *kit)
		reason proof.Reason
	}{
		"a wrong tile": {func(k *kit) {
			r := k.chains[k.container(0)]
			for _, leaves := range r.leaves {
				for t := range leaves {
					flip(leaves[t][:])
				}
			}
			for i := range r.roots {
				r.roots[i] = rootOf(r.leaves[i])
			}
		}, proof.ReasonTile},
		"a broken path": {func(k *kit) {
			k.answer = func(o *proof.Openings) { flip(o.Items[3].Siblings[1]) }
		}, proof.ReasonPath},
		"other roots than committed": {func(k *kit) {
			k.answer = func(o *proof.Openings) { o.Roots[2] = bytes.Repeat([]byte{1}, 32) }
		}, proof.ReasonRoots},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			c.lie(k)
			k.commits()
			k.rest()
			if e := k.result().Entries[0]; e.Verdict != proof.VerdictBad || e.Reason != c.reason {
				t.Error(e)
			}
			if len(k.frauds) == 0 {
				t.Fatal("no fraud proof")
			}
			for _, f := range k.frauds {
				if got, err := k.check(f.Proof); err != nil || got.Reason != c.reason || got.Guilty != f.Accused {
					t.Errorf("%v, %v", got, err)
				}
			}
		})
	}
}

func TestTwoCommitsConvict(t *testing.T) {
	k := newKit(t)
	k.commits()
	have, todo, err := k.rounds[0].Committed(k.now, k.container(0), k.commit(0, func(c *proof.CapCommit) { c.Frames = 11 }), 20)
	if !errors.Is(err, ErrDuplicate) || have != k.commit(0, nil).Digest {
		t.Error(have, err)
	}
	k.do(0, todo)
	if len(k.frauds) != 1 {
		t.Fatal(k.frauds)
	}
	if got, err := k.check(k.frauds[0].Proof); err != nil || got.Reason != proof.ReasonTwoCommits {
		t.Error(got, err)
	}
}

func TestMadeUpWorkConvicts(t *testing.T) {
	k := newKit(t)
	k.now = k.times.T0 + k.params.DurMS + 40
	k.commits()
	// Member 0 renders nothing and says that it did.
	for _, a := range k.rounds[0].At(k.times.NonceReveal) {
		switch a := a.(type) {
		case Ask:
			k.now = k.times.NonceReveal
			todo, err := k.rounds[0].Opened(k.now, a.Container, k.open(a, k.rounds[0].Me()))
			if err != nil {
				t.Fatal(err)
			}
			k.rounds[0].Verified(k.now, Checked{Job: todo[0].(Verify).Job, Wrong: -1, Work: [32]byte{9}})
		case Publish:
			k.do(0, []Action{a})
		}
	}
	k.rest()
	if len(k.frauds) != 4 {
		t.Fatalf("%d of the four others prove it", len(k.frauds))
	}
	for _, f := range k.frauds {
		if got, err := k.check(f.Proof); err != nil || got.Reason != proof.ReasonWork || got.Guilty != k.rounds[0].Me() {
			t.Error(got, err)
		}
	}
	// The next of its batch who draft know of it when the ledger does.
	if k.result().Entries[0].Verdict != proof.VerdictOK {
		t.Error(k.result())
	}
}

func TestConvictionsOutweighVotes(t *testing.T) {
	k := newKit(t)
	k.commits()
	k.to(k.times.NonceReveal)
	// One member saw a wrong tile that the others did not draw.
	s := k.rounds[4].duties[0].subjects[1]
	f := &tx.FraudProof{Kind: proof.FraudTile, Subject: s.node[:], Epoch: 7, Statement: s.commit.Signed.GetStatement(),
		Signature: s.commit.Signed.GetSignature(), Evidence: []byte("as the ledger judged it")}
	k.rounds[4].convict(s, proof.ReasonTile)(f, nil)
	for _, r := range k.rounds {
		r.Convicted(f)
	}
	k.rest()
	if e := k.result().Entries[1]; e.Verdict != proof.VerdictBad || e.Reason != proof.ReasonTile {
		t.Error(e)
	}
	if got := k.result().Wrong; got != 0 {
		t.Errorf("wrong %b", got)
	}
	k.counted(5)
}

// TestRestartAnywhere saves and restores a member at each second of the epoch: it never
// signs two answers to one question, and the round ends as it does without.
func TestRestartAnywhere(t *testing.T) {
	for n := 0; n < 5; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			k := newKit(t)
			restart := func() {
				data, err := k.rounds[n].Save()
				if err != nil {
					t.Fatal(err)
				}
				if k.rounds[n], err = Restore(k.setup(k.rounds[n].Me()), data); err != nil {
					t.Fatal(err)
				}
				if again, _ := k.rounds[n].Save(); !bytes.Equal(again, data) {
					t.Fatalf("saved %s\nrestored %s", data, again)
				}
			}
			restart()
			k.commits()
			for _, at := range k.moments() {
				restart()
				k.to(at)
			}
			if res := k.result(); res.Entries[0].Verdict != proof.VerdictOK {
				t.Error(res)
			}
			seen := map[string][32]byte{}
			for _, o := range k.said {
				kind := fmt.Sprint(o.Kind(), o.Signer)
				if had, ok := seen[kind]; ok && had != o.Digest && o.Kind() != proof.KindDraft {
					t.Errorf("%s said two things as %s", o.Signer, o.Kind())
				}
				seen[kind] = o.Digest
			}
		})
	}
}
