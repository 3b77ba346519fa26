package why

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
)

func frm(v uint64) string { return amount.Amount(v).String() + " " + state.Symbol }

// percent writes ppm as a percentage with one decimal.
func percent(ppm uint32) string { return fmt.Sprintf("%d.%d %%", ppm/10_000, ppm%10_000/1_000) }

// registry is what has to be in place before anything else counts.
func (f *Facts) registry() (out []Finding) {
	if !f.Registered {
		return []Finding{{About: AboutRegistry, Code: "unregistered", Bad: true,
			Text: "The node is not in the registry, so it is neither checked nor paid.",
			Next: "`framemesh register`, then `framemesh stake` and `framemesh delegate`"}}
	}
	need := f.Entry.Required(f.Params, f.Epoch)
	switch {
	case f.Stake.Tombstoned:
		out = append(out, Finding{About: AboutStake, Code: "tombstoned", Bad: true,
			Text: "The node is out for good: it signed two things where one is allowed.",
			Next: "start over with a new key: never run two nodes with one"})
	case f.Stake.Amount < need:
		out = append(out, Finding{About: AboutStake, Code: "stake_missing", Bad: true,
			Text: fmt.Sprintf("Its stake is %s and its roles need %s, so none of them counts.", frm(f.Stake.Amount), frm(need)),
			Next: fmt.Sprintf("`framemesh stake %s %s`", f.Node, amount.Amount(need-f.Stake.Amount))})
	case f.Stake.Jailed:
		out = append(out, Finding{About: AboutStake, Code: "jailed", Bad: true,
			Text: "The node is jailed after a slash; its roles count again once its stake is topped up.",
			Next: fmt.Sprintf("`framemesh stake %s 1`: any top-up ends it", f.Node)})
	}
	if f.Entry.Roles.Has(economics.RoleContainer) && !f.Stake.Tombstoned {
		out = append(out, f.requirement())
	}
	if len(f.Entry.Subnets) > 0 {
		var lives []string
		for _, s := range f.Entry.Subnets {
			lives = append(lives, s.String())
		}
		out = append(out, Finding{About: AboutRegistry, Code: "declared",
			Text: fmt.Sprintf("It says that it lives in %s, since epoch %d. Met elsewhere, its offers are not taken, and what it answers counts as missing.", strings.Join(lives, ", "), f.Entry.Moved),
			Next: "nothing, as long as that is true; a node that may act for its owner keeps it true itself, else `framemesh register --subnet`"})
	}
	if f.Stake.Offences > 0 {
		out = append(out, Finding{About: AboutSlash, Code: "slashed",
			Text: fmt.Sprintf("It was slashed %s so far; a repeated forgery costs everything.", times(f.Stake.Offences)),
			Next: "its verdicts below name the evidence"})
	}
	if !f.Delegation && f.Entry.Roles != 0 {
		out = append(out, Finding{About: AboutRegistry, Code: "no_delegation", Bad: true,
			Text: "Its owner does not let the node's key act for it, so the node cannot settle sessions or bring certificates to the ledger.",
			Next: "`framemesh delegate`"})
	}
	if f.Entry.Roles != 0 && f.Free < f.Params.TxFee {
		out = append(out, Finding{About: AboutRegistry, Code: "no_money", Bad: true,
			Text: fmt.Sprintf("Its owner has %s to spend and every transaction costs %s, so the node cannot settle sessions, bring certificates or say where it lives.", frm(f.Free), frm(f.Params.TxFee)),
			Next: fmt.Sprintf("`framemesh wallet send NAME %s 1`: 1 FRM is enough for %d transactions", f.Entry.Owner, uint64(amount.FRM)/f.Params.TxFee)})
	}
	return out
}

