package state

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/tx"
)

func commit(epoch uint64, batch uint32, what string) *tx.VoteCommit {
	d := sha256.Sum256([]byte(what))
	return &tx.VoteCommit{Epoch: epoch, Batch: batch, Digest: d[:]}
}

func TestVoteCommit(t *testing.T) {
	b := newPlay(t)
	vote := func(name string, v *tx.VoteCommit) error { return b.sendFor(who(name+" owner"), who(name), v) }
	b.pass(5)
	b.must(vote("k0", commit(5, 1, "a")))
	b.must(vote("k0", commit(4, 1, "a")))
	b.must(vote("k1", commit(5, 1, "a")))
	b.must(vote("k0", commit(5, 2, "a")))
	b.refused(vote("k0", commit(5, 1, "b")), ErrVoted)
	b.refused(vote("k0", commit(3, 1, "a")), ErrVoteEpoch)
	b.refused(vote("k0", commit(6, 1, "a")), ErrVoteEpoch)
	b.refused(vote("c1", commit(5, 1, "a")), ErrChecker)
	b.refused(b.send(who("k2 owner"), commit(5, 1, "a")), ErrChecker) // whose vote would it be?
	b.must(b.send(who("k2 owner"), &tx.Unbond{Node: who("k2").raw(), Amount: 1_000 * frm}))
	b.refused(vote("k2", commit(5, 1, "a")), ErrChecker)
	v, ok, err := load(b.Reader(), VoteKey(5, 1, who("k0").node()), DecodeVote)
	if err != nil || !ok || v.Digest != sha256.Sum256([]byte("a")) || v.Height != b.Head().Height {
		t.Errorf("got %+v, %v, %v", v, ok, err)
	}
	if n := b.records(prefixVote); n != 4 {
		t.Errorf("%d votes", n)
	}
	b.next((KeptEpochs - 2) * 10_000)
	b.pass(1)
	if n := b.records(prefixVote); n != 3 { // epoch 4 is 2 880 epochs ago
		t.Errorf("%d votes kept", n)
	}
	b.pass(1)
	if n := b.records(prefixVote); n != 0 {
		t.Errorf("%d votes kept", n)
	}
	b.end()
}

func TestManyVotesGoInSteps(t *testing.T) {
	b := newPlay(t)
	for i := range uint32(cleanedVotes + 10) {
		b.must(b.sendFor(who("k0 owner"), who("k0"), commit(0, i, "a")))
	}
	b.next(KeptEpochs * 10_000)
	if n := b.records(prefixVote); n != 10 {
		t.Errorf("%d left after a block", n)
	}
	b.next(1000)
	if n := b.records(prefixVote); n != 0 {
		t.Errorf("%d left", n)
	}
	b.end()
}

func doubleVote(accused, signer identity, a, c string) *tx.DoubleVote {
	one, two := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(c))
	sign := func(r [32]byte) []byte {
		return key.Sign(signer.private, chainName, key.KindCertificate, tx.VotePayload(3, 1, r))
	}
	return &tx.DoubleVote{
		Checker: accused.raw(), Epoch: 3, Batch: 1,
		ResultA: one[:], SignatureA: sign(one), ResultB: two[:], SignatureB: sign(two),
	}
}

func TestDoubleVote(t *testing.T) {
	b := newPlay(t)
	k0 := who("k0")
	b.refused(b.send(who("alice"), doubleVote(k0, who("k1"), "yes", "no")), ErrEvidence)
	b.refused(b.send(who("alice"), doubleVote(who("bob"), who("bob"), "yes", "no")), ErrAccused)
	before := b.Supply()
	b.must(b.send(who("alice"), doubleVote(k0, k0, "yes", "no")))
	if s := b.stakeOf(k0); s.Amount != 0 || !s.Tombstoned {
		t.Errorf("got %+v", s)
	}
	if got := b.Supply().Burned - before.Burned - b.Params().TxFee; got != 750*frm {
		t.Errorf("burned %d", got)
	}
	b.refused(b.send(who("bob"), doubleVote(k0, k0, "yes", "no")), ErrPunished)
	b.refused(b.sendFor(who("k0 owner"), k0, commit(0, 1, "a")), ErrChecker)
	b.end()
}

