package state

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// Prefixes of what Proof of Render found out.
const (
	prefixStanding = "stand/"
	prefixConduct  = "conduct/"
	prefixHistory  = "hist/"
	prefixAppeal   = "appeal/"
	prefixGuilt    = "guilt/"
)

// StandingKey holds the Standing of a container.
func StandingKey(n key.Node) []byte { return with(prefixStanding, n[:]) }

// ConductKey holds the Conduct of a checker.
func ConductKey(n key.Node) []byte { return with(prefixConduct, n[:]) }

// HistoryKey holds one of the last verdicts on a node in a role: number n of all lies at
// n mod KeptVerdicts.
func HistoryKey(n key.Node, role economics.Role, number uint32) []byte {
	return with(prefixHistory, n[:], []byte{byte(role), byte(number % KeptVerdicts)})
}

// AppealsKey holds the names of the accusations that wider committees look at again in an
// epoch: one record, so that who reads single records with proof finds them all.
func AppealsKey(epoch uint64) []byte { return with(prefixAppeal, u64(epoch)) }

// GuiltKey holds the Fraud that a node was convicted of, by the name of the deed.
func GuiltKey(deed [32]byte) []byte { return with(prefixGuilt, deed[:]) }

// KeptVerdicts is how many verdicts on a node in each role can be looked up.
const KeptVerdicts = 32

// Standing is what rounds have shown of a container.
type Standing struct {
	RPMilli     uint64   // score in milli-RP: the median of Rounds, 0 when there is none
	Rounds      []uint64 // what the last rounds counted, milli-RP, oldest first, at most economics.KeptRounds
	QualityPPM  uint32   // smoothed
	PriorityPPM uint32   // in matching: halved by each offence, given back by clean days
	CleanFrom   uint64   // epoch from which clean days count; of no meaning at full priority
	ProvenUntil uint64   // last epoch in which it may stand by; see Proven
	GuiltyUntil uint64   // rounds of epochs below it count nothing: it was convicted; 0 = it never was

	LastEpoch   uint64 // of the last verdict; the next three are its fields
	LastVerdict uint8  // as in a certificate's entry
	LastReason  uint32 // code
	Evidence    Evidence

	Slow           uint8  // rounds in a row below what it claims
	Busy           uint32 // rounds in a session and so without a measurement, less those that measured it
	Day            uint64 // UTC day, from 1970, that OfflineSeconds are of
	OfflineSeconds uint32 // of that day so far
	Verdicts       uint32 // ever; the last KeptVerdicts of them can be looked up
	// DroppedMS is the time of the block that last accused it of having gone while a session
	// ran; 0 = never. Of the sessions that were open then, no other one is held against it.
	DroppedMS uint64
}

// Proven says whether the container may stand by in an epoch: a round, or the genesis file,
// has shown what it can do, and that is not too long ago.
func (s Standing) Proven(epoch uint64) bool {
	return s.RPMilli > 0 && s.ProvenUntil > 0 && epoch <= s.ProvenUntil
}

// newStanding is that of a container of which nothing is known.
func newStanding() Standing {
	return Standing{QualityPPM: economics.FirstQuality, PriorityPPM: amount.PPM}
}

// Encode writes 116 bytes and 8 for each round.
func (s Standing) Encode() []byte {
	w := newWriter(115 + 8*len(s.Rounds))
	w.u64(s.RPMilli)
	w.u8(uint8(len(s.Rounds)))
	for _, v := range s.Rounds {
		w.u64(v)
	}
	w.u32(s.QualityPPM)
	w.u32(s.PriorityPPM)
	w.u64(s.CleanFrom)
	w.u64(s.ProvenUntil)
	w.u64(s.GuiltyUntil)
	w.u64(s.LastEpoch)
	w.u8(s.LastVerdict)
	w.u32(s.LastReason)
	w.bytes(s.Evidence[:])
	w.u8(s.Slow)
	w.u32(s.Busy)
	w.u64(s.Day)
	w.u32(s.OfflineSeconds)
	w.u32(s.Verdicts)
	w.u64(s.DroppedMS)
	return w.b
}

// DecodeStanding reads what Encode wrote. It wraps ErrRecord.
func DecodeStanding(b []byte) (s Standing, err error) {
	r := newReader("standing", b)
	s.RPMilli = r.u64()
	n := int(r.u8())
	r.check(n <= economics.KeptRounds)
	for range min(n, economics.KeptRounds) {
		s.Rounds = append(s.Rounds, r.u64())
	}
	s.QualityPPM, s.PriorityPPM, s.CleanFrom, s.ProvenUntil, s.GuiltyUntil = r.u32(), r.u32(), r.u64(), r.u64(), r.u64()
	s.LastEpoch, s.LastVerdict, s.LastReason, s.Evidence = r.u64(), r.u8(), r.u32(), r.b32()
	s.Slow, s.Busy, s.Day, s.OfflineSeconds, s.Verdicts, s.DroppedMS = r.u8(), r.u32(), r.u64(), r.u32(), r.u32(), r.u64()
	r.check(s.QualityPPM <= amount.PPM && s.PriorityPPM <= amount.PPM)
	return s, r.done()
}

