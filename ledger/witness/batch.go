package witness

import (
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
)

// Batch is a record as its container keeps it and shows it to those who audit: with the
// page's key and where its players sit. Seat and shifts are the container's word; a wrong
// one lets no message pass that the player did not send.
type Batch struct {
	Player [key.Size]byte
	Seat   uint8 // of the page's first local player, 0 to 3
	// Shift is by local player what the container's numbering has added to the page's. It
	// says nothing of one that is not Used: no message of that one had come yet.
	Shift [Pads]uint32
	Used  [Pads]bool
	Inputs
}

// batchVersion opens the encoding: version (1) ‖ player (32) ‖ seat, and 16 << i for
// each local player i in use (1) ‖ shifts (4 × 4) ‖
// second (4) ‖ first (4) ‖ signature (64) ‖ number of leaves (2) ‖ leaves, integers
// big-endian.
const (
	batchVersion = 1
	batchFixed   = 1 + key.Size + 1 + 4*Pads + 4 + 4 + 64 + 2
	// MaxBatch is the most bytes that a batch takes.
	MaxBatch = batchFixed + MaxMessages*LeafSize
)

// Append appends the encoding to b.
func (x *Batch) Append(b []byte) []byte {
	b = append(b, batchVersion)
	b = append(b, x.Player[:]...)
	seat := x.Seat
	for i, used := range x.Used {
		if used {
			seat |= 16 << i
		}
	}
	b = append(b, seat)
	for _, s := range x.Shift {
		b = binary.BigEndian.AppendUint32(b, s)
	}
	b = binary.BigEndian.AppendUint32(b, x.Second)
	b = binary.BigEndian.AppendUint32(b, x.First)
	b = append(b, x.Signature[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(x.Count()))
	return append(b, x.Leaves...)
}

// ParseBatch reads what Append wrote and nothing else. It wraps ErrMalformed. The leaves
// alias b.
func ParseBatch(b []byte) (x Batch, err error) {
	if len(b) < batchFixed || len(b) > MaxBatch || b[0] != batchVersion {
		return x, fmt.Errorf("%w: a record of inputs of %d bytes, %d to %d, version %d", ErrMalformed, len(b), batchFixed+LeafSize, MaxBatch, batchVersion)
	}
	at := 1 + copy(x.Player[:], b[1:])
	x.Seat = b[at] & 15
	for i := range x.Used {
		x.Used[i] = b[at]&(16<<i) != 0
	}
	at++
	for i := range x.Shift {
		x.Shift[i] = binary.BigEndian.Uint32(b[at:])
		at += 4
	}
	x.Second, x.First = binary.BigEndian.Uint32(b[at:]), binary.BigEndian.Uint32(b[at+4:])
	at += 8 + copy(x.Signature[:], b[at+8:])
	n := int(binary.BigEndian.Uint16(b[at:]))
	x.Leaves = b[at+2:]
	if len(x.Leaves) != n*LeafSize {
		return x, fmt.Errorf("%w: %d leaves in %d bytes", ErrMalformed, n, len(x.Leaves))
	}
	if x.Seat >= Pads {
		return x, fmt.Errorf("%w: seat %d, 0 to %d", ErrMalformed, x.Seat, Pads-1)
	}
	return x, x.Check()
}

// Sent says whether a message that reached a seat is one of the record's. The message is
// as the game was given it, in the container's numbering; its second byte is the page's
// local player. The answer's number is the page's own.
func (x *Batch) Sent(s Session, seat uint8, message []byte) (seq uint32, ok bool) {
	if len(message) != MessageSize || s.Player != x.Player {
		return 0, false
	}
	if !x.Speaks(seat, message) {
		return 0, false
	}
	pad := message[1]
	var m [MessageSize]byte
	copy(m[:], message)
	seq = Seq(message) - x.Shift[pad]
	binary.LittleEndian.PutUint32(m[4:], seq)
	return seq, x.Covers(s, m[:])
}

// Speaks says whether the record is about the number of a message that reached a seat,
// whatever it says of it.
func (x *Batch) Speaks(seat uint8, message []byte) bool {
	if len(message) != MessageSize {
		return false
	}
	pad := message[1]
	return pad < Pads && x.Used[pad] && x.Seat+pad == seat && Seq(message)-x.Shift[pad]-x.First < uint32(x.Count())
}

// KeptReceipt is a receipt as its container keeps it.
type KeptReceipt struct {
	Player [key.Size]byte
	Receipt
}

const (
	receiptVersion = 1
	// ReceiptSize is the length of a kept receipt: version (1) ‖ player (32) ‖ second,
	// frames, lost, packets, p50, p95, acked, stalls (4 each) ‖ frame root (32) ‖
	// signature (64), integers big-endian.
	ReceiptSize = 1 + key.Size + 8*4 + 32 + 64
)

func (r *Receipt) figures() [8]*uint32 {
	return [...]*uint32{&r.Second, &r.Frames, &r.Lost, &r.Packets, &r.P50MS, &r.P95MS, &r.Acked, &r.Stalls}
}

// Append appends the encoding to b.
func (x *KeptReceipt) Append(b []byte) []byte {
	b = append(b, receiptVersion)
	b = append(b, x.Player[:]...)
	for _, v := range x.figures() {
		b = binary.BigEndian.AppendUint32(b, *v)
	}
	b = append(b, x.Seen[:]...)
	return append(b, x.Signature[:]...)
}

// ParseReceipt reads what Append wrote. It wraps ErrMalformed.
func ParseReceipt(b []byte) (x KeptReceipt, err error) {
	if len(b) != ReceiptSize || b[0] != receiptVersion {
		return x, fmt.Errorf("%w: a receipt of %d bytes, not %d of version %d", ErrMalformed, len(b), ReceiptSize, receiptVersion)
	}
	at := 1 + copy(x.Player[:], b[1:])
	for _, v := range x.figures() {
		*v = binary.BigEndian.Uint32(b[at:])
		at += 4
	}
	at += copy(x.Seen[:], b[at:])
	copy(x.Signature[:], b[at:])
	return x, nil
}