// Every record that this file's rules write can be read back, and nothing shorter, longer
// or of another layout.
func TestMoneyRecordsAreCanonical(t *testing.T) {
	for name, c := range moneyRecords() {
		if err := c.decode(c.bytes); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, bad := range [][]byte{nil, c.bytes[1:], c.bytes[:len(c.bytes)-1], append(slices.Clone(c.bytes), 0), append([]byte{9}, c.bytes[1:]...)} {
			if c.decode(bad) == nil {
				t.Errorf("%s: took %x", name, bad)
			}
		}
	}
}

type moneyRecord struct {
	bytes  []byte
	decode func([]byte) error
	again  func([]byte) ([]byte, error)
}

func recordOf[T interface{ Encode() []byte }](v T, decode func([]byte) (T, error)) moneyRecord {
	return moneyRecord{
		v.Encode(),
		func(b []byte) error { _, err := decode(b); return err },
		func(b []byte) ([]byte, error) {
			v, err := decode(b)
			if err != nil {
				return nil, err
			}
			return v.Encode(), nil
		},
	}
}

func moneyRecords() map[string]moneyRecord {
	return map[string]moneyRecord{
		"memory":      recordOf(Memory{7, key.Address{8}, 9, 10, 11, 12, EndedByContainer, 13}, DecodeMemory),
		"vote":        recordOf(Vote{[32]byte{1}, 2}, DecodeVote),
		"certificate": recordOf(Certificate{[32]byte{1}, key.Address{2}, 3, 4, 1}, DecodeCertificate),
		"fraud":       recordOf(Fraud{1, key.Node{2}, 3, key.Address{4}, 5}, DecodeFraud),
		"accusation": recordOf(Accusation{
			Node: key.Node{1}, Owner: key.Address{17}, Offence: 2, Amount: 3, Victim: key.Address{4}, Final: 5, Epoch: 6, Batch: 7,
			Evidence: proof.Name{8}, Signers: []key.Node{{9}, {10}}, Appealed: 11, Bond: 12,
			Session: [16]byte{13}, Most: 14, Asked: []key.Node{{16}, {15}}, Found: 2,
			Subnets: []subnet.Subnet{"\x0b\x01\x01", "\x0b\x01\x02"},
		}, DecodeAccusation),
		"weight":     recordOf(Weight{1, 2, 3}, DecodeWeight),
		"weight sum": recordOf(WeightSum{1, 2, 3, 4, 5}, DecodeWeightSum),
		"payout":     recordOf(Payout{1, 2, WeightSum{Capacity: 3, Work: 4, Utilisation: 5}, 6}, DecodePayout),
		"emission":   recordOf(Emission{1}, DecodeEmission),
		"standing": recordOf(Standing{
			RPMilli: 1, Rounds: []uint64{2, 3}, QualityPPM: 4, PriorityPPM: 5, CleanFrom: 6, ProvenUntil: 7, LastEpoch: 8,
			LastVerdict: 9, LastReason: 10, Evidence: [32]byte{11}, Slow: 12, Busy: 13, Day: 14, OfflineSeconds: 15, Verdicts: 16, GuiltyUntil: 17, DroppedMS: 18,
		}, DecodeStanding),
		"conduct": recordOf(Conduct{1, 2, []uint64{3, 3, 4}, 5, 6, 7, 8, Duties{9, 10}, Duties{11, 12}}, DecodeConduct),
		"verdict": recordOf(Verdict{1, 2, 4, 5, 6, 7, 8, [32]byte{9}, 10}, DecodeVerdict),
		"session": recordOf(Session{Phase: PhaseOpen, Seconds: 1, Escrow: 1}, DecodeSession),
		"lot":     recordOf(Lot{2, 3, 1, 4}, DecodeLot),
	}
}

// FuzzMoneyRecords: a value that decodes has one encoding, and no value crashes a decoder.
func FuzzMoneyRecords(f *testing.F) {
	records := moneyRecords()
	for _, c := range records {
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, c := range records {
			if again, err := c.again(b); err == nil && fmt.Sprintf("%x", again) != fmt.Sprintf("%x", b) {
				t.Errorf("%s: %x became %x", name, b, again)
			}
		}
	})
}
