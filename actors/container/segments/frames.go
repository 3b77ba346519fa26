package segments

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/framemesh/framemesh/ledger/witness"
)

// A log file is a row of frames: kind (1) ‖ length (4, big-endian) ‖ CRC-32C of kind and
// body (4) ‖ body. Frames are only ever appended; one that a crash has cut off is the
// last, and is left out.
const (
	kindSegment byte = 1 // a marshalled proof.Signed with a SegCommit
	kindInputs  byte = 2 // a witness.Batch
	kindReceipt byte = 3 // a witness.KeptReceipt
	kindQuality byte = 4 // a marshalled proof.Signed with a Quality

	frameHead  = 9
	maxSegment = 1 << 10
	maxQuality = 1 << 10
	maxFile    = 8 << 20 // bytes of a minute
)

// most is the limit of each kind's body.
var most = map[byte]int{kindSegment: maxSegment, kindInputs: witness.MaxBatch, kindReceipt: witness.ReceiptSize, kindQuality: maxQuality}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(kind byte, body []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte{kind}, castagnoli), castagnoli, body)
}

func appendFrame(b []byte, kind byte, body []byte) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = binary.BigEndian.AppendUint32(b, sum(kind, body))
	return append(b, body...)
}

// eachFrame calls f with every whole frame of a file, whose bodies alias b. It returns
// ErrBroken where something stands that no crash leaves: a torn frame at the end is none.
func eachFrame(b []byte, f func(kind byte, body []byte) error) error {
	for len(b) > 0 {
		if len(b) < frameHead {
			return nil
		}
		kind, n, check := b[0], binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:])
		limit, ok := most[kind]
		if !ok || n > uint32(limit) {
			return fmt.Errorf("%w: a frame of kind %d with %d bytes", ErrBroken, kind, n)
		}
		if uint64(n) > uint64(len(b)-frameHead) {
			return nil
		}
		body := b[frameHead : frameHead+int(n)]
		if sum(kind, body) != check {
			if len(b) == frameHead+int(n) {
				return nil // the last one: its bytes were still under way
			}
			return fmt.Errorf("%w: a frame of kind %d does not fit its checksum", ErrBroken, kind)
		}
		if err := f(kind, body); err != nil {
			return err
		}
		b = b[frameHead+int(n):]
	}
	return nil
}
