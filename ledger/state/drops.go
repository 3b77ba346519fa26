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

// Awaits says whether a player still waits for play: the session is this player's, more is set
// aside than it has promised to pay for, the seconds have not run out by nowMS, and the player
// had not begun to close it before sinceMS. A container that is gone then went from it: that its
// player closes it afterwards, to have the rest back, ends nothing. Times are ms since 1970.
func (s Session) Awaits(player key.Address, promised uint32, nowMS, sinceMS uint64) bool {
	p := s.ongoing()
	return s.Player == player && promised < s.Seconds && nowMS < p.runsOutMS() && !p.closedBefore(sinceMS)
}

// ongoing is what the ledger knows of a session that runs, or that was settled since.
type ongoing struct {
	player    key.Address
	perSecond uint64 // base units
	seconds   uint32
	openedMS  uint64
	closingMS uint64 // 0 where its player did not begin to close it
	settledMS uint64 // 0 while it is open
}

func (s Session) ongoing() ongoing {
	return ongoing{s.Player, s.PerSecond, s.Seconds, s.OpenedMS, s.ClosingMS, 0}
}

// closedBefore says whether its player had ended it by then: whoever goes after that owes nothing.
func (p ongoing) closedBefore(sinceMS uint64) bool { return p.closingMS != 0 && p.closingMS < sinceMS }

// runsOutMS is when its seconds have run out, had it been played without a pause.
func (p ongoing) runsOutMS() uint64 { return p.openedMS + 1000*uint64(p.seconds) }

// cost is what it can have cost its player until a moment, in base units.
func (p ongoing) cost(untilMS uint64) uint64 {
	for _, end := range []uint64{p.closingMS, p.settledMS} {
		if end != 0 {
			untilMS = min(untilMS, end)
		}
	}
	seconds := min(uint64(p.seconds), (untilMS-min(untilMS, p.openedMS)+999)/1000)
	v, err := economics.Cost(p.perSecond, seconds)
	if err != nil {
		return 0 // more than there is was never locked
	}
	return v
}

// sessionOf finds a session of a container that runs, or was settled by the container or at the
// end of the window in which it could have. ok is false for one that expired, or never was.
func (m *Machine) sessionOf(id sessionID) (p ongoing, ok bool, err error) {
	s, ok, err := ReadSession(m.overlay, id.container, id.name)
	if err != nil || ok {
		return s.ongoing(), ok, err
	}
	was, ok, err := load(m.overlay, UsedKey(id.container, id.name), DecodeMemory)
	if err != nil || !ok || was.Ended == EndedByExpiry {
		return p, false, err
	}
	return ongoing{was.Player, was.PerSecond, was.Seconds, was.OpenedMS, was.ClosingMS, was.SettledMS}, true, nil
}

// went accuses a container of having gone while this session ran, if the ledger knows of a
// session that a watch of that epoch can have been about: it had begun, its seconds had not run
// out, and it was not settled before. Nor had its player begun to close it before the epoch
// before: a complaint of then leads to this epoch's checkers, and a player closes what it has
// complained about. Of all that ran when it went, one session counts: a machine that loses its
// power does so once. found are the signers, by place, who found nobody there; where none of them
// did, nobody answers for it, and nobody is accused.
func (m *Machine) went(c *txContext, res *proof.Result, id key.Node, name [16]byte, signers []key.Node, found uint64) error {
	if found == 0 {
		return nil
	}
	p, ok, err := m.sessionOf(sessionID{id, name})
	if err != nil || !ok || p.closedBefore(m.times(res.Epoch-min(res.Epoch, 1)).Start) {
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
	if there, err := m.wasThere(id, s, economics.Epoch(m.network.GenesisMS, m.params.EpochSeconds, p.openedMS)); err != nil || !there {
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

// wasThere says whether a round of the epoch before a session was opened, or of a later one, heard
// of the container. Anybody can open a session with anybody who is registered: a machine that was
// switched off for the night went from none.
func (m *Machine) wasThere(id key.Node, s Standing, opened uint64) (bool, error) {
	for i := s.Verdicts - min(s.Verdicts, KeptVerdicts); i < s.Verdicts; i++ {
		v, ok, err := load(m.overlay, HistoryKey(id, economics.RoleContainer, i), DecodeVerdict)
		if err != nil {
			return false, err
		}
		if ok && v.Epoch+1 >= opened && heard(v.Verdict) {
			return true, nil
		}
	}
	return false, nil
}

// heard says whether something of the container came in a round.
func heard(verdict uint8) bool {
	switch verdict {
	case proof.VerdictOK, proof.VerdictLate, proof.VerdictBad, proof.VerdictBusy, proof.VerdictRefused:
		return true
	}
	return false
}
