package state

import (
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// A container that goes while somebody plays for money pays for it. That it was gone is a
// committee's word, to which the player's own belongs; what is here is that there was such a
// session, and that it could have gone on.

// ongoing is what the ledger knows of a session that runs, or that its container has settled.
type ongoing struct {
	player              key.Address
	perSecond           uint64 // base units
	openedMS, settledMS uint64 // settledMS is 0 while it is open
	seconds             uint32
}

// runsOutMS is when its seconds have run out, had it been played without a pause.
func (p ongoing) runsOutMS() uint64 { return p.openedMS + 1000*uint64(p.seconds) }

// cost is what it can have cost its player until a moment, in base units.
func (p ongoing) cost(untilMS uint64) uint64 {
	if p.settledMS != 0 {
		untilMS = min(untilMS, p.settledMS)
	}
	seconds := min(uint64(p.seconds), (untilMS-min(untilMS, p.openedMS)+999)/1000)
	v, err := economics.Cost(p.perSecond, seconds)
	if err != nil {
		return 0 // more than there is was never locked
	}
	return v
}

// sessionIn finds a session of a container that its player had not closed before an epoch. ok
// is false for one that was closed, has expired, or never was.
func (m *Machine) sessionIn(id sessionID, epoch uint64) (p ongoing, ok bool, err error) {
	s, ok, err := ReadSession(m.overlay, id.container, id.name)
	if err != nil {
		return p, false, err
	}
	if ok {
		if s.Phase == PhaseClosing && s.Closes <= epoch+m.params.ChallengeEpochs {
			return p, false, nil
		}
		return ongoing{s.Player, s.PerSecond, s.OpenedMS, 0, s.Seconds}, true, nil
	}
	was, ok, err := load(m.overlay, UsedKey(id.container, id.name), DecodeMemory)
	if err != nil || !ok || was.Ended != EndedByContainer {
		return p, false, err
	}
	return ongoing{was.Player, was.PerSecond, was.OpenedMS, was.SettledMS, was.Seconds}, true, nil
}

// went accuses a container of having gone while this session ran, if the ledger knows of a
// session that a watch of that epoch can have been about: it had begun, its seconds had not run
// out, and neither had its player closed it nor the container settled it before. Of all that
// ran when it went, one session counts: a machine that loses its power does so once. found are
// the signers, by place, who found nobody there; where none of them did, nobody answers for it,
// and nobody is accused.
func (m *Machine) went(c *txContext, res *proof.Result, id key.Node, name [16]byte, signers []key.Node, found uint64) error {
	if found == 0 {
		return nil
	}
	p, ok, err := m.sessionIn(sessionID{id, name}, res.Epoch)
	if err != nil || !ok {
		return err
	}
	t, watch := m.times(res.Epoch), judge.From(m.params).WatchMS()
	votes := t.VoteBy
	if res.Attempt > 0 {
		votes = t.ReserveVoteBy
	}
	first := t.T0 + watch // no watch of the epoch is over before
	if p.openedMS+watch > votes || p.runsOutMS() <= first || p.settledMS != 0 && p.settledMS <= first {
		return nil
	}
	s, err := m.standing(id)
	if err != nil || s.DroppedMS >= p.openedMS {
		return err
	}
	s.DroppedMS = m.head.TimeMS
	if err := m.overlay.Set(StandingKey(id), s.Encode()); err != nil {
		return err
	}
	a, err := m.assignment(res.Epoch)
	if err != nil {
		return err
	}
	batch := a.Batches[res.Batch] // it was found there
	asked := append(append([]key.Node(nil), batch.Committee...), batch.Reserve...)
	return m.accusedBy(c, Accusation{
		Node: id, Offence: economics.OffenceDrop, Victim: p.player, Epoch: res.Epoch, Batch: res.Batch, Signers: signers, Found: found,
		Session: name, Most: p.cost(votes), Asked: asked,
	})
}
