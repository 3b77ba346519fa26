package wasm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// A delta says how a state differs from another one of the same module:
//
//	0  8  "FMDELTA" and the version, 1
//	8  4  length of the head, then the state's bytes from its module's SHA-256 up to
//	      and without the number of runs
//	   4  number of runs; each is 4 bytes first block, 4 bytes blocks, 1 byte kind:
//	      0 blocks of zeros, 1 the blocks follow. Blocks in no run are the base's.
//
// Runs are in order, as short as can be and never touch one of their own kind, so
// that equal states have equal deltas.
const deltaMagic = "FMDELTA\x01"

const (
	runZero = 0
	runData = 1
)

// blocks gives each block of a decoded state; blocks of zeros are nil.
func (s *state) blocks() [][]byte {
	out := make([][]byte, uint64(s.pages)*(PageSize/stateBlock))
	for r := (stateReader{b: s.runs}); len(r.b) > 0; {
		first, count := r.u32(), r.u32()
		for i := range count {
			out[first+i] = r.bytes(stateBlock)
		}
	}
	return out
}

// head is the length of the part of a state before its runs.
func (s *state) head(b []byte) int { return len(b) - 4 - len(s.runs) - 4 }

// Delta writes what state has that base has not. Base may be empty, which stands for
// a state without memory; both are what Append wrote.
func Delta(base, b []byte) ([]byte, error) {
	s, err := decodeState(b, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	var old [][]byte
	if len(base) > 0 {
		o, err := decodeState(base, math.MaxInt32)
		if err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		if o.sum != s.sum {
			return nil, fmt.Errorf("%w: the base belongs to another module", ErrState)
		}
		old = o.blocks()
	}
	le := binary.LittleEndian
	head := b[12:s.head(b)]
	d := le.AppendUint32([]byte(deltaMagic), uint32(len(head)))
	d = append(d, head...)
	at := len(d)
	d = le.AppendUint32(d, 0)
	now := s.blocks()
	runs := uint32(0)
	kind := func(i int) byte { // 2 for a block that the base has
		var before []byte
		if i < len(old) {
			before = old[i]
		}
		switch {
		case bytes.Equal(now[i], before):
			return 2
		case now[i] == nil:
			return runZero
		}
		return runData
	}
	for lo := 0; lo < len(now); {
		k, hi := kind(lo), lo+1
		for hi < len(now) && kind(hi) == k {
			hi++
		}
		if k != 2 {
			d = le.AppendUint32(d, uint32(lo))
			d = le.AppendUint32(d, uint32(hi-lo))
			d = append(d, k)
			if k == runData {
				for _, block := range now[lo:hi] {
					d = append(d, block...)
				}
			}
			runs++
		}
		lo = hi
	}
	le.PutUint32(d[at:], runs)
	return d, nil
}

// Undelta makes the state that Delta was given, from the same base. The state may
// have at most limit bytes of memory; what does not fit together is refused with
// ErrState.
func Undelta(base, d []byte, limit uint64) ([]byte, error) {
	if len(d) < len(deltaMagic)+4 || string(d[:len(deltaMagic)]) != deltaMagic {
		return nil, fmt.Errorf("%w: not a delta", ErrState)
	}
	le := binary.LittleEndian
	r := stateReader{b: d[len(deltaMagic):]}
	head := r.bytes(uint64(r.u32()))
	if r.short || len(head) < 36 {
		return nil, fmt.Errorf("%w: a delta that ends too early", ErrState)
	}
	pages := uint64(le.Uint32(head[32:]))
	if pages > 1<<16 || pages*PageSize > limit {
		return nil, fmt.Errorf("%w: %w: %d pages and a limit of %d MiB", ErrState, ErrMemory, pages, limit>>20)
	}
	var old [][]byte
	if len(base) > 0 {
		o, err := decodeState(base, math.MaxInt32)
		if err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		old = o.blocks()
	}
	now := make([][]byte, pages*(PageSize/stateBlock))
	copy(now, old)
	next := uint64(0)
	for n := r.u32(); n > 0 && !r.short; n-- {
		first, count := uint64(r.u32()), uint64(r.u32())
		k := r.bytes(1)
		if r.short || first < next || count == 0 || first+count > uint64(len(now)) || k[0] > runData {
			return nil, fmt.Errorf("%w: a delta out of order or out of bounds", ErrState)
		}
		for i := first; i < first+count; i++ {
			if now[i] = nil; k[0] == runData {
				now[i] = r.bytes(stateBlock)
			}
		}
		next = first + count
	}
	if r.short || len(r.b) != 0 {
		return nil, fmt.Errorf("%w: a delta of the wrong length", ErrState)
	}
	b := append([]byte(stateMagic), 0, 0, 0, 0)
	b = append(b, head...)
	at, runs := len(b), uint32(0)
	b = le.AppendUint32(b, 0)
	for lo := 0; lo < len(now); {
		if now[lo] == nil || isZero(now[lo]) {
			lo++
			continue
		}
		hi := lo + 1
		for hi < len(now) && now[hi] != nil && !isZero(now[hi]) {
			hi++
		}
		b = le.AppendUint32(b, uint32(lo))
		b = le.AppendUint32(b, uint32(hi-lo))
		for _, block := range now[lo:hi] {
			b = append(b, block...)
		}
		runs++
		lo = hi
	}
	le.PutUint32(b[at:], runs)
	le.PutUint32(b[8:], uint32(len(b)+4))
	b = le.AppendUint32(b, checksum(b))
	if _, err := decodeState(b, math.MaxInt32); err != nil {
		return nil, err
	}
	return b, nil
}
