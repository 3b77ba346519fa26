// Package genesis is the file that a network starts from: its name, its parameters, who
// owns what at the first block, and who may quote prices. Whoever has the file can verify
// everything that follows; two files that differ by one byte of meaning are two networks.
//
// The file is JSON. Amounts are base units as JSON strings, since many readers of JSON
// lose digits of numbers above 2^53. Unknown, repeated and misspelt fields are refused.
// The package is pure: it reads no clock, and Load is its only I/O.
package genesis

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// Limits of a file.
const (
	MaxBytes    = 8 << 20 // of the JSON
	MaxAccounts = 50_000
	MaxNodes    = 10_000
	MaxOracles  = 32
	// MaxNodesPerOwner is how many nodes one account can own, at genesis and later.
	MaxNodesPerOwner = 1_000
	MaxVests         = 8 // tranches of one account
	// MaxEpochs bounds the cliff and the length of a tranche: 100 years of 900 s.
	MaxEpochs = 3_504_000
)

// Symbol of the token where a file is built here.
const Symbol = "FRM"

// Errors of this package. Each text names the field and what to do.
var (
	ErrSize       = errors.New("genesis: file too large")
	ErrSyntax     = errors.New("genesis: not a genesis file")
	ErrField      = errors.New("genesis: bad field")
	ErrDuplicate  = errors.New("genesis: listed twice")
	ErrAllocation = errors.New("genesis: the allocation does not sum to the supply")
	ErrStake      = errors.New("genesis: stake below what the roles require")
	ErrValidators = errors.New("genesis: no validators")
	ErrFunds      = errors.New("genesis: the pool does not hold that much")
)

// Doc is a genesis file. Marshal writes its fields in this order.
type Doc struct {
	ChainID string    `json:"chain_id"` // 1 to 32 of a-z, 0-9, - and no - in front
	Network string    `json:"network"`  // the same
	Time    time.Time `json:"time"`     // start of epoch 0, whole milliseconds, UTC
	Symbol  string    `json:"symbol"`
	Supply  uint64    `json:"supply,string"` // base units, at most amount.Supply

	Params economics.Params `json:"params"`
	Pools  Pools            `json:"pools"`

	Accounts []Account     `json:"accounts"`
	Nodes    []Node        `json:"nodes"`
	Oracles  []key.Address `json:"oracles"` // whose quotes count, in any order
}

// Pools are what the purses of the network hold at the first block, in base units. The
// first four are emitted by schedule and never hold anything else than what is still to
// be emitted. What stays in team, investors, ecosystem and airdrop belongs to nobody yet
// and no transaction moves it.
type Pools struct {
	Edge         uint64 `json:"edge,string"`
	Enterprise   uint64 `json:"enterprise,string"`
	CheckerBase  uint64 `json:"checker_base,string"`
	CheckerBonus uint64 `json:"checker_bonus,string"`
	Team         uint64 `json:"team,string"`
	Investors    uint64 `json:"investors,string"`
	Ecosystem    uint64 `json:"ecosystem,string"`
	DAO          uint64 `json:"dao,string"`
	Airdrop      uint64 `json:"airdrop,string"`
	Reserve      uint64 `json:"reserve,string"`
}

// Of is the amount of one pool; 0 for pools that start empty.
func (p Pools) Of(pool economics.Pool) uint64 {
	if at := p.at(pool); at != nil {
		return *at
	}
	return 0
}

func (p *Pools) at(pool economics.Pool) *uint64 {
	switch pool {
	case economics.PoolEdge:
		return &p.Edge
	case economics.PoolEnterprise:
		return &p.Enterprise
	case economics.PoolCheckerBase:
		return &p.CheckerBase
	case economics.PoolCheckerBonus:
		return &p.CheckerBonus
	case economics.PoolTeam:
		return &p.Team
	case economics.PoolInvestors:
		return &p.Investors
	case economics.PoolEcosystem:
		return &p.Ecosystem
	case economics.PoolDAO:
		return &p.DAO
	case economics.PoolAirdrop:
		return &p.Airdrop
	case economics.PoolReserve:
		return &p.Reserve
	}
	return nil
}

