package proof

// Reason is a stable number for why a container, or a checker, stands as it does. It goes
// into votes, results, ledger events and answers of `framemesh why`. Numbers are never used
// for something else.
type Reason uint32

// Reasons. 0 is no reason: all is well, or the verdict says it all.
const (
	ReasonNoQuorum   Reason = 10 // verdict none
	ReasonTooFew     Reason = 11 // verdict none: fewer votes than a quorum
	ReasonLate       Reason = 20 // verdict late
	ReasonTile       Reason = 30 // verdict bad
	ReasonPath       Reason = 31
	ReasonRoots      Reason = 32
	ReasonUnopened   Reason = 33
	ReasonTwoCommits Reason = 34
	ReasonSegment    Reason = 35
	ReasonAudit      Reason = 36
	ReasonModule     Reason = 37
	ReasonTwoSeconds Reason = 38
	ReasonAbsent     Reason = 40 // verdict absent
	ReasonDropped    Reason = 41 // verdict bad: of an accusation
	ReasonBusy       Reason = 50 // verdict busy
	ReasonMalformed  Reason = 60 // verdict refused
	ReasonForeign    Reason = 61
	ReasonKernel     Reason = 62
	ReasonNoSession  Reason = 63
	ReasonWork       Reason = 80 // of checkers
	ReasonSawWrong   Reason = 81
	ReasonTwoVotes   Reason = 82
	ReasonSamples    Reason = 83
	ReasonMatch      Reason = 90 // of indexers
	ReasonCandidates Reason = 91
)

// ReasonInfo tells a reason to people.
type ReasonInfo struct {
	Code    Reason
	Name    string   // for machines, stable
	Text    string   // one sentence
	Next    string   // what its owner can do
	Verdict []uint32 // that it goes with; none for those of checkers and indexers
}

