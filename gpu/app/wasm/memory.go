package wasm

import "github.com/tetratelabs/wazero/experimental"

// PageSize is the size of a WebAssembly page in bytes.
const PageSize = 64 << 10

// memoryLimit hands out linear memory up to a number of bytes, and remembers
// that more was asked for: a module that is denied memory traps or exits in its
// own way, and only this tells why.
type memoryLimit struct {
	limit  uint64
	denied bool
}

func (l *memoryLimit) Allocate(capacity, _ uint64) experimental.LinearMemory {
	return &linearMemory{limit: l, buf: make([]byte, 0, min(capacity, l.limit))}
}

type linearMemory struct {
	limit *memoryLimit
	buf   []byte
}

// Reallocate grows the memory to size bytes, or returns nil. Capacity grows by
// at least a quarter so that a module that grows page by page is not copied
// each time.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > m.limit.limit {
		m.limit.denied = true
		return nil
	}
	if size > uint64(cap(m.buf)) {
		bigger := make([]byte, size, min(size+size/4, m.limit.limit))
		copy(bigger, m.buf)
		m.buf = bigger
	}
	m.buf = m.buf[:size]
	return m.buf
}

func (m *linearMemory) Free() { m.buf = nil }
