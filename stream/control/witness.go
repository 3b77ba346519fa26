package control

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Types of the messages about the proof of what was played. A page sends the first two,
// about once a second; play waits for neither.
const (
	TInputs  = "inputs"
	TReceipt = "receipt"
	TSegment = "segment"
)

// Limits of a record of inputs.
const (
	leafSize  = 8   // bytes for each message covered
	maxLeaves = 300 // messages in a record
)

// Inputs is the page's signed word on the input messages that it sent: those numbered
// First and up, eight bytes for each in base64.
type Inputs struct {
	Second uint32 `json:"second"` // the page's clock, s since 1970, rising
	First  uint32 `json:"first"`
	Leaves string `json:"leaves"`
	Sig    string `json:"sig"` // 64 bytes in hex
}

// Receipt is the page's signed word on a second of play. Times are ms.
type Receipt struct {
	Second  uint32 `json:"second"` // as in Inputs
	Frames  uint32 `json:"frames"` // shown
	Lost    uint32 `json:"lost"`   // packets
	Packets uint32 `json:"packets"`
	P50     uint32 `json:"p50"` // from an input to hearing of its use
	P95     uint32 `json:"p95"`
	Acked   uint32 `json:"acked"`
	Stalls  uint32 `json:"stalls"` // gaps over 250 ms
	Seen    string `json:"seen"`   // the newest Segment's frames, or empty
	Sig     string `json:"sig"`    // 64 bytes in hex
}

// Segment tells the page the root over the pictures of a second of play, for its receipt.
type Segment struct {
	Second uint32 `json:"second"` // the container's count, from 0
	Frames string `json:"frames"` // 32 bytes in hex
}

func (Inputs) kind() string  { return TInputs }
func (Receipt) kind() string { return TReceipt }
func (Segment) kind() string { return TSegment }

// witnessFromPage reads a page's word on what it played; ok is false when t is none.
func witnessFromPage(t string, b []byte) (m Message, ok bool, err error) {
	switch t {
	case TInputs:
		v, err := decode[Inputs](b)
		if err == nil {
			_, _, err = v.Values()
		}
		return v, true, err
	case TReceipt:
		v, err := decode[Receipt](b)
		if err == nil {
			_, _, err = v.Values()
		}
		return v, true, err
	}
	return nil, false, nil
}

// Values returns the leaves and the signature.
func (m Inputs) Values() (leaves []byte, sig [64]byte, err error) {
	if len(m.Leaves) > base64.StdEncoding.EncodedLen(maxLeaves*leafSize) {
		return nil, sig, fmt.Errorf("%w: a record of %d characters", ErrSize, len(m.Leaves))
	}
	leaves, err = base64.StdEncoding.DecodeString(m.Leaves)
	if err != nil || len(leaves) == 0 || len(leaves)%leafSize != 0 || base64.StdEncoding.EncodeToString(leaves) != m.Leaves {
		return nil, sig, fmt.Errorf("%w: leaves are 1 to %d times %d bytes in base64", ErrValue, maxLeaves, leafSize)
	}
	if len(leaves) > maxLeaves*leafSize {
		return nil, sig, fmt.Errorf("%w: a record of %d messages, at most %d", ErrSize, len(leaves)/leafSize, maxLeaves)
	}
	return leaves, sig, unhex(sig[:], m.Sig)
}

// Values returns the frame root, zero for none, and the signature.
func (m Receipt) Values() (seen [32]byte, sig [64]byte, err error) {
	if m.Seen != "" {
		if err := unhex(seen[:], m.Seen); err != nil {
			return seen, sig, err
		}
	}
	return seen, sig, unhex(sig[:], m.Sig)
}

// unhex fills to with the bytes that s writes.
func unhex(to []byte, s string) error {
	if len(s) != 2*len(to) {
		return fmt.Errorf("%w: %d characters for %d bytes in hex", ErrValue, len(s), len(to))
	}
	if _, err := hex.Decode(to, []byte(s)); err != nil {
		return fmt.Errorf("%w: not hexadecimal", ErrValue)
	}
	return nil
}
