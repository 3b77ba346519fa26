package judge

import (
	"crypto/sha256"
	"encoding/binary"
)

// stream draws numbers from a hash: block i is SHA-256(key ‖ i (8, big-endian)), where key is
// SHA-256(domain ‖ parts), and each block gives four numbers of 64 bits, big-endian. All
// parts have fixed lengths for one domain.
type stream struct {
	block [sha256.Size + 8]byte
	next  uint64
	left  [sha256.Size]byte
	used  int
}

func newStream(domain string, parts ...[]byte) *stream {
	h := sha256.New()
	h.Write([]byte(domain))
	for _, p := range parts {
		h.Write(p)
	}
	s := &stream{used: sha256.Size}
	h.Sum(s.block[:0])
	return s
}

func (s *stream) uint64() uint64 {
	if s.used == sha256.Size {
		binary.BigEndian.PutUint64(s.block[sha256.Size:], s.next)
		s.left, s.next, s.used = sha256.Sum256(s.block[:]), s.next+1, 0
	}
	v := binary.BigEndian.Uint64(s.left[s.used:])
	s.used += 8
	return v
}

// below draws from 0 to n − 1, each as likely as the other: numbers in the last, incomplete
// run of n are thrown away. n is at least 1.
func (s *stream) below(n uint64) uint64 {
	limit := unfair(n)
	for {
		if v := s.uint64(); v >= limit {
			return v % n
		}
	}
}

// unfair is 2^64 mod n: so many numbers are too many for each remainder to come as often.
func unfair(n uint64) uint64 { return -n % n }

func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
