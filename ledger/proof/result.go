package proof

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"github.com/framemesh/framemesh/ledger/canonical"
)

// Result is what a certificate carries to the ledger: one Entry for each container of the
// batch, in its order, and which members of the panel were right. Members attest its bytes
// (EncodeResult).
type Result struct {
	Epoch   uint64
	Batch   uint32
	Attempt uint32 // 0 the committee, 1 its reserve
	Entries []Entry
	Correct uint64   // bits by place in the panel
	Wrong   uint64   // bits; contradicted by a quorum or by recomputation
	Votes   [32]byte // VotesDigest of the votes judged
}

// Entry is what was found of one container.
type Entry struct {
	Verdict    uint32 // as in Finding; VerdictNone = no quorum on this container
	Reason     Reason // 0 = the verdict says it all
	RPMilli    uint64 // of this round, from the median time, at most MaxScore; only with verdict ok
	OfflinePPM uint32 // share of pings without an answer; 0 also when nobody measured it
	QualityPPM uint32 // 0 = not measured in this epoch
	// Evidence is of what proves the verdict bad, and zero with any other. It is whatever the
	// members named: zeros, too, are an answer that must not stop a batch.
	Evidence Name
	// Dropped is the paid session from which the container went, 16 bytes, or none. It stands
	// in the place of the evidence (see Accuses).
	Dropped []byte
	// Found are bits by place in the committee: the members whose finding is bad and names the
	// evidence or, with Dropped, names that session. It is they who answer for what the entry
	// accuses of; 0 in all others.
	Found uint64
}

// checkResult holds r to the limits of what can be attested. It wraps ErrMalformed.
func checkResult(r *Result) error {
	if err := canonical.First(
		within("attempt", uint64(r.Attempt), 0, 1),
		within("entries", uint64(len(r.Entries)), 1, MaxBatch),
		within("correct", uint64(bits.Len64(r.Correct)), 0, MaxMembers),
		within("wrong", uint64(bits.Len64(r.Wrong)), 0, MaxMembers),
	); err != nil {
		return err
	}
	if r.Correct&r.Wrong != 0 {
		return wrong("wrong", "names a member that is correct, too")
	}
	for i := range r.Entries {
		if err := checkEntry(&r.Entries[i]); err != nil {
			return fmt.Errorf("entries, number %d: %w", i+1, err)
		}
	}
	return nil
}

func checkEntry(e *Entry) error {
	if err := canonical.First(
		within("verdict", uint64(e.Verdict), VerdictNone, verdictEnd-1),
		within("offline_ppm", uint64(e.OfflinePPM), 0, PPM),
		within("quality_ppm", uint64(e.QualityPPM), 0, PPM),
		within("rp_milli", e.RPMilli, 0, MaxScore),
		optional("dropped", e.Dropped, SessionSize),
		within("found", uint64(bits.Len64(e.Found)), 0, MaxMembers),
	); err != nil {
		return err
	}
	if e.Reason != 0 && !e.Reason.Fits(e.Verdict) {
		return wrong("reason", "%d does not belong to the verdict %s", uint32(e.Reason), VerdictName(e.Verdict))
	}
	switch {
	case e.Verdict != VerdictOK && e.RPMilli != 0:
		return wrong("rp_milli", "with the verdict %s; only ok has a score", VerdictName(e.Verdict))
	case e.Verdict != VerdictBad && !e.Evidence.IsZero():
		return wrong("evidence", "with the verdict %s; it goes with bad", VerdictName(e.Verdict))
	case len(e.Dropped) != 0 && (!e.Evidence.IsZero() || e.Accuses()):
		return wrong("dropped", "beside evidence; there is room for one of the two")
	case e.Found != 0 && !e.Accuses() && len(e.Dropped) == 0:
		return wrong("found", "goes with what opens an accusation, and only with it")
	}
	return nil
}

// Accuses says whether the ledger opens an accusation of forgery on it: a wrong second of play
// or another module is shown by a replay, which the ledger cannot do. Such an entry names its
// evidence even where the container went from a session as well, which costs less. What other
// evidence shows is proven to the ledger by a fraud proof, or needs no file.
func (e *Entry) Accuses() bool {
	return e.Verdict == VerdictBad && (e.Reason == ReasonSegment || e.Reason == ReasonModule)
}

// OnlinePPM is the share of time that the container answered, as far as anybody measured.
func (e *Entry) OnlinePPM() uint32 { return PPM - min(PPM, e.OfflinePPM) }

// VotesDigest is Result.Votes: SHA-256("framemesh/votes/1" ‖ the digests of the votes that
// were judged, in rising order).
func VotesDigest(rising [][32]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("framemesh/votes/1"))
	for _, d := range rising {
		h.Write(d[:])
	}
	return [32]byte(h.Sum(nil))
}
