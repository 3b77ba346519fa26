package state

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// codecs are all records of this package by name: decode and encode again.
var codecs = map[string]func([]byte) ([]byte, error){
	"account":     codec(DecodeAccount, Account.Encode),
	"appeals":     codec(decodeAppeals, appeals.encode),
	"changes":     codec(DecodeChanges, Changes.Encode),
	"node":        codec(DecodeNode, Node.Encode),
	"stake":       codec(DecodeStake, Stake.Encode),
	"delegation":  codec(DecodeDelegation, Delegation.Encode),
	"session":     codec(DecodeSession, Session.Encode),
	"deviations":  codec(DecodeDeviations, Deviations.Encode),
	"coefficient": codec(DecodeCoefficient, Coefficient.Encode),
	"lot":         codec(DecodeLot, Lot.Encode),
	"unbonding":   codec(DecodeUnbonding, Unbonding.Encode),
	"network":     codec(DecodeNetwork, Network.Encode),
	"head":        codec(DecodeHead, Head.Encode),
	"validator":   codec(DecodeValidator, Validator.Encode),
	"consensus":   codec(DecodeConsensusOwner, ConsensusOwner.Encode),
	"attendance":  codec(DecodeAttendance, Attendance.Encode),
	"empty seats": codec(DecodeEmpty, Empty.Encode),
	"proposal":    codec(DecodeProposal, Proposal.Encode),
	"candidates":  codec(DecodeCandidates, CandidatePage.Encode),
	"totals":      codec(DecodeTotals, Totals.Encode),
	"vrf":         codec(decodeVRFOwner, encodeVRFOwner),
	"pool":        codec(decodePool, encodePool),
	"params": func(b []byte) ([]byte, error) {
		p, err := DecodeParams(b)
		if err != nil {
			return nil, err
		}
		return encodeParams(p)
	},
}

func codec[T any](decode func([]byte) (T, error), encode func(T) []byte) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		v, err := decode(b)
		if err != nil {
			return nil, err
		}
		return encode(v), nil
	}
}

func samples() map[string][]byte {
	n, a := who("n").node(), who("a").address()
	params, _ := encodeParams(economics.DefaultParams())
	return map[string][]byte{
		"account":     Account{Balance: 5, Nonce: 6, Nodes: 7}.Encode(),
		"appeals":     appeals{{1}}.encode(),
		"attendance":  Attendance{Since: 7, Absent: []Absence{{[20]byte{1}, 2}, {[20]byte{2}, 1}}}.Encode(),
		"empty seats": Empty{{Node: n, Until: 3, Missed: 11, Blocks: 21}}.Encode(),
		"changes":     Changes{Cut: true, All: []Change{{Height: 3, Figures: proof.Figures{RPMilli: 4, QualityPPM: 5, PriorityPPM: 6, ProvenUntil: 7}}, {Height: 9}}}.Encode(),
		"node": Node{
			Owner: a, Roles: 5, Class: 1, Region: "eu-west", Price: 4, Registered: 9,
			Keys: Keys{Consensus: [32]byte{1}, VRF: [32]byte{2}}, Next: Keys{Consensus: [32]byte{3}}, NextFrom: 11, Claim: 12,
			Need:    Requirement{Amount: 13, Before: 14, From: 15, Set: 16, Peak: 17, Measured: true},
			Subnets: []subnet.Subnet{"\x0b\x01\x01", "\x2a\x00\x00\x01\x00\x02"}, Moved: 3,
		}.Encode(),
		"stake":      Stake{Amount: 5, Offences: 1, Accused: 2, Jailed: true, Tombstoned: true}.Encode(),
		"delegation": Delegation{Expires: 4, CutPPM: maxCutPPM}.Encode(),
		"session": Session{
			Player: a, Owner: a, PerSecond: 3, Seconds: 10, Escrow: 30, Price: 1, Rate: 2, Indexer: n, OpenedMS: 5,
			Expires: 9, Phase: PhaseClosing, Closes: 8, Seq: 2, Covered: 10, Paid: 30, ClosingMS: 6,
		}.Encode(),
		"deviations":  Deviations{Total: 3, MadeMS: 4, Epochs: []uint64{5, 6}}.Encode(),
		"coefficient": Coefficient{SC: 1, Next: 2, Day: 3, Revenue: [economics.RevenueDays]uint64{4, 5}}.Encode(),
		"lot":         Lot{Held: 2, Granted: 3, Early: 1, From: 9}.Encode(),
		"unbonding":   Unbonding{Amount: 1}.Encode(),
		"network":     Network{Chain: "x-1", Genesis: [32]byte{4}, GenesisMS: 3, Supply: 8, Oracles: []key.Address{a, {1}}}.Encode(),
		"head":        Head{Height: 1, TimeMS: 2, Epoch: 3, Seed: [32]byte{4}, Proposer: [20]byte{5}, Frozen: 6, Proposal: 7}.Encode(),
		"validator":   Validator{Node: n, Owner: a, Keys: Keys{[32]byte{1}, [32]byte{2}}, Power: 3}.Encode(),
		"consensus":   ConsensusOwner{Node: n, Key: [32]byte{7}}.Encode(),
		"proposal":    Proposal{Parameter: "fee_bps", Value: 3, Proposer: a, Closes: 5, Activates: 6, Approvals: []key.Node{{1}, {2}}}.Encode(),
		"candidates":  CandidatePage{Total: 9, Candidates: []Candidate{{key.Node{1}, 5, a, []subnet.Subnet{"\x0b\x01\x01"}}, {key.Node{2}, 6, a, nil}}}.Encode(),
		"totals":      Totals{Balances: 1, Stakes: 2, Unbonding: 3, Vesting: 4, Escrow: 5, Burned: 6, Pools: [poolCount]uint64{7}}.Encode(),
		"vrf":         encodeVRFOwner(n),
		"pool":        encodePool(9),
		"params":      params,
	}
}

