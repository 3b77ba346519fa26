package round

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// untouched says that what was refused changed no verdict: the round ends as if nobody had
// said it.
func untouched(t *testing.T, k *kit) {
	t.Helper()
	k.answer = nil
	k.commits()
	k.rest()
	for i, e := range k.result().Entries {
		if e.Verdict != proof.VerdictOK {
			t.Errorf("container %d: %v", i, e)
		}
	}
	if len(k.frauds) != 0 || k.result().Wrong != 0 {
		t.Errorf("%d fraud proofs, wrong %b", len(k.frauds), k.result().Wrong)
	}
}

func TestRefusedCommitments(t *testing.T) {
	for name, c := range map[string]struct {
		at     func(k *kit) uint64
		change func(*proof.CapCommit)
		from   func(k *kit) key.Node
		want   error
	}{
		"of another epoch":           {change: func(c *proof.CapCommit) { c.Epoch = 6 }, want: ErrForeign},
		"of a size there is not":     {change: func(c *proof.CapCommit) { c.Size = 99 }, want: ErrMalformed},
		"by a clock minutes ahead":   {at: func(k *kit) uint64 { return k.times.T0 - 1 }, want: ErrEarly},
		"by a clock minutes behind":  {at: func(k *kit) uint64 { return k.times.OpeningsBy + 1 }, want: ErrClosed},
		"brought by somebody else":   {from: func(k *kit) key.Node { return k.container(1) }, want: ErrMember},
		"by none of its containers":  {from: func(k *kit) key.Node { return k.rounds[1].Me() }, want: ErrMember},
		"of no container's duty yet": {from: func(k *kit) key.Node { return key.Node{1} }, want: ErrMember},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			at, from := k.times.T0+1_000, k.container(0)
			if c.at != nil {
				at = c.at(k)
			}
			if c.from != nil {
				from = c.from(k)
			}
			o := k.commit(0, c.change)
			if name == "by none of its containers" {
				o = k.sign(from, o.Statement)
			}
			for _, r := range k.rounds {
				if _, todo, err := r.Committed(at, from, o, 5); !errors.Is(err, c.want) || todo != nil || r.Refused(c.want) != 1 {
					t.Errorf("%v, %v, counted %d", err, todo, r.Refused(c.want))
				}
			}
			untouched(t, k)
		})
	}
}

func TestRefusedOpenings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*proof.Openings)
		want   error
	}{
		"of another epoch":       {func(o *proof.Openings) { o.Epoch = 8 }, ErrForeign},
		"for another checker":    {func(o *proof.Openings) { o.Checker = bytes.Repeat([]byte{2}, 32) }, ErrForeign},
		"of another commitment":  {func(o *proof.Openings) { o.Commit = bytes.Repeat([]byte{2}, 32) }, ErrForeign},
		"a tile too few":         {func(o *proof.Openings) { o.Items = o.Items[1:] }, ErrMalformed},
		"a root too few":         {func(o *proof.Openings) { o.Roots = o.Roots[:frames-1]; o.Items = o.Items[:1]; o.Items[0].Frame = 0 }, ErrMalformed},
		"in another order":       {func(o *proof.Openings) { o.Items[0], o.Items[1] = o.Items[1], o.Items[0] }, ErrMalformed},
		"a sibling too few":      {func(o *proof.Openings) { o.Items[0].Siblings = o.Items[0].Siblings[1:] }, ErrMalformed},
		"a sibling too many":     {func(o *proof.Openings) { o.Items[0].Siblings = append(o.Items[0].Siblings, o.Items[0].Leaf) }, ErrMalformed},
		"a frame out of range":   {func(o *proof.Openings) { o.Items[0].Frame = frames - 1; o.Items[0].Tile = 15 }, ErrMalformed},
		"a tile that is nowhere": {func(o *proof.Openings) { o.Items[0].Tile = 16 }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			k.commits()
			for _, a := range k.rounds[0].At(k.times.NonceReveal) {
				ask, ok := a.(Ask)
				if !ok {
					k.do(0, []Action{a})
					continue
				}
				k.now, k.answer = k.times.NonceReveal, c.change
				if todo, err := k.rounds[0].Opened(k.now, ask.Container, k.open(ask, k.rounds[0].Me())); !errors.Is(err, c.want) || todo != nil {
					t.Errorf("%v, %v", err, todo)
				}
				// The question stands: a right answer is taken all the same.
				k.answer = nil
				todo, err := k.rounds[0].Opened(k.now, ask.Container, k.open(ask, k.rounds[0].Me()))
				if err != nil {
					t.Error(err)
				}
				if _, err := k.rounds[0].Opened(k.now, ask.Container, k.open(ask, k.rounds[0].Me())); !errors.Is(err, ErrDuplicate) {
					t.Error(err)
				}
				k.do(0, todo)
			}
			untouched(t, k)
		})
	}
}