// requirement is what a container must stake, and until when.
func (f *Facts) requirement() Finding {
	need, r := f.Entry.Required(f.Params, f.Epoch), f.Entry.Need
	x := Finding{About: AboutStake, Code: "stake_required", Text: fmt.Sprintf("Its roles need %s, and it has %s.", frm(need), frm(f.Stake.Amount))}
	if later := f.Entry.Required(f.Params, r.From); f.Epoch < r.From && later > need {
		x.Code, x.Epoch = "stake_rises", r.From
		x.Text = fmt.Sprintf("Its roles need %s, and from epoch %d on %s; it has %s.", frm(need), r.From, frm(later), frm(f.Stake.Amount))
		if f.Stake.Amount < later {
			x.Bad = true
			x.Text += " With less none of its roles counts then."
			x.Next = fmt.Sprintf("`framemesh stake %s %s` before epoch %d", f.Node, amount.Amount(later-f.Stake.Amount), r.From)
			return x
		}
	}
	if until := r.Until(f.Params); until > 0 {
		x.Text += fmt.Sprintf(" That is fixed until epoch %d; the first round from then on makes the next requirement, by the best score until then, so far %s.", until, renderPoints(max(r.Peak, f.Standing.RPMilli)))
	} else {
		x.Text += fmt.Sprintf(" That is the need of a machine of the reference score, %s: once %d rounds have measured this one, it needs as much more or less as it renders.", renderPoints(economics.ReferenceRPMilli), economics.KeptRounds)
	}
	return x
}

