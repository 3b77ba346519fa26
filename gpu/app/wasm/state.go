package wasm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// The state of a machine as bytes, little-endian:
//
//	0   8  "FMSTATE" and the version, 1
//	8   4  length of the whole, with the checksum
//	12  32 SHA-256 of the module
//	44  4  pages of memory (64 KiB)
//	48  4  number of globals, then 8 bytes for each
//	    4  length of the host's state, then that
//	    4  number of runs; each run is 4 bytes first block, 4 bytes blocks, then
//	       the blocks (4 KiB each); blocks of zeros are left out
//	    4  CRC-32C of all before it
//
// The checksum finds torn and rotten copies. It proves nothing about where the
// state came from: who takes a state from somebody else checks a signature.
const (
	stateMagic   = "FMSTATE\x01"
	stateBlock   = 4096
	stateMinimum = 8 + 4 + 32 + 4 + 4 + 4 + hostFixed + 4 + 4
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeroBlock  [stateBlock]byte
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func isZero(b []byte) bool { return bytes.Equal(b, zeroBlock[:len(b)]) }

// value reads a global; the upper half of a 32-bit one is not part of it.
func value(g api.Global) uint64 {
	if t := g.Type(); t == api.ValueTypeI32 || t == api.ValueTypeF32 {
		return g.Get() & 0xffffffff
	}
	return g.Get()
}

// Append appends the machine's state to b. Extra is state of the caller's own
// that travels along and comes back from Restore. A machine that has stopped
// has no state.
func (m *Machine) Append(b, extra []byte) ([]byte, error) {
	if m.stopped != nil {
		return b, fmt.Errorf("%w (%w)", ErrStopped, m.stopped)
	}
	from := len(b)
	le := binary.LittleEndian
	b = append(b, stateMagic...)
	b = le.AppendUint32(b, 0)
	b = append(b, m.sum[:]...)
	mem := m.Memory()
	b = le.AppendUint32(b, uint32(len(mem)/PageSize))
	b = le.AppendUint32(b, uint32(len(m.globals)))
	for _, g := range m.globals {
		b = le.AppendUint64(b, value(g))
	}
	m.host.extra = extra
	at := len(b)
	b = m.host.append(le.AppendUint32(b, 0))
	le.PutUint32(b[at:], uint32(len(b)-at-4))

	at = len(b)
	b = le.AppendUint32(b, 0)
	runs := uint32(0)
	for lo := 0; lo < len(mem); {
		if isZero(mem[lo : lo+stateBlock]) {
			lo += stateBlock
			continue
		}
		hi := lo + stateBlock
		for hi < len(mem) && !isZero(mem[hi:hi+stateBlock]) {
			hi += stateBlock
		}
		b = le.AppendUint32(b, uint32(lo/stateBlock))
		b = le.AppendUint32(b, uint32((hi-lo)/stateBlock))
		b = append(b, mem[lo:hi]...)
		runs++
		lo = hi
	}
	le.PutUint32(b[at:], runs)
	le.PutUint32(b[from+8:], uint32(len(b)+4-from))
	return le.AppendUint32(b, checksum(b[from:])), nil
}

// stateReader takes fields off a state; short sticks once something is missing.
type stateReader struct {
	b     []byte
	short bool
}

func (r *stateReader) bytes(n uint64) []byte {
	if r.short || n > uint64(len(r.b)) {
		r.short = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *stateReader) u32() uint32 {
	if v := r.bytes(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (r *stateReader) u64() uint64 {
	if v := r.bytes(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

// state is a decoded state; its slices refer to the bytes it came from.
type state struct {
	sum     [32]byte
	pages   uint32
	globals []byte // 8 bytes each
	host    host
	runs    []byte // checked: ordered, not overlapping, within pages
}

// decodeState reads what Append wrote. It checks all of it and allocates nothing
// that grows with b.
func decodeState(b []byte, maxSave int) (state, error) {
	var s state
	if len(b) < stateMinimum || string(b[:7]) != stateMagic[:7] {
		return s, fmt.Errorf("%w: it does not begin like one", ErrState)
	}
	if b[7] != stateMagic[7] {
		return s, fmt.Errorf("%w: version %d; this build reads version %d", ErrState, b[7], stateMagic[7])
	}
	if n := binary.LittleEndian.Uint32(b[8:]); uint64(n) != uint64(len(b)) {
		return s, fmt.Errorf("%w: %d bytes of %d", ErrState, len(b), n)
	}
	body := b[:len(b)-4]
	if checksum(body) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return s, fmt.Errorf("%w: its checksum is wrong", ErrState)
	}
	r := stateReader{b: body[12:]}
	copy(s.sum[:], r.bytes(32))
	s.pages = r.u32()
	s.globals = r.bytes(uint64(r.u32()) * 8)
	hostBytes := r.bytes(uint64(r.u32()))
	if r.short {
		return s, fmt.Errorf("%w: it ends too early", ErrState)
	}
	var err error
	if s.host, err = decodeHost(hostBytes, maxSave); err != nil {
		return s, err
	}
	n := r.u32()
	s.runs = r.b
	next, blocks := uint64(0), uint64(s.pages)*(PageSize/stateBlock)
	for ; n > 0 && !r.short; n-- {
		first, count := uint64(r.u32()), uint64(r.u32())
		if first < next || count == 0 || first+count > blocks {
			return s, fmt.Errorf("%w: memory out of order or out of bounds", ErrState)
		}
		r.bytes(count * stateBlock)
		next = first + count
	}
	if r.short || len(r.b) != 0 {
		return s, fmt.Errorf("%w: memory of the wrong length", ErrState)
	}
	return s, nil
}

// ModuleOf is the SHA-256 of the module whose machine wrote a state with Append. Errors wrap
// ErrState.
func ModuleOf(b []byte) ([32]byte, error) {
	s, err := decodeState(b, math.MaxInt32)
	return s.sum, err
}

// Restore puts back a state that Append wrote for the same module, here or in
// another process, and returns the caller's extra state, which accept may refuse
// first. A refused state changes nothing, and a machine that had stopped works
// again.
func (m *Machine) Restore(ctx context.Context, b []byte, accept func(extra []byte) error) (extra []byte, err error) {
	s, err := decodeState(b, m.cfg.MaxSave)
	switch {
	case err != nil:
		return nil, err
	case s.sum != m.sum:
		return nil, fmt.Errorf("%w: it belongs to another module", ErrState)
	case len(s.globals) != 8*len(m.captured):
		return nil, fmt.Errorf("%w: %d globals of %d", ErrState, len(s.globals)/8, len(m.captured))
	case s.pages < m.minPages || s.pages > m.maxPages:
		return nil, fmt.Errorf("%w: %d pages of memory; the module has %d to %d", ErrState, s.pages, m.minPages, m.maxPages)
	case uint64(s.pages)*PageSize > m.cfg.MemoryLimit:
		return nil, fmt.Errorf("%w: %w: it takes %d MiB and the limit is %d MiB", ErrState, ErrMemory, uint64(s.pages)*PageSize>>20, m.cfg.MemoryLimit>>20)
	}
	if err := accept(s.host.extra); err != nil {
		return nil, err
	}
	// Memory cannot shrink, and a stopped instance cannot be called.
	if m.stopped != nil || m.mem.Size() > s.pages*PageSize {
		if err := m.instantiate(ctx); err != nil {
			return nil, err
		}
	}
	have := m.mem.Size() / PageSize
	if _, ok := m.mem.Grow(s.pages - have); !ok {
		m.stopped = fmt.Errorf("%w: no room for %d pages", ErrMemory, s.pages)
		return nil, m.stopped
	}
	mem, runs, at := m.Memory(), stateReader{b: s.runs}, 0
	for len(runs.b) > 0 {
		first, count := int(runs.u32())*stateBlock, int(runs.u32())*stateBlock
		clear(mem[at:first])
		at = first + copy(mem[first:], runs.bytes(uint64(count)))
	}
	clear(mem[at:])
	for i, g := range m.globals {
		// Mutable by choice of Instrument, whatever the exported name says.
		g.(api.MutableGlobal).Set(binary.LittleEndian.Uint64(s.globals[8*i:]))
	}
	m.host = s.host
	m.host.save = append([]byte(nil), s.host.save...)
	m.host.extra = append([]byte(nil), s.host.extra...)
	for i := range m.out {
		m.out[i] = lines{stream: m.out[i].stream}
	}
	return m.host.extra, nil
}

// Hash is the SHA-256 of the machine's state: memory, globals and host, in one
// canonical form. Equal hashes mean that both machines go on alike.
func (m *Machine) Hash(extra []byte) (sum [32]byte, err error) {
	mem, head, err := m.View(nil, extra)
	if err != nil {
		return sum, err
	}
	le := binary.LittleEndian
	h := sha256.New()
	h.Write(head)
	var index [4]byte
	for lo := 0; lo < len(mem); lo += stateBlock {
		if block := mem[lo : lo+stateBlock]; !isZero(block) {
			le.PutUint32(index[:], uint32(lo/stateBlock))
			h.Write(index[:])
			h.Write(block)
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}

// View shows the whole state in place: linear memory, valid until the next call, and
// everything else in one canonical form, appended to b. Extra is as for Append.
func (m *Machine) View(b, extra []byte) (mem, rest []byte, err error) {
	if m.stopped != nil {
		return nil, b, fmt.Errorf("%w (%w)", ErrStopped, m.stopped)
	}
	le := binary.LittleEndian
	mem = m.Memory()
	b = append(append(b, "framemesh/state/1\x00"...), m.sum[:]...)
	b = le.AppendUint32(b, uint32(len(mem)/PageSize))
	for _, g := range m.globals {
		b = le.AppendUint64(b, value(g))
	}
	m.host.extra = extra
	return mem, m.host.append(b), nil
}
