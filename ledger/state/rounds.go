package state

import (
	"fmt"
	"slices"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const dayMS = 86_400_000

// judged does what a certificate says about one container. Standing and reward follow from
// it; a slash never does at once, because a committee's word can be appealed.
func (m *Machine) judged(c *txContext, res *proof.Result, id key.Node, e *proof.Entry, members, signers []key.Node) error {
	n, ok, err := m.node(id)
	if err != nil || !ok {
		return err // it left since the batch was drawn: there is nobody to judge
	}
	s, err := m.standing(id)
	if err != nil {
		return err
	}
	epoch := res.Epoch
	late := s.Verdicts > 0 && epoch < s.LastEpoch // a certificate of a later epoch came first
	m.restore(&s, m.head.Epoch)
	online := economics.OnlineSeconds(m.params.EpochSeconds, uint64(e.OnlinePPM()))
	m.countOffline(&s, epoch, m.params.EpochSeconds-online)
	s.QualityPPM = uint32(economics.SmoothQuality(uint64(s.QualityPPM), uint64(e.QualityPPM)))

	// Who lays the role down before the certificate comes has nothing to earn, and is judged.
	earns := m.follow(&s, &n, epoch, e, late) && n.Roles.Has(economics.RoleContainer)
	if !late {
		s.LastEpoch, s.LastVerdict, s.LastReason, s.Evidence = epoch, uint8(e.Verdict), uint32(e.Reason), named(e.Evidence)
	}
	if err := m.reassess(c, id, &n, &s); err != nil {
		return err
	}
	var weight uint64
	if earns {
		if weight, err = m.weigh(c, epoch, id, &n, &s, online); err != nil {
			return err
		}
	}
	slow := s.Slow >= economics.SlowLimit
	if slow {
		s.Slow = 0
	}
	kind := "unproven"
	if e.Verdict == proof.VerdictOK || e.Verdict == proof.VerdictBusy {
		kind = "proven"
	}
	c.emit(kind, "epoch", epoch, "batch", res.Batch, "node", id, "verdict", proof.VerdictName(e.Verdict),
		"reason", uint32(e.Reason), "rp_milli", e.RPMilli, "score_milli", s.RPMilli, "quality_ppm", s.QualityPPM,
		"weight", weight, "proven_until", s.ProvenUntil, "evidence", e.Evidence)
	err = m.remark(id, s, Verdict{
		Epoch: epoch, Batch: res.Batch, Verdict: uint8(e.Verdict), Reason: uint32(e.Reason),
		RPMilli: e.RPMilli, Weight: weight, Evidence: named(e.Evidence),
	})
	if err != nil {
		return err
	}
	offence, accused, found := economics.OffenceCapacity, slow, uint64(0)
	if e.Accuses() {
		// Somebody has to answer for it with more than a word about others' votes.
		found = answering(e.Found, members, signers)
		offence, accused = economics.OffenceForged, found != 0
	}
	if accused {
		err = m.accusedBy(c, Accusation{
			Node: id, Offence: offence, Epoch: epoch, Batch: res.Batch, Evidence: e.Evidence, Signers: signers, Found: found,
		})
	}
	if err != nil || len(e.Dropped) == 0 {
		return err
	}
	return m.went(c, res, id, [16]byte(e.Dropped), signers, answering(e.Found, members, signers))
}

// answering are the signers, by place, among the members whom bits name.
func answering(bits uint64, members, signers []key.Node) (found uint64) {
	for i, n := range signers {
		if at := slices.Index(members, n); at >= 0 && bits>>at&1 == 1 {
			found |= 1 << i
		}
	}
	return found
}

// follow brings a standing up to a verdict and says whether the round earns anything.
func (m *Machine) follow(s *Standing, n *Node, epoch uint64, e *proof.Entry, late bool) (earns bool) {
	until := epoch + m.params.ProofStandingEpochs
	guilty := epoch < s.GuiltyUntil
	switch e.Verdict {
	case proof.VerdictOK:
		if guilty || e.RPMilli == 0 {
			return false
		}
		s.Rounds = append(s.Rounds, economics.CapRound(e.RPMilli, s.RPMilli, m.params.ProofCapPPM))
		s.Rounds = s.Rounds[max(0, len(s.Rounds)-economics.KeptRounds):]
		s.RPMilli = economics.MedianRound(s.Rounds)
		s.Busy = uint32(min(uint64(s.Busy), m.params.ProofStandingEpochs))
		s.Busy -= min(s.Busy, 1)
		if !late {
			s.ProvenUntil = max(s.ProvenUntil, until)
			if economics.CapacityFailed(e.RPMilli, n.Claim, m.params.ProofSlowBps) {
				s.Slow++
			} else {
				s.Slow = 0
			}
		}
		return true
	case proof.VerdictBusy:
		// It keeps the score that it has. After as many epochs as a round lets it stand by it
		// lives on what its sessions pay, and each round that measures it gives one of them
		// back: or a machine could be measured under each of many names in turn, and be busy
		// under all the others for the price of a session with itself.
		if guilty || !s.Proven(epoch) {
			return false
		}
		s.Busy = uint32(min(uint64(s.Busy), m.params.ProofStandingEpochs)) + 1
		if !late {
			s.ProvenUntil = max(s.ProvenUntil, until)
		}
		return uint64(s.Busy) <= m.params.ProofStandingEpochs
	case proof.VerdictBad:
		if !late {
			s.ProvenUntil = 0 // it must show again what it can do before it may stand by
		}
	}
	return false
}

// weigh enters what a container stood ready with into its class's weights.
func (m *Machine) weigh(c *txContext, epoch uint64, id key.Node, n *Node, s *Standing, online uint64) (uint64, error) {
	stake, err := m.stake(id)
	if err != nil {
		return 0, err
	}
	class := containerClass(n.Class)
	weight := economics.CapacityWeight(economics.Readiness{
		RPMilli: s.RPMilli, OnlineSeconds: online, OfflineToday: uint64(s.OfflineSeconds), QualityPPM: uint64(s.QualityPPM),
		Stake: stake.Amount, Required: m.required(n), Jailed: stake.Jailed || stake.Tombstoned,
	})
	if err := m.addLoad(epoch, class, economics.Load(s.RPMilli, online), 0); err != nil {
		return 0, err
	}
	if weight == 0 {
		return 0, nil
	}
	c.emit("weight", "epoch", epoch, "class", class.String(), "node", id, "capacity", weight)
	return weight, m.AddWeight(epoch, class, id, Weight{Capacity: weight})
}

// countOffline adds what a container was offline in an epoch to its UTC day: the one in
// which the epoch begins. Of a day that is past nothing counts any more.
func (m *Machine) countOffline(s *Standing, epoch, seconds uint64) {
	day := economics.EpochStart(m.network.GenesisMS, m.params.EpochSeconds, epoch) / dayMS
	switch {
	case day > s.Day:
		s.Day, s.OfflineSeconds = day, uint32(seconds)
	case day == s.Day:
		s.OfflineSeconds = uint32(min(uint64(s.OfflineSeconds)+seconds, 86_400))
	}
}

// accusedBy accuses a container on the word of the signers, and remembers it.
func (m *Machine) accusedBy(c *txContext, a Accusation) error {
	events, err := m.accuse(AccusationID(a.Node, a.Epoch, a.Batch, a.Offence), a)
	if err != nil || len(events) == 0 {
		return err
	}
	c.events = append(c.events, events...)
	return m.note(a, VerdictAccused)
}

// judgedCheckers pays the members who were right, counts those who were wrong, and remembers
// of all whether they had answered.
func (m *Machine) judgedCheckers(c *txContext, res *proof.Result, members []key.Node) error {
	for i, id := range members {
		if err := m.judgedChecker(c, res, id, uint64(1)<<i); err != nil {
			return err
		}
	}
	return nil
}

// reranCheckers pays those who attest the answer to an appeal. Of the other members nothing is
// remembered: who cannot get or rerun the evidence does well to say nothing.
func (m *Machine) reranCheckers(c *txContext, res *proof.Result, signers []key.Node) error {
	all := uint64(1)<<len(signers) - 1
	answered := &proof.Result{Epoch: res.Epoch, Batch: res.Batch, Votes: res.Votes, Correct: all}
	return m.judgedCheckers(c, answered, signers)
}

func (m *Machine) judgedChecker(c *txContext, res *proof.Result, id key.Node, bit uint64) error {
	n, ok, err := m.node(id)
	if err != nil || !ok {
		return err
	}
	conduct, err := m.conduct(id)
	if err != nil {
		return err
	}
	answered := (res.Correct|res.Wrong)&bit != 0
	conduct.asked(res.Epoch/m.params.Quarter(), answered)
	if err := m.overlay.Set(ConductKey(id), conduct.Encode()); err != nil {
		return err
	}
	guilty, err := m.guilty(id, res.Epoch)
	if err != nil {
		return err
	}
	v := Verdict{Epoch: res.Epoch, Batch: res.Batch, Evidence: res.Votes}
	switch {
	case guilty: // and punished; what its colleagues did not know is no merit
		return nil
	case res.Correct&bit != 0 && n.Roles.Has(economics.RoleChecker): // nothing for who laid the role down
		return m.right(c, id, v)
	case res.Correct&bit != 0:
		return nil
	case answered:
		return m.wrong(c, id, v)
	}
	return nil
}

// guilty says whether a checker was convicted of what it said in an epoch.
func (m *Machine) guilty(id key.Node, epoch uint64) (bool, error) {
	for _, deed := range proof.CheckerDeeds(id, epoch) {
		if b, err := m.overlay.Get(GuiltKey(deed)); err != nil || b != nil {
			return b != nil, err
		}
	}
	return false, nil
}

// right counts an answer of a checker that agreed with what was found.
func (m *Machine) right(c *txContext, id key.Node, v Verdict) error {
	conduct, err := m.conduct(id)
	if err != nil {
		return err
	}
	conduct.Correct++
	conduct.LastEpoch = max(conduct.LastEpoch, v.Epoch)
	v.Verdict, v.Weight = proof.VerdictOK, 1
	c.emit("weight", "epoch", v.Epoch, "class", RewardChecker.String(), "node", id, "capacity", 1)
	if err := m.AddWeight(v.Epoch, RewardChecker, id, Weight{Capacity: 1}); err != nil {
		return err
	}
	return m.remarkChecker(id, conduct, v)
}

// wrong counts an answer of a checker that was contradicted. Two within seven days suspend
// it from the next draws on.
func (m *Machine) wrong(c *txContext, id key.Node, v Verdict) error {
	if _, ok, err := m.node(id); err != nil || !ok {
		return err
	}
	conduct, err := m.conduct(id)
	if err != nil {
		return err
	}
	conduct.addWrong(v.Epoch)
	conduct.LastEpoch = max(conduct.LastEpoch, v.Epoch)
	c.emit("checker_wrong", "epoch", v.Epoch, "batch", v.Batch, "node", id, "reason", v.Reason,
		"total", conduct.WrongTotal, "evidence", v.Evidence)
	v.Verdict = proof.VerdictBad
	until := economics.Suspended(conduct.Wrong)
	if until <= conduct.BannedUntil {
		return m.remarkChecker(id, conduct, v)
	}
	conduct.BannedUntil = until
	c.emit("checker_banned", "epoch", v.Epoch, "batch", v.Batch, "node", id, "until_epoch", until, "evidence", v.Evidence)
	if err := m.remarkChecker(id, conduct, v); err != nil {
		return err
	}
	conduct.Verdicts++
	v.Verdict = VerdictBanned
	return m.remarkChecker(id, conduct, v)
}

// addWrong keeps the epochs of the last wrong answers in rising order.
func (c *Conduct) addWrong(epoch uint64) {
	c.WrongTotal++
	at := len(c.Wrong)
	for at > 0 && c.Wrong[at-1] > epoch {
		at--
	}
	c.Wrong = append(c.Wrong[:at:at], append([]uint64{epoch}, c.Wrong[at:]...)...)
	c.Wrong = c.Wrong[max(0, len(c.Wrong)-keptWrongs):]
}

// unburn gives back what this transaction has burned as its fee. Nothing else that is burned
// ever comes back.
func (m *Machine) unburn(to key.Address, fee uint64) error {
	if m.totals.Burned < fee {
		return fmt.Errorf("%w: %s were never burned", ErrInvariant, amount.Amount(fee))
	}
	if err := m.put(balanceOf(to), fee); err != nil {
		return err
	}
	m.totals.Burned -= fee
	m.totals.Balances += fee
	return nil
}