func times(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// accusations are the slashes that can still be appealed.
func (f *Facts) accusations() (out []Finding) {
	for _, a := range f.Accusations {
		out = append(out, AccusationOf(a, f.Params, f.until(a.Final)))
	}
	return out
}

// acquitted is the last accusation that was taken back.
func (f *Facts) acquitted() (out []Finding) {
	for _, v := range f.History {
		if v.Verdict == state.VerdictAcquitted {
			out = []Finding{{About: AboutAccusal, Code: "acquitted", Epoch: v.Epoch, Height: v.Height, Evidence: Hex(v.Evidence),
				Text: "It was accused and is cleared of this: " + OffenceText(economics.Offence(v.Reason)) + " Nothing was slashed, and what an appeal had taken as a bond is with its owner again."}}
		}
	}
	return out
}

// AccusationOf tells an accusation that is not decided; leftMS is how long it is until it is
// final, 0 = not known.
func AccusationOf(a Accused, p economics.Params, leftMS uint64) Finding {
	in := ""
	if leftMS > 0 {
		in = ", in " + wait(leftMS)
	}
	x := Finding{About: AboutAccusal, Code: "accused", Bad: true, Epoch: a.Epoch, Evidence: a.Evidence.String(), ID: Hex(a.ID),
		Text: fmt.Sprintf("%s It costs %s when epoch %d begins%s.", OffenceText(a.Offence), frm(a.Amount), a.Final, in),
		Next: fmt.Sprintf("if that is not so, `framemesh appeal %s` before epoch %d: a wider committee looks again. It takes a bond of %s, which comes back with an acquittal", Hex(a.ID), a.Final, frm(p.AppealBond))}
	if a.Offence == economics.OffenceDrop {
		x.Session = hex.EncodeToString(a.Session[:])
		x.Text = fmt.Sprintf("It was gone while session %s ran: its player missed it, and of the %d checkers who were drawn for it too many found nobody there. It costs %s when epoch %d begins%s.",
			x.Session, len(a.Asked), frm(a.Amount), a.Final, in)
		x.Next = fmt.Sprintf("if it was there, `framemesh appeal %s` before epoch %d: all who were drawn are asked what they heard. It takes a bond of %s, which comes back with an acquittal", Hex(a.ID), a.Final, frm(p.AppealBond))
	}
	if a.Appealed != 0 {
		x.Code, x.Next = "appealed", "wait: without a certificate of that committee nobody is punished"
		x.Text = fmt.Sprintf("%s It was appealed; a committee drawn from the seed of epoch %d looks again, until epoch %d begins%s.", OffenceText(a.Offence), a.Appealed, a.Final, in)
	}
	return x
}

// container is why a container is or is not paid for readiness, and matched.
func (f *Facts) container() (out []Finding) {
	s := &f.Standing
	switch {
	case s.GuiltyUntil > f.Epoch || s.LastVerdict == state.VerdictConvicted:
		i, _ := proof.Reason(s.LastReason).Info()
		out = append(out, Finding{About: AboutStandby, Code: nonEmpty(i.Name, "convicted"), Reason: s.LastReason, Bad: true, Epoch: s.LastEpoch, Evidence: s.Evidence.String(),
			Text: fmt.Sprintf("It was convicted of what it did in epoch %d. %s Its rounds before epoch %d count nothing, and it stands by again once it has proven itself anew.", s.LastEpoch, i.Text, s.GuiltyUntil),
			Next: nonEmpty(i.Next, "rerun the evidence with `framemesh proof show`")})
	case !s.Proven(f.Epoch) && s.Verdicts == 0:
		out = append(out, Finding{About: AboutStandby, Code: "unproven", Bad: true,
			Text: fmt.Sprintf("No round has shown yet what it renders, so it is not matched for standing by. A node that is registered takes part from %d epochs later on.%s", f.Params.CandidateLead+1, f.nextRound()),
			Next: "keep `framemesh run` going with proof.enabled; `framemesh bench` says whether this machine's renderer is right"})
	case !s.Proven(f.Epoch) && s.LastVerdict == proof.VerdictBad:
		out = append(out, f.last(Finding{About: AboutStandby, Code: "found_bad", Bad: true,
			Text: "What it did in its last round was found bad, so it may not stand by until a round shows anew what it renders." + f.nextRound()}))
	case !s.Proven(f.Epoch):
		out = append(out, f.last(Finding{About: AboutStandby, Code: "expired", Bad: true,
			Text: "It has not proven for too long what it renders, so it may not stand by." + f.nextRound()}))
	}
	if last, ok := f.lastVerdict(economics.RoleContainer); ok && s.LastVerdict != state.VerdictConvicted {
		out = append(out, f.paid(last)...)
	}
	if s.Slow > 0 {
		out = append(out, Finding{About: AboutPay, Code: "slow", Epoch: s.LastEpoch,
			Text: fmt.Sprintf("Its last %d rounds showed less than %d.%02d %% of the %s that it promised; %d in a row cost stake.", s.Slow, f.Params.ProofSlowBps/100, f.Params.ProofSlowBps%100, renderPoints(f.Entry.Claim), economics.SlowLimit),
			Next: "take load off the machine while rounds run, or register again with a lower claim"})
	}
	if s.PriorityPPM < amount.PPM {
		out = append(out, Finding{About: AboutMatch, Code: "demoted", Bad: true,
			Text: fmt.Sprintf("It is matched with %s of its priority: each offence halves it, and clean days give it back.", percent(s.PriorityPPM)),
			Next: "nothing but time: stay clean"})
	}
	if f.Stood && s.QualityPPM < 800_000 {
		out = append(out, Finding{About: AboutMatch, Code: "low_quality",
			Text: fmt.Sprintf("Players and checkers measured a quality of %s; better ones are matched first and paid more.", percent(s.QualityPPM)),
			Next: "`framemesh session quality` shows each session of this machine; fewer slots, a wired connection, and nothing else on it"})
	}
	return out
}

func nonEmpty(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// last adds the reason of the last verdict to a finding.
func (f *Facts) last(x Finding) Finding {
	v, ok := f.lastVerdict(economics.RoleContainer)
	if !ok {
		x.Next = "keep the node running; the next round decides"
		return x
	}
	told := VerdictOf(v)
	x.Epoch, x.Height, x.Evidence, x.Reason = v.Epoch, v.Height, told.Evidence, told.Reason
	x.Text += " Its last verdict was " + told.Verdict + ": " + told.Text
	x.Next = nonEmpty(told.Next, "keep the node running and reachable; the next round decides")
	return x
}

func (f *Facts) lastVerdict(role economics.Role) (v state.Verdict, ok bool) {
	for _, h := range f.History {
		if h.Role == role && h.Verdict < state.VerdictConvicted {
			v, ok = h, true
		}
	}
	return v, ok
}

// paid says whether the last round earned something, and if not, why.
func (f *Facts) paid(v state.Verdict) []Finding {
	told := VerdictOf(v)
	x := Finding{About: AboutPay, Epoch: v.Epoch, Height: v.Height, Evidence: told.Evidence, Reason: told.Reason}
	if v.Weight > 0 {
		x.Code = "paid"
		x.Text = fmt.Sprintf("The round of epoch %d counts: %s It is paid when epoch %d begins.", v.Epoch, told.Text, v.Epoch+2)
		return []Finding{x}
	}
	x.Bad = true
	s := &f.Standing
	switch {
	case v.Verdict == proof.VerdictOK && v.Epoch < s.GuiltyUntil:
		x.Code, x.Text = "convicted", "It was convicted, and rounds of that time count nothing."
	case v.Verdict == proof.VerdictBusy && uint64(s.Busy) > f.Params.ProofStandingEpochs:
		x.Code = "busy_too_long"
		x.Text = fmt.Sprintf("It was in a session in %d rounds more than have measured it: sessions are paid by their players, readiness again once it was measured.", s.Busy)
		x.Next = "leave a slot free for one round"
	case v.Verdict == proof.VerdictOK || v.Verdict == proof.VerdictBusy:
		x.Code, x.Text = f.weightless()
		x.Next = "`framemesh doctor`; keep the node reachable and its stake whole"
	default:
		x.Code, x.Text, x.Next = nonEmpty(told.Name, told.Verdict), told.Text, nonEmpty(told.Next, "keep the node running and reachable")
		x.Next += fmt.Sprintf("; `framemesh proof verify %d/%d` counts the votes again", v.Epoch, v.Batch)
	}
	x.Text = fmt.Sprintf("The round of epoch %d is not paid: %s", v.Epoch, x.Text)
	return []Finding{x}
}

// weightless is why a round that was proven brought nothing.
func (f *Facts) weightless() (code, text string) {
	switch {
	case f.Standing.OfflineSeconds > economics.OfflineLimit:
		return "offline", fmt.Sprintf("it was offline for %d s of the day, and more than %d are too many.", f.Standing.OfflineSeconds, economics.OfflineLimit)
	case f.Stake.Jailed || f.Stake.Tombstoned || f.Stake.Amount < f.Entry.Required(f.Params, f.Epoch):
		return "stake_missing", "its stake is less than its roles need."
	}
	return "offline", "it did not answer the checkers during the epoch."
}

// checker is why a checker has no duties, or is not paid for them.
func (f *Facts) checker() (out []Finding) {
	c := &f.Conduct
	if f.NoSeat {
		out = append(out, Finding{About: AboutSeat, Code: "no_seat", Bad: true,
			Text: fmt.Sprintf("It is no validator until epoch %d: it signed %d of an epoch's %d blocks, and less than half is too few. It costs no stake.", f.Away.Until, f.Away.Blocks-f.Away.Missed, f.Away.Blocks),
			Next: "keep `framemesh run` going, in time and reachable at ledger.listen; it has its seat again by itself"})
	}
	if c.Banned(f.Epoch) {
		out = append(out, Finding{About: AboutDuties, Code: "banned", Bad: true, Epoch: c.LastEpoch,
			Text: fmt.Sprintf("It gets no duties until epoch %d: its answers were contradicted %d times within %d epochs.", c.BannedUntil, economics.WrongLimit, economics.WrongWindow),
			Next: "look at its verdicts below and at what they name as evidence; check memory, version, and that no second node has its key"})
	} else if n := len(c.Wrong); n > 0 {
		out = append(out, Finding{About: AboutDuties, Code: "wrong_answers", Epoch: c.Wrong[n-1],
			Text: fmt.Sprintf("%d of its answers were contradicted so far, the last in epoch %d; %d within %d epochs suspend it.", c.WrongTotal, c.Wrong[n-1], economics.WrongLimit, economics.WrongWindow),
			Next: "update the node, and check the machine's memory and clock"})
	}
	if !f.Judged {
		out = append(out, Finding{About: AboutDuties, Code: "no_duties",
			Text: fmt.Sprintf("It has judged in no round yet. A checker that is registered can be drawn from %d epochs later on, by its stake.", f.Params.CandidateLead+1),
			Next: "keep `framemesh run` going with proof.enabled"})
		return out
	}
	if d := c.Now; d.Asked >= 8 && uint64(d.Answered)*10 < uint64(d.Asked)*9 {
		out = append(out, Finding{About: AboutDuties, Code: "unanswered", Bad: true, Epoch: c.LastEpoch,
			Text: fmt.Sprintf("Of %d rounds it was drawn for in this quarter it answered %d; the others paid nothing.", d.Asked, d.Answered),
			Next: "`framemesh doctor`: the clock must be right to half a second, and the node reachable"})
	}
	return out
}
