package proof

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxResult bounds the bytes of a Result. The longest that there is, 32 containers that are
// all accused by the widest committee, has 1,181.
const MaxResult = 1280

// What the first byte of an entry says besides its verdict (the lowest three bits): which
// numbers follow, in this order; one that is 0 is left out. Behind them stands who found that the
// container went and the session that it went from, or else, where the verdict is bad, the name of
// the evidence, and before it who found it where the entry accuses.
const (
	entryVerdict = 0b111
	entryReason  = 1 << 3
	entryRP      = 1 << 4
	entryOffline = 1 << 5
	entryQuality = 1 << 6
	entryDropped = 1 << 7
)

// EncodeResult writes the one encoding of r, the bytes that members attest to: epoch, batch,
// attempt, correct and wrong as varints, the digest of the votes (32 bytes), and the entries,
// one after the other to the end. It wraps ErrMalformed.
func EncodeResult(r *Result) ([]byte, error) {
	if err := checkResult(r); err != nil {
		return nil, err
	}
	return appendResult(nil, r), nil
}

// appendResult writes a result that is within its limits.
func appendResult(b []byte, r *Result) []byte {
	for _, v := range [...]uint64{r.Epoch, uint64(r.Batch), uint64(r.Attempt), r.Correct, r.Wrong} {
		b = protowire.AppendVarint(b, v)
	}
	b = append(b, r.Votes[:]...)
	for i := range r.Entries {
		b = appendEntry(b, &r.Entries[i])
	}
	return b
}

func appendEntry(b []byte, e *Entry) []byte {
	at := len(b)
	b = append(b, byte(e.Verdict))
	for _, x := range [...]struct {
		flag  byte
		value uint64
	}{
		{entryReason, uint64(e.Reason)}, {entryRP, e.RPMilli},
		{entryOffline, uint64(e.OfflinePPM)}, {entryQuality, uint64(e.QualityPPM)},
	} {
		if x.value != 0 {
			b[at] |= x.flag
			b = protowire.AppendVarint(b, x.value)
		}
	}
	switch {
	case len(e.Dropped) != 0:
		b[at] |= entryDropped
		b = append(protowire.AppendVarint(b, e.Found), e.Dropped...)
	case e.Accuses():
		b = append(protowire.AppendVarint(b, e.Found), e.Evidence[:]...)
	case e.Verdict == VerdictBad:
		b = append(b, e.Evidence[:]...)
	}
	return b
}

// DecodeResult reads what EncodeResult wrote, and nothing else. The result refers to b. It wraps ErrMalformed or
// ErrTooLarge.
func DecodeResult(b []byte) (*Result, error) {
	if len(b) > MaxResult {
		return nil, fmt.Errorf("%w: result: %d bytes, at most %d", ErrTooLarge, len(b), MaxResult)
	}
	in := resultReader{b: b}
	r := &Result{Epoch: in.number("epoch", 1<<64-1), Batch: uint32(in.number("batch", 1<<32-1)), Attempt: uint32(in.number("attempt", 1)),
		Correct: in.number("correct", 1<<MaxMembers-1), Wrong: in.number("wrong", 1<<MaxMembers-1)}
	copy(r.Votes[:], in.take("votes", sha256.Size))
	for in.err == nil && len(in.b) > 0 {
		if len(r.Entries) == MaxBatch {
			return nil, wrong("entries", "more than %d", MaxBatch)
		}
		r.Entries = append(r.Entries, in.entry())
	}
	if in.err != nil {
		return nil, in.err
	}
	if err := checkResult(r); err != nil {
		return nil, err
	}
	// The one encoding is what would be written: no second list of rules for flags that
	// announce a 0, or for numbers with needless bytes.
	if !bytes.Equal(appendResult(make([]byte, 0, len(b)), r), b) {
		return nil, wrong("result", "not the one encoding")
	}
	return r, nil
}

// resultReader reads a result from the front. After the first error it reads nothing more.
type resultReader struct {
	b   []byte
	err error
}

func (in *resultReader) take(name string, n int) []byte {
	if in.err == nil && len(in.b) < n {
		in.err = wrong(name, "%d bytes where %d are left", n, len(in.b))
	}
	if in.err != nil {
		return nil
	}
	v := in.b[:n]
	in.b = in.b[n:]
	return v
}

func (in *resultReader) number(name string, most uint64) uint64 {
	if in.err != nil {
		return 0
	}
	v, n := protowire.ConsumeVarint(in.b)
	if n < 0 {
		in.err = wrong(name, "is cut off or too long")
		return 0
	}
	if v > most {
		in.err = wrong(name, "%d, at most %d", v, most)
		return 0
	}
	in.b = in.b[n:]
	return v
}

func (in *resultReader) entry() (e Entry) {
	head := in.take("entries", 1)
	if head == nil {
		return e
	}
	e.Verdict = uint32(head[0] & entryVerdict)
	field := func(flag byte, name string, most uint64) uint64 {
		if head[0]&flag == 0 {
			return 0
		}
		return in.number(name, most)
	}
	e.Reason = Reason(field(entryReason, "reason", 1<<32-1))
	e.RPMilli = field(entryRP, "rp_milli", MaxScore)
	e.OfflinePPM = uint32(field(entryOffline, "offline_ppm", PPM))
	e.QualityPPM = uint32(field(entryQuality, "quality_ppm", PPM))
	switch {
	case head[0]&entryDropped != 0:
		e.Found = in.number("found", 1<<MaxMembers-1)
		e.Dropped = in.take("dropped", SessionSize)
	case e.Verdict == VerdictBad:
		if e.Accuses() {
			e.Found = in.number("found", 1<<MaxMembers-1)
		}
		copy(e.Evidence[:], in.take("evidence", len(e.Evidence)))
	}
	return e
}
