package judge

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
)

// Params are the ledger's parameters that a round rests on.
type Params struct {
	N     int // a committee has 2N + 1 members, a quorum N + 1
	Batch int // containers in a batch
	K     int // tiles that a checker recomputes of one container

	CheckPPM uint64 // how often a container is checked by the lot
	CapPPM   uint64 // of its median: a score above it is checked always

	EpochMS uint64 // length of an epoch
	DurMS   uint64 // the window for rendering: time to learn of the task, and a tenth of the epoch at most
	GraceMS uint64 // for a commit to arrive, at most a twentieth of the epoch

	Reference uint64 // samples per second that are 100 RenderPoints
}

// From takes the parameters out of the ledger's. Windows are cut so that they fit an epoch
// of any length.
func From(p economics.Params) Params {
	epoch := sat(p.EpochSeconds, 1000)
	return Params{
		N: small(p.ProofN, 10), Batch: small(p.ProofBatch, 32), K: small(p.ProofOpenings, 128),
		CheckPPM: p.ProofCheckPPM, CapPPM: p.ProofCapPPM, EpochMS: epoch,
		DurMS: max(1, learn(epoch)+min(p.ProofDurMS, epoch/10)), GraceMS: max(1, min(p.ProofGraceMS, epoch/20)),
		Reference: max(1, p.RPReference),
	}
}

// maxLearnMS bounds the part of the window in which containers learn of the task, ms: light
// clients see the block that shows it 1.2 to 2.1 s into the epoch.
const maxLearnMS = 3_000

// learn is that part in an epoch of so many ms. Scores divide by it, too: whoever sees the
// block first renders for longer, and gains at most what this is of the window.
func learn(epochMS uint64) uint64 { return min(maxLearnMS, epochMS/8) }

// Quorum is how many equal votes decide: N + 1.
func (p Params) Quorum() int { return max(p.N, 0) + 1 }

// Members is how many checkers a committee has: 2N + 1.
func (p Params) Members() int { return 2*max(p.N, 0) + 1 }

// Wider are the parameters of an appeal's committee, of 4N + 3 members and a quorum of
// 2N + 2.
func (p Params) Wider() Params {
	p.N = p.Members()
	return p
}

// Window is until when after T0 a commit is in time, in ms.
func (p Params) Window() uint64 { return p.DurMS + p.GraceMS }

func small(v, most uint64) int { return int(max(1, min(v, most))) }

// sat is a·b, or the largest number there is.
func sat(a, b uint64) uint64 {
	v, _, err := amount.MulDiv(a, b, 1)
	if err != nil {
		return 1<<64 - 1
	}
	return v
}

// maxWatchMS bounds a watch, ms: long enough for a node to be started again.
const maxWatchMS = 60_000

// WatchMS is for how long a checker looks for a container that a player has missed: a twelfth
// of the epoch, at most a minute. Who is there again within it has dropped nobody.
func (p Params) WatchMS() uint64 { return max(1, min(p.EpochMS/12, maxWatchMS)) }

// Times are the moments of a round, in unix ms, in rising order. Each node goes by its own
// clock; a moment that others wait for is followed by a gap that clocks may differ by.
type Times struct {
	Start       uint64 // of the epoch
	T0          uint64 // = Start: containers render from here on, as soon as they know the task
	NonceBy     uint64 // checkers have bound themselves to their nonces
	DurMS       uint64 // rendering ends so long after T0, ms
	CommitBy    uint64 // the last moment in which a commit is in time, by the checker's clock
	NonceReveal uint64 // nonces are revealed, not before
	OpeningsBy  uint64 // openings have been asked for and given
	VoteBy      uint64 // the committee has bound itself to its votes
	RevealBy    uint64 // and revealed them
	AttestBy    uint64 // and attested one result
	// The reserve begins where the committee has no certificate by AttestBy.
	ReserveOpeningsBy uint64
	ReserveVoteBy     uint64
	ReserveRevealBy   uint64
	ReserveAttestBy   uint64 // = End
	End               uint64 // of the epoch
}

// Schedule says when a round happens. All but the first moments are fixed parts of the
// epoch, so that epochs of seconds work like those of minutes.
//
// The window opens with the epoch, whose first block shows the seed that the task follows
// from: with a later start, whoever did not wait for it would render for longer than it is
// measured. Nonces are bound by then while no commitment can be known: at NonceBy half of
// the rendering is still to be done, and what is committed to by then is worth no more.
func Schedule(p Params, epoch, genesisMS uint64) Times {
	e := p.EpochMS
	start := add(genesisMS, sat(epoch, e))
	at := func(percent uint64) uint64 { return add(start, e/100*percent+e%100*percent/100) }
	t := Times{Start: start, T0: start, DurMS: p.DurMS, OpeningsBy: at(50), VoteBy: at(55), RevealBy: at(65), AttestBy: at(75),
		ReserveOpeningsBy: at(80), ReserveVoteBy: at(84), ReserveRevealBy: at(91), ReserveAttestBy: at(100), End: at(100)}
	t.NonceBy = add(t.T0, p.DurMS-(p.DurMS-min(p.DurMS, learn(e)))/2)
	t.CommitBy = add(t.T0, p.Window())
	// Another checker's clock may be behind: what it still takes must not know the nonce.
	t.NonceReveal = add(t.CommitBy, p.GraceMS)
	return t
}

func add(a, b uint64) uint64 {
	if a+b < a {
		return 1<<64 - 1
	}
	return a + b
}

// Score is what a commit shows, in thousandths of a RenderPoint:
// ⌊samples · 10^8 / (reference · t)⌋ with t = max(dur, arrival − min(rtt, grace)/2) in ms.
// The floor of t means that who renders for a part of the window gains nothing: many names
// on one machine cannot take turns in it. The bound of rtt means that a container that
// answers pings late gains at most grace/2.
func Score(p Params, samples, arrivalMS, rttMS uint64) uint64 {
	v, _, err := amount.MulDiv(samples, 100_000_000, sat(max(1, p.Reference), p.Elapsed(arrivalMS, rttMS)))
	if err != nil {
		return 1<<64 - 1
	}
	return v
}

// Elapsed is the t of Score.
func (p Params) Elapsed(arrivalMS, rttMS uint64) uint64 {
	way := min(rttMS, p.GraceMS) / 2
	return max(1, p.DurMS, arrivalMS-min(arrivalMS, way))
}

// Standing is what the ledger holds of a container, as far as a round asks.
type Standing struct {
	Rounds      uint32 // that it has behind it
	MedianMilli uint64 // of their scores
}

// Drawn says whether the lot of the epoch asks every member to check this container. It
// needs nothing but the seed, so all nodes agree.
func Drawn(seed [32]byte, epoch uint64, container [32]byte, p Params) bool {
	s := newStream("framemesh/check/1", seed[:], be64(epoch), container[:])
	return s.below(amount.PPM) < p.CheckPPM
}

// Checked says whether a checker asks this container for openings: by the lot, and always
// when it has no round behind it. What Outlier says comes on top once the score is known.
func Checked(seed [32]byte, epoch uint64, container [32]byte, p Params, standing Standing) bool {
	return standing.Rounds == 0 || Drawn(seed, epoch, container, p)
}

// Outlier says whether a score is so far above what the container has shown before that it
// is checked in any case.
func Outlier(score uint64, standing Standing, p Params) bool {
	if standing.Rounds == 0 {
		return true
	}
	most, _, err := amount.MulDiv(standing.MedianMilli, p.CapPPM, amount.PPM)
	return err == nil && score > most
}
