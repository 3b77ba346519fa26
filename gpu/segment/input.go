package segment

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/framemesh/framemesh/gpu/app"
)

// First bytes of what is hashed in the tree of a second's inputs, so that a leaf is
// never taken for a node.
const (
	tagInputLeaf = 0x00
	tagInputNode = 0x01
)

// InputLeaf is the leaf of one tick: its number and the input block of app ABI v1
// (app.InputSize bytes, as app.Input.MarshalTo writes them).
func InputLeaf(tick uint64, block []byte) [32]byte {
	var b [1 + 8 + app.InputSize]byte
	b[0] = tagInputLeaf
	binary.LittleEndian.PutUint64(b[1:], tick)
	n := 9 + copy(b[9:], block)
	return sha256.Sum256(b[:n])
}

// TickRoot is the root over the leaves of a second's ticks, in order. A level of odd
// length carries its last node up unchanged; no ticks at all is 32 zero bytes.
func TickRoot(leaves [][32]byte) [32]byte {
	if len(leaves) == 0 {
		return [32]byte{}
	}
	level := append([][32]byte(nil), leaves...)
	for len(level) > 1 {
		n := 0
		for i := 0; i < len(level); i += 2 {
			if i+1 == len(level) {
				level[n] = level[i]
			} else {
				level[n] = node(tagInputNode, &level[i], &level[i+1])
			}
			n++
		}
		level = level[:n]
	}
	return level[0]
}

func node(tag byte, l, r *[32]byte) [32]byte {
	var b [65]byte
	b[0] = tag
	copy(b[1:], l[:])
	copy(b[33:], r[:])
	return sha256.Sum256(b[:])
}

// SeatDigest stands for the messages of one seat's page in one second, in the order
// in which they were applied. It is what a player's signature of the second can be
// checked against.
func SeatDigest(seat uint8, messages [][StateSize]byte) (sum [32]byte) {
	h := sha256.New()
	var head [5]byte
	head[0] = seat
	binary.LittleEndian.PutUint32(head[1:], uint32(len(messages)))
	h.Write([]byte("framemesh/segment/seat/1\x00"))
	h.Write(head[:])
	for i := range messages {
		h.Write(messages[i][:])
	}
	h.Sum(sum[:0])
	return sum
}

// SourceRoot stands for where a second's inputs came from: the digest of each seat's
// messages, and one of all events with their ticks and of the wall clock.
func SourceRoot(events []Event, wall []int64) (sum [32]byte) {
	s := Second{Events: events}
	h := sha256.New()
	h.Write([]byte("framemesh/segment/source/1\x00"))
	for seat := range uint8(app.MaxSeats) {
		d := SeatDigest(seat, s.Messages(seat))
		h.Write(d[:])
	}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(events)))
	for i := range events {
		b = events[i].append(b)
		h.Write(b)
		b = b[:0]
	}
	b = le.AppendUint32(b, uint32(len(wall)))
	for _, ms := range wall {
		b = le.AppendUint64(b, uint64(ms))
	}
	h.Write(b)
	h.Sum(sum[:0])
	return sum
}

// InputRoot is what Roots.Input must be: a digest of all that the second began with
// and was told. Only what the ticks made of it is left to the other roots.
func (s *Second) InputRoot() [32]byte {
	le := binary.LittleEndian
	source := SourceRoot(s.Events, s.Wall)
	b := append([]byte("framemesh/segment/input/1\x00"), s.flags())
	b = le.AppendUint32(b, s.Number)
	b = le.AppendUint64(b, s.Tick)
	b = le.AppendUint32(b, s.Roots.Ticks)
	b = append(b, s.Start[:]...)
	b = append(b, s.TickRoot[:]...)
	return sha256.Sum256(append(b, source[:]...))
}

// Bound says whether the second is the one that its Input root speaks of: number,
// start and messages. It does not say that the ticks were told what follows from the
// messages, or that the roots follow from the ticks: an audit does.
func (s *Second) Bound() bool { return s.InputRoot() == s.Roots.Input }
