package state

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// Prefixes of the keys. Numbers in keys are big-endian, so that their order is the order
// of the bytes.
const (
	prefixAccount     = "acct/"
	prefixStake       = "stake/"
	prefixNode        = "reg/"
	prefixDelegation  = "dele/"
	prefixSession     = "sess/"
	prefixVesting     = "vest/"
	prefixUnbonding   = "unb/"
	prefixCertificate = "cert/"
	prefixSeed        = "seed/"
	prefixCandidates  = "cand/"
	prefixParams      = "param/"
	prefixProposal    = "prop/"
	prefixTotals      = "total/"
	prefixPool        = "pool/"
	prefixDue         = "due/"
	prefixValidator   = "val/"
	prefixConsensus   = "ckey/"
	prefixVRF         = "vkey/"
	prefixHead        = "head/"
	prefixAttendance  = "seen/"
	prefixEmpty       = "away/"
)

// AccountKey holds an Account.
func AccountKey(a key.Address) []byte { // not by with: no key is made as often
	out := make([]byte, len(prefixAccount)+len(a))
	copy(out[copy(out, prefixAccount):], a[:])
	return out
}

// StakeKey holds the Stake of a node.
func StakeKey(n key.Node) []byte { return with(prefixStake, n[:]) }

// NodeKey holds the Node of the registry.
func NodeKey(n key.Node) []byte { return with(prefixNode, n[:]) }

// DelegationKey holds the Delegation of an account to a node key.
func DelegationKey(account key.Address, n key.Node) []byte {
	return with(prefixDelegation, account[:], n[:])
}

// SessionKey holds the Session that a container calls by 16 bytes.
func SessionKey(container key.Node, session [16]byte) []byte {
	return with(prefixSession, container[:], session[:])
}

// VestingKey holds the Lot of an account that is free from an epoch on, or evenly over
// linear epochs after it. Lots of one schedule are one lot.
func VestingKey(a key.Address, free, linear uint64) []byte {
	return with(prefixVesting, a[:], u64(free), u64(linear))
}

// UnbondingKey holds the Unbonding of a node's stake that its owner may claim from epoch
// free on.
func UnbondingKey(owner key.Address, n key.Node, free uint64) []byte {
	return with(prefixUnbonding, owner[:], n[:], u64(free))
}

// CertificateKey holds the first valid certificate on one batch of an epoch.
func CertificateKey(epoch uint64, batch uint32) []byte {
	return with(prefixCertificate, u64(epoch), u32(batch))
}

// SeedKey holds the 32 bytes of the seed of an epoch. Epochs without a block have none.
func SeedKey(epoch uint64) []byte { return with(prefixSeed, u64(epoch)) }

// CandidatesKey holds one page of the nodes that may be drawn for a role in an epoch.
func CandidatesKey(epoch uint64, role economics.Role, page uint32) []byte {
	return with(prefixCandidates, u64(epoch), u32(uint32(role)), u32(page))
}

// ParamsKey holds the parameters in force.
func ParamsKey() []byte { return []byte(prefixParams + "now") }

// NetworkKey holds the Network: what the genesis file fixed for good.
func NetworkKey() []byte { return []byte(prefixParams + "network") }

// ProposalKey holds a Proposal.
func ProposalKey(id uint64) []byte { return with(prefixProposal, u64(id)) }

// TotalsKey holds the running Totals.
func TotalsKey() []byte { return []byte(prefixTotals + "now") }

// PoolKey holds the amount of a pool, 8 bytes.
func PoolKey(p economics.Pool) []byte { return with(prefixPool, []byte{byte(p)}) }

// HeadKey holds the Head.
func HeadKey() []byte { return []byte(prefixHead + "now") }

// ValidatorKey holds the Validator with a consensus address.
func ValidatorKey(address [20]byte) []byte { return with(prefixValidator, address[:]) }

// AttendanceKey holds the Attendance of the current epoch.
func AttendanceKey() []byte { return []byte(prefixAttendance + "now") }

// EmptyKey holds who has lost its seat for now, an Empty.
func EmptyKey() []byte { return []byte(prefixEmpty + "now") }

// ConsensusKey holds whose consensus address this is, a ConsensusOwner, for good.
func ConsensusKey(address [20]byte) []byte { return with(prefixConsensus, address[:]) }

// VRFKey holds the node key that a VRF key belongs to, for good.
func VRFKey(k [32]byte) []byte { return with(prefixVRF, k[:]) }

// dueKey holds work for the beginning of an epoch.
func dueKey(epoch uint64, kind dueKind, subject []byte) []byte {
	return with(prefixDue, []byte{kind.lane()}, u64(epoch), []byte{byte(kind)}, subject)
}

// ConsensusAddress is CometBFT's name of a consensus key: the first 20 bytes of its SHA-256.
func ConsensusAddress(k [32]byte) [20]byte {
	h := sha256.Sum256(k[:])
	return [20]byte(h[:20])
}

func with(prefix string, parts ...[]byte) []byte {
	n := len(prefix)
	for _, p := range parts {
		n += len(p)
	}
	out := append(make([]byte, 0, n), prefix...)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
