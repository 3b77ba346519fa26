package cheat

import (
	"crypto/ed25519"
	"crypto/sha256"

	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Liar stands between a round and what carries out its actions. The zero Cheat is honest.
type Liar struct {
	cheat Cheat
	chain string
	key   ed25519.PrivateKey
	who   map[key.Node]bool // whom the lie is about
	up    bool              // it lies for them, not against them

	votes map[uint32]*proof.Opened // of others, by batch
	mine  map[uint32]*proof.Opened
}

// NewLiar makes a checker that cheats. About is the containers that its lies are about;
// empty means all. A collusion of at most N lies for them, a larger one against them.
func NewLiar(c Cheat, chain string, k ed25519.PrivateKey, about []key.Node, n int) *Liar {
	l := &Liar{cheat: c, chain: chain, key: k, up: c.Value <= n, who: map[key.Node]bool{},
		votes: map[uint32]*proof.Opened{}, mine: map[uint32]*proof.Opened{}}
	for _, a := range about {
		l.who[a] = true
	}
	return l
}

func (l *Liar) about(container key.Node) bool { return len(l.who) == 0 || l.who[container] }

// Run does a job, or says that it did.
func (l *Liar) Run(j *round.Job) round.Checked {
	if !j.Own() || !l.about(j.Container) {
		return j.Run()
	}
	switch {
	case l.cheat.Name == "lazy":
		return round.Checked{Job: j, Wrong: -1, Work: invented(j.Container[:], j.Checker[:])}
	case l.cheat.Name == "collude" && l.up:
		// Its own word must hold when another renders its tiles again, so it renders them.
		work, err := j.Work()
		return round.Checked{Job: j, Wrong: -1, Work: work, Err: err}
	case l.cheat.Name == "collude":
		return round.Checked{Job: j, Wrong: 0}
	}
	return j.Run()
}

// Takes says whether the liar admits that it got a commitment.
func (l *Liar) Takes(container key.Node) bool {
	return l.cheat.Name != "downtime" || !l.about(container)
}

// Measured is what the liar says it measured.
func (l *Liar) Measured(container key.Node, pings, pongs uint32) (uint32, uint32) {
	if l.cheat.Name == "downtime" && l.about(container) {
		return pings, 0
	}
	return pings, pongs
}

// Out is what the liar does instead of what its round wants.
func (l *Liar) Out(todo []round.Action) []round.Action {
	var out []round.Action
	for _, a := range todo {
		p, ok := a.(round.Publish)
		if !ok || p.Opened.Statement.GetVote() == nil {
			out = append(out, a)
			continue
		}
		switch l.cheat.Name {
		case "equivocate":
			out = append(out, a, round.Publish{Batch: p.Batch, Opened: l.resign(p.Opened, nil)})
		case "copy":
			// Its own vote waits until there is one to copy.
			l.mine[p.Batch] = p.Opened
			out = append(out, l.copied(p.Batch)...)
		default:
			out = append(out, a)
		}
	}
	return out
}

// Heard lets the liar listen to what others gossip, beside its round.
func (l *Liar) Heard(o *proof.Opened) []round.Action {
	v := o.Statement.GetVote()
	if l.cheat.Name != "copy" || v == nil || l.votes[v.GetBatch()] != nil || string(o.Signer[:]) == string(l.key[ed25519.SeedSize:]) {
		return nil
	}
	l.votes[v.GetBatch()] = o
	return l.copied(v.GetBatch())
}

// copied publishes another's vote as its own, once it has both to hand.
func (l *Liar) copied(batch uint32) []round.Action {
	mine, other := l.mine[batch], l.votes[batch]
	if mine == nil || other == nil {
		return nil
	}
	delete(l.mine, batch)
	return []round.Action{round.Publish{Batch: batch, Opened: l.resign(mine, other)}}
}

// resign signs a vote once more, with the findings of another one or with another salt.
func (l *Liar) resign(vote, other *proof.Opened) *proof.Opened {
	v := vote.Statement.GetVote()
	salt := sha256.Sum256(v.GetSalt())
	again := &proof.Vote{Epoch: v.GetEpoch(), Batch: v.GetBatch(), Attempt: v.GetAttempt(), Salt: salt[:], Checker: v.GetChecker(), Findings: v.GetFindings()}
	if other != nil {
		again.Findings = other.Statement.GetVote().GetFindings()
	}
	o, err := proof.Sign(l.chain, l.key, &proof.Statement{Says: &proof.Statement_Vote{Vote: again}})
	if err != nil {
		return vote
	}
	return o
}
