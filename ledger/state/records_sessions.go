package state

import (
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Prefixes of sessions, votes and rewards.
const (
	prefixUsed       = "used/"
	prefixVote       = "vote/"
	prefixFraud      = "fraud/"
	prefixAccusation = "accu/"
	prefixWeight     = "weight/"
	prefixWeightSum  = "wsum/"
	prefixPayout     = "pay/"
	prefixEmission   = "emit/"
)

// UsedKey holds the Memory of a settled session: its name cannot be opened again.
func UsedKey(container key.Node, session [16]byte) []byte {
	return with(prefixUsed, container[:], session[:])
}

// VoteKey holds the Vote that a checker is bound to.
func VoteKey(epoch uint64, batch uint32, n key.Node) []byte {
	return with(prefixVote, u64(epoch), u32(batch), n[:])
}

// FraudKey holds the Fraud that was reported by a proof with this hash.
func FraudKey(proof [32]byte) []byte { return with(prefixFraud, proof[:]) }

// AccusationKey holds an Accusation that waits for its appeal.
func AccusationKey(id [32]byte) []byte { return with(prefixAccusation, id[:]) }

// WeightKey holds the Weight of a node among those that one class of rewards goes to.
func WeightKey(epoch uint64, c RewardClass, n key.Node) []byte {
	return with(prefixWeight, u64(epoch), []byte{byte(c)}, n[:])
}

// WeightSumKey holds the WeightSum of a class in an epoch.
func WeightSumKey(epoch uint64, c RewardClass) []byte {
	return with(prefixWeightSum, u64(epoch), []byte{byte(c)})
}

// PayoutKey holds a Payout that is being made.
func PayoutKey(epoch uint64, c RewardClass) []byte {
	return with(prefixPayout, u64(epoch), []byte{byte(c)})
}

// EmissionKey holds the Emission.
func EmissionKey() []byte { return []byte(prefixEmission + "next") }

// Memory is what is left of a settled session: who played for how much, for a container that
// went in the middle of it and settled when it was back.
type Memory struct {
	Until     uint64      // epoch at whose beginning it is forgotten
	Player    key.Address // whose escrow it was
	PerSecond uint64      // base units
	Seconds   uint32      // of play that the escrow was for
	OpenedMS  uint64      // time of the block that opened it
	SettledMS uint64      // and of the one that settled it
	Ended     uint8       // by whom, see EndedByContainer
	ClosingMS uint64      // time of the block in which its player began to close it; 0 = it did not
}

// Whose doing the end of a settled session was.
const (
	EndedByContainer = 1 // who is paid closed it
	EndedByWindow    = 2 // its player closed it and the container had its time
	EndedByExpiry    = 3 // nobody closed it
)

// Encode writes 78 bytes.
func (m Memory) Encode() []byte {
	w := newWriter(77)
	w.u64(m.Until)
	w.bytes(m.Player[:])
	w.u64(m.PerSecond)
	w.u32(m.Seconds)
	w.u64(m.OpenedMS)
	w.u64(m.SettledMS)
	w.u8(m.Ended)
	w.u64(m.ClosingMS)
	return w.b
}

// DecodeMemory reads what Encode wrote. It wraps ErrRecord.
func DecodeMemory(b []byte) (m Memory, err error) {
	r := newReader("memory of a session", b)
	m = Memory{Until: r.u64(), Player: r.b32(), PerSecond: r.u64(), Seconds: r.u32(), OpenedMS: r.u64(), SettledMS: r.u64(), Ended: r.u8(), ClosingMS: r.u64()}
	r.check(m.Ended >= EndedByContainer && m.Ended <= EndedByExpiry)
	return m, r.done()
}

// Vote is what a checker bound itself to before others could see it.
type Vote struct {
	Digest [32]byte
	Height uint64 // of the block that took it
}

// Encode writes 41 bytes.
func (v Vote) Encode() []byte {
	w := newWriter(40)
	w.bytes(v.Digest[:])
	w.u64(v.Height)
	return w.b
}

// DecodeVote reads what Encode wrote. It wraps ErrRecord.
func DecodeVote(b []byte) (v Vote, err error) {
	r := newReader("vote", b)
	v = Vote{r.b32(), r.u64()}
	return v, r.done()
}

// Certificate is what the first valid certificate on a batch said. The result itself and
// the signatures stand in the block.
type Certificate struct {
	Result    [32]byte    // SHA-256
	Submitter key.Address // whose transaction it was
	Height    uint64      // of the block that has it
	Signers   uint8       // at least 1, at most tx.MaxAttestations
	Attempt   uint8       // 0 by the committee, 1 by its reserve
}

// Encode writes 75 bytes.
func (c Certificate) Encode() []byte {
	w := newWriter(74)
	w.bytes(c.Result[:])
	w.bytes(c.Submitter[:])
	w.u64(c.Height)
	w.u8(c.Signers)
	w.u8(c.Attempt)
	return w.b
}

// DecodeCertificate reads what Encode wrote. It wraps ErrRecord.
func DecodeCertificate(b []byte) (c Certificate, err error) {
	r := newReader("certificate", b)
	c = Certificate{r.b32(), r.b32(), r.u64(), r.u8(), r.u8()}
	r.check(c.Signers >= 1 && c.Attempt <= 1)
	return c, r.done()
}

// Fraud is a fraud proof that somebody reported. Statement and evidence stand in the block.
type Fraud struct {
	Kind     uint32 // as in FraudProof
	Subject  key.Node
	Epoch    uint64 // in which the accused made its statement, as the reporter says
	Reporter key.Address
	Height   uint64 // of the block that has the proof
}

// Encode writes 85 bytes.
func (f Fraud) Encode() []byte {
	w := newWriter(84)
	w.u32(f.Kind)
	w.bytes(f.Subject[:])
	w.u64(f.Epoch)
	w.bytes(f.Reporter[:])
	w.u64(f.Height)
	return w.b
}

// DecodeFraud reads what Encode wrote. It wraps ErrRecord.
func DecodeFraud(b []byte) (f Fraud, err error) {
	r := newReader("fraud proof", b)
	f = Fraud{r.u32(), r.b32(), r.u64(), r.b32(), r.u64()}
	return f, r.done()
}

// Accusation is a slash that becomes final when its appeal window has passed.
type Accusation struct {
	Node    key.Node
	Owner   key.Address // whose it was when it was accused: appeals, and has the bond back, also when the node is gone by then
	Offence economics.Offence
	Amount  uint64      // base units; less is taken when less is left
	Victim  key.Address // zero = none
	Final   uint64      // epoch at whose beginning it is carried out, or dropped when it was appealed

	Epoch    uint64     // that it is about; the next two are of the certificate it rests on
	Batch    uint32     //
	Evidence proof.Name // zero for none
	Signers  []key.Node // who attested it, rising
	Found    uint64     // bits by place in Signers of those who were wrong if it is acquitted; 0 = all
	Appealed uint64     // epoch from whose seed the wider committee is drawn; 0 = no appeal
	Bond     uint64     // base units that the appeal put at stake
	// Subnets are where the accused lived by the set that it was drawn from for the round: none
	// of its neighbours there answers its appeal.
	Subnets []subnet.Subnet

	// Of a container that went (economics.OffenceDrop); nothing in others.
	Session [16]byte   // from which it went
	Most    uint64     // base units that Victim gets at most: what the session can have cost it
	Asked   []key.Node // who was drawn for it, committee and reserve: they know what they heard
}

// maxAsked is how many are drawn for a container: a committee and its reserve with N = 10.
const maxAsked = 42

// Answer are those who were wrong if a wider committee finds that it is not so.
func (a *Accusation) Answer() (all []key.Node) {
	for i, n := range a.Signers {
		if a.Found == 0 || a.Found>>i&1 == 1 {
			all = append(all, n)
		}
	}
	return all
}

// Encode writes 197 bytes, the subnets, and 32 for each signer and each who was drawn.
func (a Accusation) Encode() []byte {
	w := newWriter(196 + (1+subnet.SizeV6)*len(a.Subnets) + key.Size*(len(a.Signers)+len(a.Asked)))
	w.bytes(a.Node[:])
	w.bytes(a.Owner[:])
	w.u8(uint8(a.Offence))
	w.u64(a.Amount)
	w.bytes(a.Victim[:])
	w.u64(a.Final)
	w.u64(a.Epoch)
	w.u32(a.Batch)
	w.bytes(a.Evidence[:])
	w.u64(a.Appealed)
	w.u64(a.Bond)
	w.bytes(a.Session[:])
	w.u64(a.Most)
	w.u64(a.Found)
	w.subnets(a.Subnets)
	for _, list := range [][]key.Node{a.Asked, a.Signers} {
		w.u8(uint8(len(list)))
		for _, n := range list {
			w.bytes(n[:])
		}
	}
	return w.b
}

// DecodeAccusation reads what Encode wrote. It wraps ErrRecord.
func DecodeAccusation(b []byte) (a Accusation, err error) {
	r := newReader("accusation", b)
	a = Accusation{Node: r.b32(), Owner: r.b32(), Offence: economics.Offence(r.u8()), Amount: r.u64(), Victim: r.b32(), Final: r.u64(), Epoch: r.u64()}
	a.Batch, a.Evidence, a.Appealed, a.Bond = r.u32(), r.b20(), r.u64(), r.u64()
	r.check(a.Offence.String() != "")
	a.Session, a.Most, a.Found, a.Subnets = r.b16(), r.u64(), r.u64(), r.subnets()
	asked := int(r.u8())
	r.check(asked <= maxAsked && len(r.b) > asked*key.Size)
	for range min(asked, maxAsked, len(r.b)/key.Size) {
		a.Asked = append(a.Asked, r.b32())
	}
	n := int(r.u8())
	r.check(n <= tx.MaxAttestations && len(r.b) == n*key.Size && a.Found>>n == 0)
	for i := range min(n, len(r.b)/key.Size) {
		a.Signers = append(a.Signers, r.b32())
		r.check(i == 0 || string(a.Signers[i-1][:]) < string(a.Signers[i][:]))
	}
	return a, r.done()
}

// RewardClass says from which pool a node is rewarded and what its weight counts.
type RewardClass uint8

// Classes of rewards.
const (
	RewardEdge       RewardClass = iota // containers of class edge
	RewardEnterprise                    // containers of class enterprise
	RewardChecker                       // correct checks of the epoch
	RewardBonus                         // checkers, in the last epoch of a quarter
	RewardIndexer                       // sessions that were led here and paid
	rewardEnd
)

var rewardNames = [rewardEnd]string{"edge", "enterprise", "checker", "bonus", "indexer"}

// String is the class's name in events.
func (c RewardClass) String() string {
	if c >= rewardEnd {
		return ""
	}
	return rewardNames[c]
}

// Pool is where the class is rewarded from.
func (c RewardClass) Pool() economics.Pool {
	switch c {
	case RewardEdge:
		return economics.PoolEdge
	case RewardEnterprise:
		return economics.PoolEnterprise
	case RewardChecker:
		return economics.PoolCheckerBase
	case RewardBonus:
		return economics.PoolCheckerBonus
	}
	return economics.PoolIndexers
}

// Weight is what one node of a class did in an epoch, as its verified results say. The
// part of work is never paid more than Fees.
type Weight struct {
	Capacity uint64 // containers: economics.CapacityWeight; checkers: correct checks, or base earned
	Work     uint64 // containers: sum of economics.WorkWeight; indexers: paid sessions
	Fees     uint64 // base units of fees that this work brought in, as far as they may come back
}

// Encode writes 25 bytes.
func (v Weight) Encode() []byte {
	w := newWriter(24)
	w.u64(v.Capacity)
	w.u64(v.Work)
	w.u64(v.Fees)
	return w.b
}

// DecodeWeight reads what Encode wrote. It wraps ErrRecord.
func DecodeWeight(b []byte) (v Weight, err error) {
	r := newReader("weight", b)
	v = Weight{r.u64(), r.u64(), r.u64()}
	return v, r.done()
}

// WeightSum adds up the weights of a class in an epoch.
type WeightSum struct {
	Capacity, Work uint64 // saturating
	Utilisation    uint32 // bps, of containers of the class
	Offered, Paid  uint64 // milli-RP·seconds that stood ready, and that were paid for; saturating
}

// Encode writes 37 bytes.
func (s WeightSum) Encode() []byte {
	w := newWriter(36)
	w.u64(s.Capacity)
	w.u64(s.Work)
	w.u32(s.Utilisation)
	w.u64(s.Offered)
	w.u64(s.Paid)
	return w.b
}

// DecodeWeightSum reads what Encode wrote. It wraps ErrRecord.
func DecodeWeightSum(b []byte) (s WeightSum, err error) {
	r := newReader("sum of weights", b)
	s = WeightSum{r.u64(), r.u64(), r.u32(), r.u64(), r.u64()}
	r.check(s.Utilisation <= 10_000)
	return s, r.done()
}

// Payout is an epoch's rewards of one class while they are handed out, some in each block.
// The money is in the class's pool until then.
type Payout struct {
	Capacity uint64 // base units, shared by Weight.Capacity
	Work     uint64 // base units, shared by Weight.Work
	Sum      WeightSum
	Left     uint64 // base units of both not handed out yet; in the end they go to the reserve
}

// Encode writes 45 bytes.
func (p Payout) Encode() []byte {
	w := newWriter(44)
	w.u64(p.Capacity)
	w.u64(p.Work)
	w.u64(p.Sum.Capacity)
	w.u64(p.Sum.Work)
	w.u32(p.Sum.Utilisation)
	w.u64(p.Left)
	return w.b
}

// DecodePayout reads what Encode wrote. It wraps ErrRecord.
func DecodePayout(b []byte) (p Payout, err error) {
	r := newReader("payout", b)
	p = Payout{Capacity: r.u64(), Work: r.u64(), Sum: WeightSum{Capacity: r.u64(), Work: r.u64(), Utilisation: r.u32()}, Left: r.u64()}
	r.check(p.Sum.Utilisation <= 10_000)
	return p, r.done()
}

// Emission is how far the pools have been released.
type Emission struct {
	Next uint64 // first epoch that has not been paid for
}

// Encode writes 9 bytes.
func (e Emission) Encode() []byte {
	w := newWriter(8)
	w.u64(e.Next)
	return w.b
}

// DecodeEmission reads what Encode wrote. It wraps ErrRecord.
func DecodeEmission(b []byte) (e Emission, err error) {
	r := newReader("emission", b)
	e = Emission{r.u64()}
	return e, r.done()
}