// Account is an account at the first block.
type Account struct {
	Address key.Address `json:"address"`
	Amount  uint64      `json:"amount,string"` // free at once
	Vest    []Vest      `json:"vest,omitempty"`
}

// Vest is a tranche that becomes free over time: nothing before CliffEpochs, then evenly
// over LinearEpochs; all at the cliff when LinearEpochs is 0. See economics.CliffLinear.
type Vest struct {
	Amount       uint64 `json:"amount,string"`
	CliffEpochs  uint64 `json:"cliff_epochs"`
	LinearEpochs uint64 `json:"linear_epochs"`
}

// Node is a registered and staked node at the first block. Its keys and roles count from
// epoch 0.
type Node struct {
	Node   key.Node    `json:"node"`
	Owner  key.Address `json:"owner"`
	Roles  Roles       `json:"roles"`
	Region string      `json:"region,omitempty"` // as chain ids; "" = unsaid
	// Subnets are where the node lives, such as 11.1.1.0/24, in rising order of their bytes.
	Subnets []subnet.Subnet `json:"subnets,omitempty"`
	Price   uint64          `json:"price_micro_usd_per_hour"`
	Class   Class           `json:"class"`
	// VRFKey and ConsensusKey are given together, by checkers that validate.
	VRFKey       Key    `json:"vrf_key,omitzero"`
	ConsensusKey Key    `json:"consensus_key,omitzero"`
	Stake        uint64 `json:"stake,string"` // bonded, on top of all accounts
	// Delegate lets the node key act for the owner from the first block on, for as long as
	// a delegation can last.
	Delegate bool `json:"delegate,omitempty"`
	// RPMilli is a container's score in milli-RP that is believed without a round, like
	// everything here: it may stand by from epoch 0 on. 0 = it must prove itself first.
	RPMilli uint64 `json:"rp_milli,omitempty"`
	// ClaimRPMilli is the score that a container promises to keep; 0 = none.
	ClaimRPMilli uint64 `json:"claim_rp_milli,omitempty"`
}

// Validates says whether the node is a validator, given enough stake.
func (n Node) Validates() bool { return n.ConsensusKey != Key{} }

// Key is an Ed25519 public key that is neither an account nor a node; hex in the file.
type Key [32]byte

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(b []byte) error {
	if len(b) != 2*len(k) {
		return fmt.Errorf("%w: a key has 64 hex digits, this one %d", ErrField, len(b))
	}
	if _, err := hex.Decode(k[:], b); err != nil {
		return fmt.Errorf("%w: a key has 64 hex digits: %w", ErrField, err)
	}
	return nil
}

// Marshal writes the canonical JSON: compact, fields in the order of Doc, no final newline.
func (d *Doc) Marshal() ([]byte, error) {
	c := *d
	c.Time = c.Time.UTC()
	if c.Accounts == nil {
		c.Accounts = []Account{}
	}
	if c.Nodes == nil {
		c.Nodes = []Node{}
	}
	if c.Oracles == nil {
		c.Oracles = []key.Address{}
	}
	raw, err := json.Marshal(&c)
	if err != nil {
		return nil, fmt.Errorf("genesis: writing: %w", err)
	}
	return raw, nil
}

// Hash is the SHA-256 of the canonical JSON: the name of the network that cannot be faked.
// Two files that mean the same have one hash, however they are spaced. A Doc that Marshal
// refuses, which Validate would have refused as well, has the hash of nothing.
func (d *Doc) Hash() [32]byte {
	raw, err := d.Marshal()
	if err != nil {
		return sha256.Sum256(nil)
	}
	return sha256.Sum256(raw)
}

// TimeMS is the start of epoch 0 in Unix milliseconds.
func (d *Doc) TimeMS() uint64 { return uint64(max(d.Time.UnixMilli(), 0)) }

// Epoch is the epoch that the block time ms (Unix milliseconds) falls into.
func (d *Doc) Epoch(ms uint64) uint64 {
	return economics.Epoch(d.TimeMS(), d.Params.EpochSeconds, ms)
}

// EpochStart is when epoch e begins, in Unix milliseconds.
func (d *Doc) EpochStart(e uint64) uint64 {
	return economics.EpochStart(d.TimeMS(), d.Params.EpochSeconds, e)
}
