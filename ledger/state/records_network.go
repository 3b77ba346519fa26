package state

import (
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// Network is what the genesis file fixed for good.
type Network struct {
	Chain     string
	Genesis   [32]byte // hash of the genesis file
	GenesisMS uint64   // start of epoch 0
	Supply    uint64   // base units
	Oracles   []key.Address
	// Allocated is what the pools of the schedule began with: emission is a share of it.
	Allocated [economics.GenesisPools]uint64
}

// Encode writes the record.
func (n Network) Encode() []byte {
	w := newWriter(128 + 32*len(n.Oracles))
	w.text(n.Chain)
	w.bytes(n.Genesis[:])
	w.u64(n.GenesisMS)
	w.u64(n.Supply)
	for _, a := range n.Allocated {
		w.u64(a)
	}
	w.u8(uint8(len(n.Oracles)))
	for _, o := range n.Oracles {
		w.bytes(o[:])
	}
	return w.b
}

// DecodeNetwork reads what Encode wrote. It wraps ErrRecord.
func DecodeNetwork(b []byte) (n Network, err error) {
	r := newReader("network", b)
	n = Network{Chain: r.text(), Genesis: r.b32(), GenesisMS: r.u64(), Supply: r.u64()}
	for i := range n.Allocated {
		n.Allocated[i] = r.u64()
	}
	count := int(r.u8())
	r.check(count <= genesis.MaxOracles && len(n.Chain) <= 64)
	for range min(count, genesis.MaxOracles) {
		n.Oracles = append(n.Oracles, r.b32())
	}
	return n, r.done()
}

// Head is where the chain stands after a block.
type Head struct {
	Height   uint64
	TimeMS   uint64 // of the block, Unix milliseconds
	Epoch    uint64
	Seed     [32]byte // the chain of randomness after the block
	Proposer [20]byte // consensus address of who added to it
	Frozen   uint64   // the last epoch whose candidates are fixed
	Proposal uint64   // number of the next proposal
}

// Encode writes 93 bytes.
func (h Head) Encode() []byte {
	w := newWriter(92)
	w.u64(h.Height)
	w.u64(h.TimeMS)
	w.u64(h.Epoch)
	w.bytes(h.Seed[:])
	w.bytes(h.Proposer[:])
	w.u64(h.Frozen)
	w.u64(h.Proposal)
	return w.b
}

// DecodeHead reads what Encode wrote. It wraps ErrRecord.
func DecodeHead(b []byte) (h Head, err error) {
	r := newReader("head", b)
	h = Head{r.u64(), r.u64(), r.u64(), r.b32(), r.b20(), r.u64(), r.u64()}
	return h, r.done()
}

// Validator is a node that takes part in consensus. A power of 0 is one that has left and
// may still propose the next block.
type Validator struct {
	Node  key.Node
	Owner key.Address
	Keys  Keys
	Power uint64
}

// Address is the validator's consensus address.
func (v Validator) Address() [20]byte { return ConsensusAddress(v.Keys.Consensus) }

// Encode writes 137 bytes.
func (v Validator) Encode() []byte {
	w := newWriter(136)
	w.bytes(v.Node[:])
	w.bytes(v.Owner[:])
	w.bytes(v.Keys.Consensus[:])
	w.bytes(v.Keys.VRF[:])
	w.u64(v.Power)
	return w.b
}

// DecodeValidator reads what Encode wrote. It wraps ErrRecord.
func DecodeValidator(b []byte) (v Validator, err error) {
	r := newReader("validator", b)
	v = Validator{Node: r.b32(), Owner: r.b32(), Keys: Keys{r.b32(), r.b32()}, Power: r.u64()}
	return v, r.done()
}

// ConsensusOwner says which node a consensus address belongs to.
type ConsensusOwner struct {
	Node key.Node
	Key  [32]byte // the consensus key
}

// Encode writes 65 bytes.
func (c ConsensusOwner) Encode() []byte {
	w := newWriter(64)
	w.bytes(c.Node[:])
	w.bytes(c.Key[:])
	return w.b
}

// DecodeConsensusOwner reads what Encode wrote. It wraps ErrRecord.
func DecodeConsensusOwner(b []byte) (c ConsensusOwner, err error) {
	r := newReader("consensus key", b)
	c = ConsensusOwner{r.b32(), r.b32()}
	return c, r.done()
}

// Proposal is a parameter change that validators vote on.
type Proposal struct {
	Parameter string // its name in the genesis file
	Value     uint64
	Proposer  key.Address
	Closes    uint64     // first epoch in which it can no longer be approved
	Activates uint64     // epoch at whose beginning it takes effect; 0 = not approved yet
	Approvals []key.Node // strictly rising
}

const maxApprovals = 200 // validators at most

// Encode writes the record.
func (p Proposal) Encode() []byte {
	w := newWriter(96 + 32*len(p.Approvals))
	w.text(p.Parameter)
	w.u64(p.Value)
	w.bytes(p.Proposer[:])
	w.u64(p.Closes)
	w.u64(p.Activates)
	w.u16(uint16(len(p.Approvals)))
	for _, n := range p.Approvals {
		w.bytes(n[:])
	}
	return w.b
}

// DecodeProposal reads what Encode wrote. It wraps ErrRecord.
func DecodeProposal(b []byte) (p Proposal, err error) {
	r := newReader("proposal", b)
	p = Proposal{Parameter: r.text(), Value: r.u64(), Proposer: r.b32(), Closes: r.u64(), Activates: r.u64()}
	count := int(r.u16())
	r.check(count <= maxApprovals && len(p.Parameter) <= 64)
	for i := range min(count, len(r.b)/key.Size) {
		p.Approvals = append(p.Approvals, r.b32())
		r.check(i == 0 || string(p.Approvals[i-1][:]) < string(p.Approvals[i][:]))
	}
	r.check(len(p.Approvals) == count)
	return p, r.done()
}

// Candidate is a node that may be drawn in an epoch.
type Candidate struct {
	Node  key.Node
	Stake uint64      // base units: its weight in the draw
	Owner key.Address // nobody is checked by a node of its own owner
	// Subnets are what the node declared: nobody is checked by a neighbour.
	Subnets []subnet.Subnet
}

// CandidatePage is one page of a role's candidates in an epoch, in the order of their keys.
type CandidatePage struct {
	Total      uint32 // in all pages
	Candidates []Candidate
}

// PageSize is how many candidates a page holds at most; only the last holds fewer.
const PageSize = 512

// candidateSize is what a candidate without subnets takes in a page.
const candidateSize = 73

// Encode writes 7 bytes, and for each candidate 73 and its subnets.
func (p CandidatePage) Encode() []byte {
	w := newWriter(6 + (candidateSize+1+subnet.SizeV6)*len(p.Candidates))
	w.u32(p.Total)
	w.u16(uint16(len(p.Candidates)))
	for _, c := range p.Candidates {
		w.bytes(c.Node[:])
		w.u64(c.Stake)
		w.bytes(c.Owner[:])
		w.subnets(c.Subnets)
	}
	return w.b
}

// DecodeCandidates reads what Encode wrote. It wraps ErrRecord.
func DecodeCandidates(b []byte) (p CandidatePage, err error) {
	r := newReader("candidates", b)
	p.Total = r.u32()
	count := int(r.u16())
	r.check(count <= PageSize && uint32(count) <= p.Total && len(r.b) >= candidateSize*count)
	if r.bad {
		return CandidatePage{}, r.done()
	}
	p.Candidates = make([]Candidate, 0, count)
	for i := range count {
		p.Candidates = append(p.Candidates, Candidate{r.b32(), r.u64(), r.b32(), r.subnets()})
		r.check(i == 0 || string(p.Candidates[i-1].Node[:]) < string(p.Candidates[i].Node[:]))
	}
	return p, r.done()
}