// TestRecordsHaveOneEncoding: a record comes back as it was, and no cut, longer or
// otherwise laid out value passes for one.
func TestRecordsHaveOneEncoding(t *testing.T) {
	all := samples()
	if len(all) != len(codecs) {
		t.Fatalf("%d samples of %d records", len(all), len(codecs))
	}
	for name, b := range all {
		again := codecs[name]
		if got, err := again(b); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %x %v, want %x", name, got, err, b)
		}
		for cut := range len(b) {
			if _, err := again(b[:cut]); !errors.Is(err, ErrRecord) {
				t.Errorf("%s cut to %d: %v", name, cut, err)
			}
		}
		if _, err := again(append(bytes.Clone(b), 0)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s with one byte more: %v", name, err)
		}
		other := bytes.Clone(b)
		other[0]++
		if _, err := again(other); !errors.Is(err, ErrRecord) {
			t.Errorf("%s of another layout: %v", name, err)
		}
	}
}

func TestRecordsOutOfRange(t *testing.T) {
	two := []key.Node{{2}, {1}}
	for name, b := range map[string][]byte{
		"account/nothing":       Account{}.Encode(),
		"node/no role":          Node{Region: "eu"}.Encode(),
		"node/region":           Node{Roles: 1, Region: "EU"}.Encode(),
		"node/class":            Node{Roles: 1, Class: 2}.Encode(),
		"stake/flag":            append(Stake{Amount: 1}.Encode()[:18], 2),
		"delegation/cut":        Delegation{CutPPM: maxCutPPM + 1}.Encode(),
		"session/phase":         Session{Phase: 3}.Encode(),
		"session/overdrawn":     Session{Phase: PhaseOpen, Paid: 1}.Encode(),
		"session/open-closing":  Session{Phase: PhaseOpen, ClosingMS: 1}.Encode(),
		"lot/more than granted": Lot{Held: 2, Granted: 1}.Encode(),
		"lot/early of nothing":  Lot{Held: 1, Granted: 1, From: 3}.Encode(),
		"lot/all too early":     Lot{Held: 1, Granted: 3, Early: 2, From: 3}.Encode(),
		"deviations/order":      Deviations{Total: 3, Epochs: []uint64{6, 6}}.Encode(),
		"deviations/too many":   Deviations{Total: 3, Epochs: []uint64{1, 2, 3}}.Encode(),
		"deviations/none":       Deviations{}.Encode(),
		"lot/empty":             Lot{Granted: 1}.Encode(),
		"unbonding/empty":       Unbonding{}.Encode(),
		"proposal/order":        Proposal{Approvals: two}.Encode(),
		"candidates/order":      CandidatePage{Total: 2, Candidates: []Candidate{{Node: two[0], Stake: 1}, {Node: two[1], Stake: 1}}}.Encode(),
		"candidates/over total": CandidatePage{Total: 0, Candidates: []Candidate{{Node: two[0], Stake: 1}}}.Encode(),
		"params/unknown field":  []byte("\x01{\"x\":1}"),
		"params/out of bounds":  []byte("\x01{}"),
	} {
		kind, _, _ := bytes.Cut([]byte(name), []byte("/"))
		if _, err := codecs[string(kind)](b); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRecord: whatever lies in a store or comes from a peer with a proof, decoders neither
// panic nor take two encodings for one value.
func FuzzRecord(f *testing.F) {
	for _, b := range samples() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, again := range codecs {
			got, err := again(b)
			if err != nil {
				if !errors.Is(err, ErrRecord) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if !bytes.Equal(got, b) {
				t.Errorf("%s: %x comes back as %x", name, b, got)
			}
		}
	})
}

// TestKeysDoNotCollide: no builder can make a key of another's.
func TestKeysDoNotCollide(t *testing.T) {
	n, a := who("n").node(), who("a").address()
	seen := map[string]int{}
	for i, k := range [][]byte{
		AccountKey(a), StakeKey(n), NodeKey(n), DelegationKey(a, n), SessionKey(n, [16]byte{}), VestingKey(a, 1, 2),
		UnbondingKey(a, n, 1), CertificateKey(1, 2), SeedKey(1), CandidatesKey(1, 2, 3), ParamsKey(), NetworkKey(),
		ProposalKey(1), TotalsKey(), PoolKey(1), HeadKey(), CoefficientKey(), OracleKey(a), ValidatorKey([20]byte{}), ConsensusKey([20]byte{}), VRFKey([32]byte{}),
		dueKey(1, 1, nil), AttendanceKey(), EmptyKey(),
		FiguresKey(n), BeganKey(1), BeaconKey([32]byte{}),
	} {
		prefix, _, _ := bytes.Cut(k, []byte("/"))
		if j, has := seen[string(k)]; has {
			t.Errorf("keys %d and %d are %q", i, j, k)
		}
		seen[string(k)] = i
		if len(prefix) > 8 || len(k) > 128 {
			t.Errorf("%q is no key", k)
		}
	}
	if fmt.Sprintf("%x", ConsensusAddress([32]byte{})) != "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"[:40] {
		t.Error("not the first 20 bytes of the SHA-256")
	}
}