func TestRefusedGossip(t *testing.T) {
	nonce := func(epoch uint64, b byte) *proof.Statement {
		return &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: epoch, Nonce: bytes.Repeat([]byte{b}, 32)}}}
	}
	bind := func(epoch uint64) *proof.Statement {
		return &proof.Statement{Says: &proof.Statement_NonceCommit{NonceCommit: &proof.NonceCommit{Epoch: epoch, Digest: bytes.Repeat([]byte{1}, 32)}}}
	}
	promise := func(epoch uint64, batch, attempt uint32) *proof.Statement {
		return &proof.Statement{Says: &proof.Statement_VoteCommit{VoteCommit: &proof.VoteCommit{Epoch: epoch, Batch: batch, Attempt: attempt, Digest: bytes.Repeat([]byte{1}, 32)}}}
	}
	voter := newKit(t).rounds[1].Me()
	vote := func(epoch uint64) *proof.Statement {
		return &proof.Statement{Says: &proof.Statement_Vote{Vote: &proof.Vote{Epoch: epoch, Salt: bytes.Repeat([]byte{1}, 32), Checker: voter[:],
			Findings: []*proof.Finding{{Verdict: proof.VerdictAbsent}}}}}
	}
	k := newKit(t)
	t0 := k.times.T0
	for name, c := range map[string]struct {
		at   uint64
		by   key.Node
		says *proof.Statement
		want error
	}{
		"a nonce of another epoch":         {t0, k.rounds[1].Me(), nonce(8, 1), ErrForeign},
		"a nonce that nobody bound":        {t0, k.rounds[1].Me(), nonce(7, 1), ErrReveal},
		"a binding of another epoch":       {t0, k.rounds[1].Me(), bind(6), ErrForeign},
		"a binding by a container":         {t0, k.container(0), bind(7), ErrMember},
		"a promise of another epoch":       {t0, k.rounds[1].Me(), promise(8, 0, 0), ErrForeign},
		"a promise on another batch":       {t0, k.rounds[1].Me(), promise(7, 5, 0), ErrForeign},
		"a promise by the reserve":         {t0, k.rounds[1].Me(), promise(7, 0, 1), ErrForeign},
		"a promise after others revealed":  {k.rounds[0].duties[0].windows.reveal, k.rounds[1].Me(), promise(7, 0, 0), ErrClosed},
		"a vote that nobody bound":         {k.times.VoteBy, k.rounds[1].Me(), vote(7), ErrReveal},
		"a vote of another epoch":          {k.times.VoteBy, k.rounds[1].Me(), vote(9), ErrForeign},
		"a vote after the end":             {k.times.End, k.rounds[1].Me(), vote(7), ErrClosed},
		"a statement that is not gossiped": {t0, k.rounds[1].Me(), k.commit(0, nil).Statement, ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			if todo, err := k.rounds[0].Heard(c.at, k.sign(c.by, c.says)); !errors.Is(err, c.want) || todo != nil {
				t.Errorf("%v, %v", err, todo)
			}
			if k.rounds[0].Refused(c.want) == 0 {
				t.Error("not counted")
			}
		})
	}
	untouched(t, k)
}