var reasons = []ReasonInfo{
	{ReasonNoQuorum, "no_quorum", "The checkers did not agree about this container, so nobody is paid or punished for it.",
		"wait for the next round; if it repeats, `framemesh doctor` on the container: its clock, and how it is reached", []uint32{VerdictNone}},
	{ReasonTooFew, "too_few_votes", "Too few checkers voted on this batch for a majority.",
		"wait for the next round; nothing is wrong with the container", []uint32{VerdictNone}},
	{ReasonLate, "late", "What the container rendered in the round reached most checkers too late.",
		"nothing else on the machine, and no large upload, in the first seconds of an epoch, when rounds run; `framemesh doctor` looks at the clock", []uint32{VerdictLate}},
	{ReasonTile, "wrong_tile", "A tile that the container committed to does not recompute.",
		"run `framemesh bench`, which checks the renderer, and update the graphics driver; rerun the evidence with `framemesh proof verify`", []uint32{VerdictBad}},
	{ReasonPath, "broken_path", "An opened tile does not lead to the root that the container committed to.",
		"rerun the evidence with `framemesh proof verify`; check the machine's memory and the node's version", []uint32{VerdictBad}},
	{ReasonRoots, "wrong_roots", "The frame roots that were opened are not the ones in the commit.",
		"rerun the evidence with `framemesh proof verify`; check the machine's memory and the node's version", []uint32{VerdictBad}},
	{ReasonUnopened, "not_opened", "The container said what it had rendered and then did not show the tiles it was asked for.",
		"keep the node running and reachable until the round is over", []uint32{VerdictBad}},
	{ReasonTwoCommits, "two_commits", "The container signed two different commits for one epoch.",
		"never run two nodes with one key; keep the node's data directory when it restarts", []uint32{VerdictBad}},
	{ReasonSegment, "wrong_segment", "A second of a session does not replay to what the container committed to.",
		"`framemesh appeal` if it did: a wider committee replays it; else check the machine's memory", []uint32{VerdictBad}},
	{ReasonAudit, "audit_refused", "The container did not give what an audit of a session asked for.",
		"keep the node running and its data directory intact after a session ends", []uint32{VerdictBad}},
	{ReasonModule, "wrong_module", "A session ran another module than the one that was advertised.",
		"`framemesh appeal` if it did not; install the app again with `framemesh apps add` and restart the node, so that what runs is what is advertised", []uint32{VerdictBad}},
	{ReasonTwoSeconds, "two_segments", "The container signed two different commitments for one second of a session.",
		"never run two nodes with one key; keep the node's data directory when it restarts", []uint32{VerdictBad}},
	{ReasonAbsent, "absent", "Nothing that the container rendered in the round reached most checkers.",
		"check that the node runs, is reachable and has the right time: `framemesh doctor`", []uint32{VerdictAbsent}},
	{ReasonDropped, "dropped", "The container was gone while a paid session of its ran: its player missed it, and checkers found nobody there.",
		"appeal if it was there: everybody who was drawn for it is asked what they heard; keep the machine on and connected while somebody plays", []uint32{VerdictBad}},
	{ReasonBusy, "busy", "The container was in a session and keeps its score.",
		"nothing to do", []uint32{VerdictBusy}},
	{ReasonMalformed, "malformed", "What the container sent is no commit.",
		"update the node", []uint32{VerdictRefused}},
	{ReasonForeign, "foreign", "The commit was for another epoch or network.",
		"check the machine's clock: `framemesh doctor`", []uint32{VerdictRefused}},
	{ReasonKernel, "unknown_kernel", "The commit names a kernel that the checkers do not run.",
		"update the node", []uint32{VerdictRefused}},
	{ReasonNoSession, "no_session", "The container said it was in a session that is not open on the ledger.",
		"`framemesh ledger status` on that node: it must be as high as the network; a session without an order on the ledger excuses from no round", []uint32{VerdictRefused}},
	{ReasonWork, "false_work", "The checker's vote claims tiles that it did not render.",
		"run checkers only from a release, and only one with each key; the vote's proof can be rerun with `framemesh proof verify`", nil},
	{ReasonSawWrong, "saw_wrong_tile", "The checker voted ok although one of its own tiles was wrong.",
		"the vote's proof can be rerun with `framemesh proof verify`", nil},
	{ReasonTwoVotes, "two_votes", "The checker signed two different votes on one question.",
		"never run two nodes with one key; keep the node's data directory when it restarts", nil},
	{ReasonSamples, "wrong_samples", "The checker reported another number of samples than the commit says.",
		"update the node", nil},
	{ReasonMatch, "wrong_match", "A match certificate of the indexer does not follow from what stands in it, or was not drawn as it says.",
		"run indexers only from a release; rerun the certificate with `framemesh match verify --ledger`", nil},
	{ReasonCandidates, "forged_candidates", "Under the root of a match certificate the indexer put an ad that no container sealed, or figures that the ledger never had.",
		"run indexers only from a release; rerun the certificate with `framemesh match verify --ledger`", nil},
}

// Reasons lists every reason, by number.
func Reasons() []ReasonInfo { return append([]ReasonInfo(nil), reasons...) }

// Info tells the reason to people; ok is false for a number that is none.
func (r Reason) Info() (info ReasonInfo, ok bool) {
	for _, i := range reasons {
		if i.Code == r {
			return i, true
		}
	}
	return ReasonInfo{}, false
}

// String names the reason; "" for 0 and for a number that is none.
func (r Reason) String() string {
	i, _ := r.Info()
	return i.Name
}

// OfSession says whether the reason is about a session, not a round: whoever is found bad for
// it may have committed to no frames because it was busy.
func (r Reason) OfSession() bool {
	return r == ReasonSegment || r == ReasonAudit || r == ReasonModule || r == ReasonTwoSeconds
}

// Fits says whether the reason goes with a verdict about a container.
func (r Reason) Fits(verdict uint32) bool {
	i, _ := r.Info()
	for _, v := range i.Verdict {
		if v == verdict {
			return true
		}
	}
	return false
}
