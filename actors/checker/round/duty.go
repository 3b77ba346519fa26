package round

import (
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// windows are the moments of one attempt at a batch, unix ms, in rising order. What this
// checker does stands well inside of what it takes of others, so that clocks may differ by
// the gaps: between the moments at which votes are bound and revealed, a quarter of the
// time that the epoch gives to each.
type windows struct {
	ask      uint64 // containers are asked from here on
	vote     uint64 // the vote is made and bound
	voteBy   uint64 // votes that others bound before are wanted
	bound    uint64 // votes bound after are not taken
	reveal   uint64 // this checker's vote is revealed
	revealBy uint64 // votes that others revealed before are wanted
	draft    uint64 // the member ranked first drafts
	attestBy uint64
}

// windowsOf divides the time: open to vote by, reveal by and attest by.
func windowsOf(ask, open, voteBy, revealBy, attestBy uint64) windows {
	w := windows{ask: ask, voteBy: voteBy, revealBy: revealBy, attestBy: attestBy}
	w.vote = open + (voteBy-open)/4
	w.bound = voteBy + (revealBy-voteBy)/8
	w.reveal = voteBy + (revealBy-voteBy)/4
	w.draft = revealBy + (attestBy-revealBy)/8
	return w
}

func (w *windows) moments() [6]uint64 {
	return [6]uint64{w.ask, w.vote, w.reveal, w.revealBy, w.draft, w.attestBy}
}

// slot is the time that each member has to draft before the next one does.
func (w *windows) slot(members int) uint64 {
	return (w.attestBy - w.draft) / uint64(2*max(members, 1))
}

// duty is one batch that this checker judges.
type duty struct {
	batch, attempt uint32
	members        []key.Node // of the committee or the reserve, this checker among them
	subjects       []*subject // the containers, in the batch's order
	windows        windows
	certified      bool // on the ledger

	vote     *proof.Opened // this checker's, made
	promised bool          // its VoteCommit is published
	revealed bool
	restored bool // made before a restart
	crossed  bool // others' work was looked at

	ballots map[key.Node]*ballot
	drafts  []*draft        // in the order heard
	waiting []*proof.Opened // drafts that name votes not heard yet, at most one for each member

	attested [32]byte // digest of the result that this checker attests; zero = none
	draftAt  uint64   // when it drafts itself, 0 = never
	submitAt uint64   // when it submits, 0 = not yet
	sent     bool
}

// ballot is what one member said on one batch.
type ballot struct {
	bound  *proof.Opened // its VoteCommit
	wanted bool          // bound in time beyond doubt
	vote   *proof.Opened // the one that it is bound to
	stray  *proof.Opened // another one
	missed bool          // revealed too late to be wanted
	double bool          // it said two things
}

// draft is a result and who attests it.
type draft struct {
	digest [32]byte
	result []byte
	votes  [][]byte
	by     map[key.Node][]byte // signatures
}

func (r *Round) newDuty(a judge.Duty) *duty {
	t := r.s.Times
	b := &r.s.Assignment.Batches[a.Batch]
	d := &duty{batch: uint32(a.Batch), attempt: a.Attempt, ballots: map[key.Node]*ballot{}}
	d.members = b.Members(a.Attempt)
	d.windows = windowsOf(t.NonceReveal, t.OpeningsBy, t.VoteBy, t.RevealBy, t.AttestBy)
	if a.Attempt != 0 {
		d.windows = windowsOf(t.AttestBy, t.ReserveOpeningsBy, t.ReserveVoteBy, t.ReserveRevealBy, t.ReserveAttestBy)
	}
	for _, m := range d.members {
		if r.peers[m] == nil {
			r.peers[m] = &peer{}
		}
		d.ballots[m] = &ballot{}
	}
	for i, c := range b.Containers {
		d.subjects = append(d.subjects, &subject{node: c, standing: r.s.Standing(c)})
		r.where[c] = placeOf{d, i}
	}
	// Each member drafts in its turn, should those before it not have.
	d.draftAt = d.windows.draft + uint64(judge.Rank(r.seed, d.batch, d.attempt, d.members, r.me))*d.windows.slot(len(d.members))
	return d
}

// advance does what has fallen due for one batch.
func (r *Round) advance(now uint64, d *duty) (todo []Action) {
	if d.certified || now < d.windows.ask {
		return nil
	}
	for _, s := range d.subjects {
		todo = append(todo, r.check(now, d, s)...)
	}
	if d.vote == nil && now >= d.windows.vote && now < d.windows.voteBy {
		d.vote = r.sign(&proof.Statement{Says: &proof.Statement_Vote{Vote: r.makeVote(d)}})
	}
	if d.vote != nil && !d.promised && now < d.windows.voteBy {
		d.promised = true
		todo = append(todo, Publish{d.batch, r.promise(d)})
	}
	// After a restart nobody knows whether the vote went out, so it goes again.
	if !d.revealed && now >= d.windows.reveal && (d.promised && now < d.windows.revealBy || d.restored && now < d.windows.attestBy) {
		d.revealed = true
		todo = append(todo, Publish{d.batch, d.vote})
	}
	if d.revealed && !d.crossed && now >= d.windows.revealBy {
		d.crossed = true
		todo = append(todo, r.cross(d)...)
	}
	todo = append(todo, r.drafting(now, d)...)
	return append(todo, r.submit(now, d)...)
}

// promise binds this checker to its vote, which it enters among the others'. The digest
// is that of the statement, which names its checker: nobody else can reveal it as their own.
func (r *Round) promise(d *duty) *proof.Opened {
	mine := d.ballots[r.me]
	mine.wanted, mine.vote = true, d.vote
	mine.bound = r.sign(&proof.Statement{Says: &proof.Statement_VoteCommit{VoteCommit: &proof.VoteCommit{
		Epoch: r.epoch, Batch: d.batch, Attempt: d.attempt, Digest: d.vote.Digest[:]}}})
	return mine.bound
}
