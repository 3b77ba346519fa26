package proof

import (
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/canonical"
)

// MaxResult bounds a marshalled Result, in bytes.
const MaxResult = 4 << 10

var shapeResult = shapeOf(func() proto.Message { return new(Result) })

// DecodeResult reads what EncodeResult wrote: the one encoding of a Result whose fields are
// within their limits. It wraps ErrMalformed or ErrTooLarge.
func DecodeResult(b []byte) (*Result, error) {
	if len(b) > MaxResult {
		return nil, fmt.Errorf("%w: result: %d bytes, at most %d", ErrTooLarge, len(b), MaxResult)
	}
	r := new(Result)
	if err := decode(b, shapeResult(), r); err != nil {
		return nil, err
	}
	if err := checkResult(r); err != nil {
		return nil, err
	}
	return r, nil
}

// EncodeResult writes the one encoding of r, the bytes that members attest to.
func EncodeResult(r *Result) ([]byte, error) {
	b, err := encode(r)
	if err != nil {
		return nil, err
	}
	if _, err := DecodeResult(b); err != nil {
		return nil, err
	}
	return b, nil
}

func checkResult(r *Result) error {
	if err := canonical.First(
		within("attempt", uint64(r.GetAttempt()), 0, 1),
		within("entries", uint64(len(r.GetEntries())), 1, MaxBatch),
		sized("votes", r.GetVotes(), sha256.Size),
		within("correct", r.GetCorrect(), 0, 1<<MaxMembers-1),
		within("wrong", r.GetWrong(), 0, 1<<MaxMembers-1),
	); err != nil {
		return err
	}
	if r.GetCorrect()&r.GetWrong() != 0 {
		return wrong("wrong", "names a member that is correct, too")
	}
	for i, e := range r.GetEntries() {
		if err := checkEntry(e); err != nil {
			return fmt.Errorf("entries, number %d: %w", i+1, err)
		}
	}
	return nil
}

func checkEntry(e *Entry) error {
	if err := canonical.First(
		within("verdict", uint64(e.GetVerdict()), VerdictNone, verdictEnd-1),
		within("offline_ppm", uint64(e.GetOfflinePpm()), 0, PPM),
		within("quality_ppm", uint64(e.GetQualityPpm()), 0, PPM),
		optional("evidence", e.GetEvidence(), sha256.Size),
		optional("dropped", e.GetDropped(), SessionSize),
		within("found", e.GetFound(), 0, 1<<MaxMembers-1),
	); err != nil {
		return err
	}
	if r := Reason(e.GetReason()); r != 0 && !r.Fits(e.GetVerdict()) {
		return wrong("reason", "%d does not belong to the verdict %s", r, VerdictName(e.GetVerdict()))
	}
	switch {
	case e.GetVerdict() != VerdictOK && e.GetRpMilli() != 0:
		return wrong("rp_milli", "with the verdict %s; only ok has a score", VerdictName(e.GetVerdict()))
	case (e.GetVerdict() == VerdictBad) != (len(e.GetEvidence()) != 0):
		return wrong("evidence", "goes with the verdict bad, and only with it")
	case e.GetFound() != 0 && !e.Accuses():
		return wrong("found", "goes with what opens an accusation, and only with it")
	}
	return nil
}

// Accuses says whether the ledger opens an accusation of forgery on it: a wrong second of play
// or another module is shown by a replay, which the ledger cannot do.
func (e *Entry) Accuses() bool {
	r := Reason(e.GetReason())
	return e.GetVerdict() == VerdictBad && (r == ReasonSegment || r == ReasonModule)
}

// OnlinePPM is the share of time that the container answered, as far as anybody measured.
func (e *Entry) OnlinePPM() uint32 { return PPM - min(PPM, e.GetOfflinePpm()) }

// VotesDigest is Result.votes: SHA-256("framemesh/votes/1" ‖ the digests of the votes that
// were judged, in rising order).
func VotesDigest(rising [][32]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("framemesh/votes/1"))
	for _, d := range rising {
		h.Write(d[:])
	}
	return [32]byte(h.Sum(nil))
}