// keptWrongs is how many wrong answers of a checker are remembered: what it takes to be
// suspended, and as many again.
const keptWrongs = 2 * economics.WrongLimit

// Conduct is how a checker has judged.
type Conduct struct {
	Correct     uint64   // answers that agreed with what was found
	WrongTotal  uint64   // ever
	Wrong       []uint64 // epochs of the last wrong answers, rising, at most keptWrongs
	BannedUntil uint64   // epoch from which it may be drawn again; 0 = it always might
	LastEpoch   uint64   // of its last answer
	Verdicts    uint32   // ever

	Quarter       uint64 // of the year's quarters, from genesis, that Now is of
	Now, Previous Duties // in that quarter and in the one before
}

// Duties are how often a checker was a member of a panel whose certificate came, and how often
// it had answered there, rightly or not.
type Duties struct{ Asked, Answered uint32 }

// Banned says whether the checker is kept out of the draw in an epoch.
func (c Conduct) Banned(epoch uint64) bool { return epoch < c.BannedUntil }

// Encode writes 62 bytes and 8 for each wrong answer.
func (c Conduct) Encode() []byte {
	w := newWriter(61 + 8*len(c.Wrong))
	w.u64(c.Correct)
	w.u64(c.WrongTotal)
	w.u8(uint8(len(c.Wrong)))
	for _, e := range c.Wrong {
		w.u64(e)
	}
	w.u64(c.BannedUntil)
	w.u64(c.LastEpoch)
	w.u32(c.Verdicts)
	w.u64(c.Quarter)
	for _, d := range []Duties{c.Now, c.Previous} {
		w.u32(d.Asked)
		w.u32(d.Answered)
	}
	return w.b
}

// DecodeConduct reads what Encode wrote. It wraps ErrRecord.
func DecodeConduct(b []byte) (c Conduct, err error) {
	r := newReader("conduct", b)
	c.Correct, c.WrongTotal = r.u64(), r.u64()
	n := int(r.u8())
	r.check(n <= keptWrongs)
	for i := range min(n, keptWrongs) {
		c.Wrong = append(c.Wrong, r.u64())
		r.check(i == 0 || c.Wrong[i-1] <= c.Wrong[i])
	}
	c.BannedUntil, c.LastEpoch, c.Verdicts = r.u64(), r.u64(), r.u32()
	c.Quarter, c.Now, c.Previous = r.u64(), Duties{r.u32(), r.u32()}, Duties{r.u32(), r.u32()}
	return c, r.done()
}

// What a Verdict may say besides the verdicts of a certificate's entries, which are below
// 100. Of a checker 1 is an answer that was right and 3 one that was contradicted.
const (
	VerdictConvicted = 100 // by a fraud proof
	VerdictAccused   = 101 // and may appeal
	VerdictAcquitted = 102 // of that
	VerdictBanned    = 103 // a checker, for wrong answers
)

// Verdict is one thing that was found about a node.
type Verdict struct {
	Epoch    uint64 // that it is about
	Batch    uint32
	Role     economics.Role // in which the node was judged
	Verdict  uint8
	Reason   uint32 // code; of a fraud its kind, of an accusation the offence
	RPMilli  uint64 // of the round, as measured
	Weight   uint64 // that it brought in the epoch's reward
	Evidence Evidence
	Height   uint64 // of the block that has it
}

// Encode writes 75 bytes.
func (v Verdict) Encode() []byte {
	w := newWriter(74)
	w.u64(v.Epoch)
	w.u32(v.Batch)
	w.u8(uint8(v.Role))
	w.u8(v.Verdict)
	w.u32(v.Reason)
	w.u64(v.RPMilli)
	w.u64(v.Weight)
	w.bytes(v.Evidence[:])
	w.u64(v.Height)
	return w.b
}

// DecodeVerdict reads what Encode wrote. It wraps ErrRecord.
func DecodeVerdict(b []byte) (v Verdict, err error) {
	r := newReader("verdict", b)
	v = Verdict{
		Epoch: r.u64(), Batch: r.u32(), Role: economics.Role(r.u8()), Verdict: r.u8(), Reason: r.u32(),
		RPMilli: r.u64(), Weight: r.u64(), Evidence: r.b32(), Height: r.u64(),
	}
	r.check(v.Role == economics.RoleContainer || v.Role == economics.RoleChecker || v.Role == economics.RoleIndexer)
	return v, r.done()
}

// MaxAppeals is how many accusations can be appealed in one epoch.
const MaxAppeals = 64

// appeals are the names of accusations in the order in which they were appealed, 32 bytes each.
type appeals [][32]byte

func (a appeals) encode() []byte {
	w := newWriter(32 * len(a))
	for _, id := range a {
		w.bytes(id[:])
	}
	return w.b
}

func decodeAppeals(b []byte) (a appeals, err error) {
	r := newReader("appeals", b)
	for n := len(r.b) / 32; n > 0 && len(a) < MaxAppeals; n-- {
		a = append(a, r.b32())
	}
	r.check(len(a) > 0)
	return a, r.done()
}
