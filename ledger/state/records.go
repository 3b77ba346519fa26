package state

import (
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// Account is what an address owns and how many transactions it has signed. An account that
// is all zero has no record.
type Account struct {
	Balance uint64 // base units, free
	Nonce   uint64 // of its next transaction
	Nodes   uint32 // that it owns in the registry
}

// Encode writes 21 bytes.
func (a Account) Encode() []byte {
	w := newWriter(20)
	w.u64(a.Balance)
	w.u64(a.Nonce)
	w.u32(a.Nodes)
	return w.b
}

// DecodeAccount reads what Encode wrote. It wraps ErrRecord.
func DecodeAccount(b []byte) (a Account, err error) {
	r := newReader("account", b)
	a = Account{r.u64(), r.u64(), r.u32()}
	r.check(a != Account{})
	return a, r.done()
}

// Keys are what a node takes part in consensus with; both zero when it does not.
type Keys struct {
	Consensus [32]byte // Ed25519
	VRF       [32]byte // Ed25519, for the randomness
}

// Node is an entry of the registry.
type Node struct {
	Owner      key.Address
	Roles      economics.Role
	Class      economics.Class
	Region     string // at most 32 of a-z, 0-9, -; may be empty
	Price      uint64 // micro-dollars for an hour of the reference machine
	Registered uint64 // epoch
	Keys       Keys   // in force
	Next       Keys   // in force from epoch NextFrom on
	NextFrom   uint64 // 0 = nothing is to come
	Claim      uint64 // score in milli-RP that a container promises to keep; 0 = none
	// Need is the stake of its role as a container; it stays while the role is laid down.
	Need Requirement
	// Subnets are where it says it lives, none when it says nothing.
	Subnets []subnet.Subnet
	Moved   uint64 // epoch in which Subnets changed last, 0 = never
}

// KeysAt are the keys in force in an epoch.
func (n *Node) KeysAt(epoch uint64) Keys {
	if n.NextFrom != 0 && epoch >= n.NextFrom {
		return n.Next
	}
	return n.Keys
}

// latestKeys are the keys that were registered last, in force or on their way.
func (n *Node) latestKeys() Keys {
	if n.NextFrom != 0 {
		return n.Next
	}
	return n.Keys
}

// Validates says whether the node means to validate: it has registered keys for it.
func (n *Node) Validates() bool { return n.latestKeys() != Keys{} }

// Required is what the node must have bonded in an epoch, in base units: the sum over its
// roles.
func (n *Node) Required(p economics.Params, epoch uint64) uint64 {
	return p.StakeFor(n.Roles, n.Validates(), n.Need.At(epoch))
}

// Encode writes 252 bytes, the region and the subnets.
func (n Node) Encode() []byte {
	w := newWriter(251 + len(n.Region) + (1+subnet.SizeV6)*len(n.Subnets))
	w.bytes(n.Owner[:])
	w.u32(uint32(n.Roles))
	w.u32(uint32(n.Class))
	w.text(n.Region)
	w.u64(n.Price)
	w.u64(n.Registered)
	for _, k := range []Keys{n.Keys, n.Next} {
		w.bytes(k.Consensus[:])
		w.bytes(k.VRF[:])
	}
	w.u64(n.NextFrom)
	w.u64(n.Claim)
	n.Need.write(w)
	w.subnets(n.Subnets)
	w.u64(n.Moved)
	return w.b
}

// DecodeNode reads what Encode wrote. It wraps ErrRecord.
func DecodeNode(b []byte) (n Node, err error) {
	r := newReader("node", b)
	n = Node{
		Owner: r.b32(), Roles: economics.Role(r.u32()), Class: economics.Class(r.u32()),
		Region: r.text(), Price: r.u64(), Registered: r.u64(),
		Keys: Keys{r.b32(), r.b32()}, Next: Keys{r.b32(), r.b32()}, NextFrom: r.u64(), Claim: r.u64(), Need: readRequirement(r),
		Subnets: r.subnets(), Moved: r.u64(),
	}
	r.check(n.Roles.Valid() && n.Class.Valid() && regionValid(n.Region))
	return n, r.done()
}

// Stake is what a node has bonded and how it has behaved.
type Stake struct {
	Amount     uint64 // base units
	Offences   uint32 // slashed so far
	Accused    uint32 // accusations that are neither carried out nor taken back: it stays in the registry
	Jailed     bool   // no role counts until the stake is topped up to what the roles need
	Tombstoned bool   // for good: it signed two things where one was allowed
}

// Encode writes 19 bytes.
func (s Stake) Encode() []byte {
	w := newWriter(18)
	w.u64(s.Amount)
	w.u32(s.Offences)
	w.u32(s.Accused)
	w.flag(s.Jailed)
	w.flag(s.Tombstoned)
	return w.b
}

// DecodeStake reads what Encode wrote. It wraps ErrRecord.
func DecodeStake(b []byte) (s Stake, err error) {
	r := newReader("stake", b)
	s = Stake{r.u64(), r.u32(), r.u32(), r.flag(), r.flag()}
	r.check(s != Stake{})
	return s, r.done()
}

// Delegation lets a node key act for an account.
type Delegation struct {
	Expires uint64 // the last epoch in which it holds
	CutPPM  uint32 // of the node's rewards, to the account of the node key itself
}

// Encode writes 13 bytes.
func (d Delegation) Encode() []byte {
	w := newWriter(12)
	w.u64(d.Expires)
	w.u32(d.CutPPM)
	return w.b
}

// DecodeDelegation reads what Encode wrote. It wraps ErrRecord.
func DecodeDelegation(b []byte) (d Delegation, err error) {
	r := newReader("delegation", b)
	d = Delegation{r.u64(), r.u32()}
	r.check(d.CutPPM <= maxCutPPM)
	return d, r.done()
}

// Phase is how far a session has come.
type Phase uint8

// Phases. A settled or expired session has no record.
const (
	PhaseOpen    Phase = 1
	PhaseClosing Phase = 2 // its player closed it: the container may answer until Closes
)

// Session is an escrow between a player and a container.
type Session struct {
	Player    key.Address // signs the vouchers; the rest of the escrow goes back to it
	Owner     key.Address // of the container when the session was opened: is paid
	PerSecond uint64      // base units
	Seconds   uint32      // planned: the escrow is PerSecond · Seconds
	Escrow    uint64      // base units held
	Price     uint64      // micro-dollars for an hour
	Rate      uint64      // base units for a dollar: the median that was locked
	Indexer   key.Node    // whose certificate led here; zero = none
	OpenedMS  uint64      // block time
	Expires   uint64      // epoch at whose beginning the escrow goes back
	Phase     Phase
	Closes    uint64 // epoch at whose beginning a closing session settles; else 0
	Seq       uint64 // of the voucher that the player presented; the next three are its fields
	Covered   uint32 // seconds
	Paid      uint64 // base units, at most Escrow
	ClosingMS uint64 // time of the block in which its player began to close it; 0 = it did not
}

// Encode writes 186 bytes.
func (s Session) Encode() []byte {
	w := newWriter(185)
	w.bytes(s.Player[:])
	w.bytes(s.Owner[:])
	w.u64(s.PerSecond)
	w.u32(s.Seconds)
	w.u64(s.Escrow)
	w.u64(s.Price)
	w.u64(s.Rate)
	w.bytes(s.Indexer[:])
	w.u64(s.OpenedMS)
	w.u64(s.Expires)
	w.u8(uint8(s.Phase))
	w.u64(s.Closes)
	w.u64(s.Seq)
	w.u32(s.Covered)
	w.u64(s.Paid)
	w.u64(s.ClosingMS)
	return w.b
}

// DecodeSession reads what Encode wrote. It wraps ErrRecord.
func DecodeSession(b []byte) (s Session, err error) {
	r := newReader("session", b)
	s = Session{
		Player: r.b32(), Owner: r.b32(), PerSecond: r.u64(), Seconds: r.u32(), Escrow: r.u64(),
		Price: r.u64(), Rate: r.u64(), Indexer: r.b32(), OpenedMS: r.u64(), Expires: r.u64(),
		Phase: Phase(r.u8()), Closes: r.u64(), Seq: r.u64(), Covered: r.u32(), Paid: r.u64(), ClosingMS: r.u64(),
	}
	r.check(s.Phase == PhaseOpen || s.Phase == PhaseClosing)
	r.check(s.Paid <= s.Escrow && s.Covered <= s.Seconds && (s.Phase == PhaseClosing || s.ClosingMS == 0))
	return s, r.done()
}

// Lot is money of an account that is not free yet; its key says when it is. What has been
// paid out or slashed is Granted − Held.
type Lot struct {
	Held    uint64 // base units still here
	Granted uint64 // base units ever put in
	Early   uint64 // of Held: rewards of a checker, which may leave early at a loss
	From    uint64 // epoch from which they may; 0 where there are none
}

// Encode writes 33 bytes.
func (l Lot) Encode() []byte {
	w := newWriter(32)
	w.u64(l.Held)
	w.u64(l.Granted)
	w.u64(l.Early)
	w.u64(l.From)
	return w.b
}

// DecodeLot reads what Encode wrote. It wraps ErrRecord.
func DecodeLot(b []byte) (l Lot, err error) {
	r := newReader("vesting lot", b)
	l = Lot{r.u64(), r.u64(), r.u64(), r.u64()}
	r.check(l.Held > 0 && l.Held <= l.Granted && l.Early <= l.Held && (l.Early > 0 || l.From == 0))
	return l, r.done()
}

// put adds money to the lot; early is the epoch from which it may leave early, 0 for never.
func (l *Lot) put(amount, early uint64) {
	l.Held += amount
	l.Granted += amount
	if early > 0 {
		l.Early += amount
		l.From = max(l.From, early)
	}
}

// take takes money out that is there; early says that it leaves early. What may not leave
// early goes first otherwise.
func (l *Lot) take(amount uint64, early bool) {
	l.Held -= amount
	if early {
		l.Early -= amount
	}
	if l.Early = min(l.Early, l.Held); l.Early == 0 {
		l.From = 0
	}
}

// Unbonding is stake on its way back to the owner. It can still be slashed.
type Unbonding struct {
	Amount uint64 // base units
}

// Encode writes 9 bytes.
func (u Unbonding) Encode() []byte {
	w := newWriter(8)
	w.u64(u.Amount)
	return w.b
}

// DecodeUnbonding reads what Encode wrote. It wraps ErrRecord.
func DecodeUnbonding(b []byte) (u Unbonding, err error) {
	r := newReader("unbonding", b)
	u = Unbonding{r.u64()}
	r.check(u.Amount > 0)
	return u, r.done()
}

// ParseVestingKey takes a vesting key apart; ok is false for any other key.
func ParseVestingKey(k []byte) (a key.Address, free, linear uint64, ok bool) {
	if len(k) != len(prefixVesting)+48 || string(k[:len(prefixVesting)]) != prefixVesting {
		return a, 0, 0, false
	}
	r := reader{b: k[len(prefixVesting):]}
	return r.b32(), r.u64(), r.u64(), true
}

// ParseUnbondingKey takes an unbonding key apart; ok is false for any other key.
func ParseUnbondingKey(k []byte) (owner key.Address, n key.Node, free uint64, ok bool) {
	if len(k) != len(prefixUnbonding)+72 || string(k[:len(prefixUnbonding)]) != prefixUnbonding {
		return owner, n, 0, false
	}
	r := reader{b: k[len(prefixUnbonding):]}
	return r.b32(), r.b32(), r.u64(), true
}