// TestNoncesAreBoundInTime: while more of the window is still to come than a commitment would
// need that a nonce could be chosen for.
func TestNoncesAreBoundInTime(t *testing.T) {
	k := newKit(t)
	late := k.times.NonceBy + k.params.GraceMS
	if left := k.times.T0 + k.params.DurMS - late; left < k.params.DurMS/3 {
		t.Errorf("nonces are taken until %d ms before rendering ends", left)
	}
	fresh := func() *Round {
		r, err := New(k.setup(k.rounds[0].Me()))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	theirs := k.rounds[1].bound
	if _, err := fresh().Heard(late, theirs); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := fresh().Heard(late-1, theirs); err != nil {
		t.Error(err)
	}
	for at, want := range map[uint64]int{k.times.NonceBy - 1: 1, k.times.NonceBy: 0} {
		said := 0
		for _, a := range fresh().At(at) {
			if p, ok := a.(Publish); ok && p.Opened.Statement.GetNonceCommit() != nil {
				said++
			}
		}
		if said != want {
			t.Errorf("%d ms into the round: %d nonces bound", at-k.times.T0, said)
		}
	}
}

// TestACopiedVoteCountsNothing binds a member to the digest of another's vote, and lets it
// repeat that vote once it is revealed.
func TestACopiedVoteCountsNothing(t *testing.T) {
	k := newKit(t)
	k.commits()
	w := k.rounds[0].duties[0].windows
	k.silent[1] = true
	for _, at := range k.moments() {
		if at <= w.voteBy {
			k.to(at)
		}
	}
	thief := k.rounds[1].Me()
	theirs := k.rounds[0].duties[0].ballots[k.rounds[0].Me()].bound.Statement
	for i, r := range k.rounds {
		if i != 1 {
			if _, err := r.Heard(k.now, k.sign(thief, theirs)); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.to(w.reveal)
	stolen := k.rounds[0].duties[0].vote.Statement
	if _, err := proof.Sign(chain, k.keys[thief], stolen); !errors.Is(err, proof.ErrMalformed) {
		t.Errorf("another's vote can be signed: %v", err)
	}
	mine := proto.Clone(stolen).(*proof.Statement)
	mine.GetVote().Checker = thief[:]
	for i, r := range k.rounds {
		if i > 1 {
			if _, err := r.Heard(k.now, k.sign(thief, mine)); !errors.Is(err, ErrReveal) {
				t.Error(err)
			}
		}
	}
	k.rest()
	if got := k.result().Correct; got != 0b11101 {
		t.Errorf("correct %05b", got)
	}
}

// TestADraftThatLeavesOutAVoteIsRefused by whose it is, and by all who have it while the
// first in rank draft.
func TestADraftThatLeavesOutAVoteIsRefused(t *testing.T) {
	k := newKit(t)
	k.commits()
	w := k.rounds[0].duties[0].windows
	for at := k.now; at < w.draft; at += 1_000 {
		k.to(at)
	}
	r := k.rounds[0]
	d := r.duties[0]
	var votes []*proof.Opened
	for _, o := range k.said {
		if o.Statement.GetVote() != nil && o.Signer != k.rounds[4].Me() {
			votes = append(votes, o)
		}
	}
	result, ok := r.judge(d, votes, false)
	if !ok || len(votes) != 4 {
		t.Fatal(len(votes))
	}
	o := r.sign(&proof.Statement{Says: &proof.Statement_Draft{Draft: &proof.Draft{Epoch: 7, Result: result, Votes: digests(votes), Attestation: r.attest(d, result)}}})
	for i := 1; i < 5; i++ {
		if _, err := k.rounds[i].Heard(w.draft, o); !errors.Is(err, ErrDraft) {
			t.Errorf("member %d: %v", i, err)
		}
	}
	forged := r.sign(&proof.Statement{Says: &proof.Statement_Draft{Draft: &proof.Draft{Epoch: 7, Result: result, Votes: digests(votes), Attestation: make([]byte, 64)}}})
	if _, err := k.rounds[2].Heard(w.draft, forged); !errors.Is(err, ErrDraft) && !errors.Is(err, ErrDuplicate) {
		t.Error(err)
	}
	k.rest()
	if k.result().Correct != 0b11111 {
		t.Errorf("correct %b", k.result().Correct)
	}
}

func FuzzRestore(f *testing.F) {
	k := newKit(f)
	k.commits()
	k.to(k.times.NonceReveal)
	for at := k.now; at < k.rounds[0].duties[0].windows.draft; at += 1_000 {
		k.to(at)
	}
	data, err := k.rounds[0].Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"epoch":7}`))
	setup := k.setup(k.rounds[0].Me())
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Restore(setup, data)
		if err != nil {
			if !errors.Is(err, ErrSaved) {
				t.Fatal(err)
			}
			return
		}
		for _, at := range []uint64{setup.Times.Start, setup.Times.NonceReveal, setup.Times.VoteBy - 1, setup.Times.RevealBy, setup.Times.End - 1} {
			r.At(at)
		}
	})
}

// FuzzHear lets anybody say anything that is signed, at any time.
func FuzzHear(f *testing.F) {
	k := newKit(f)
	k.commits()
	k.rest()
	for _, o := range k.said {
		f.Add(o.Raw, uint64(300_000))
	}
	f.Add(k.commit(0, nil).Raw, uint64(190_000))
	f.Fuzz(func(t *testing.T, raw []byte, at uint64) {
		o, err := proof.Decode(raw)
		if err != nil {
			return
		}
		k := newKit(t)
		now := k.times.Start + at%k.params.EpochMS
		r := k.rounds[0]
		for _, err := range []error{
			second(r.Heard(now, o)),
			third(r.Committed(now, o.Signer, o, 5)),
			second(r.Opened(now, o.Signer, o)),
		} {
			if err != nil && !known(err) {
				t.Error(err)
			}
		}
		r.At(now)
	})
}

func second(_ []Action, err error) error            { return err }
func third(_ [32]byte, _ []Action, err error) error { return err }

func known(err error) bool {
	for _, kind := range refusals {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
