package wasm4

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf16"
)

// maxTrace is the longest text that a trace gives, in bytes.
const maxTrace = 1024

// CString returns the bytes from ptr to the next zero or the end of memory.
func (m Memory) CString(ptr uint32) []byte {
	b := m.From(ptr)
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// From returns memory from ptr on: nothing for a pointer outside.
func (m Memory) From(ptr uint32) []byte { return m[min(uint64(ptr), uint64(len(m))):] }

// Bytes returns at most n bytes of memory at ptr.
func (m Memory) Bytes(ptr, n uint32) []byte {
	b := m.From(ptr)
	return b[:min(uint64(n), uint64(len(b)))]
}

// Latin1 reads n bytes of UTF-16 at ptr as ISO 8859-1, with '?' for what has no
// place in it.
func (m Memory) Latin1(ptr, n uint32) []byte {
	b := m.Bytes(ptr, min(n, 2*maxText))
	out := make([]byte, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		if c := binary.LittleEndian.Uint16(b); c < 256 {
			out = append(out, byte(c))
		} else {
			out = append(out, '?')
		}
	}
	return out
}

// UTF16 reads n bytes of UTF-16 at ptr as UTF-8, for the log.
func (m Memory) UTF16(ptr, n uint32) []byte {
	b := m.Bytes(ptr, min(n, maxTrace))
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return []byte(string(utf16.Decode(units)))
}

// Format does what tracef does: %c, %d, %x and %s take 4 bytes from args, %f
// takes 8 that are aligned to 8, and everything else stands as it is.
func (m Memory) Format(format, args uint32) []byte {
	f := m.CString(format)
	var out []byte
	word := func() uint32 {
		var b [4]byte
		copy(b[:], m.From(args))
		args += 4
		return binary.LittleEndian.Uint32(b[:])
	}
	for i := 0; i < len(f) && len(out) < maxTrace; i++ {
		if f[i] != '%' || i+1 == len(f) {
			out = append(out, f[i])
			continue
		}
		i++
		switch f[i] {
		case 'c':
			out = append(out, byte(word()))
		case 'd':
			out = strconv.AppendInt(out, int64(int32(word())), 10)
		case 'x':
			out = strconv.AppendUint(out, uint64(word()), 16)
		case 's':
			s := m.CString(word())
			out = append(out, s[:min(len(s), maxTrace)]...)
		case 'f':
			args = (args + 7) &^ 7
			lo := uint64(word())
			out = strconv.AppendFloat(out, math.Float64frombits(lo|uint64(word())<<32), 'g', -1, 64)
		case '%':
			out = append(out, '%')
		default:
			out = append(out, '%', f[i])
		}
	}
	return out[:min(len(out), maxTrace)]
}
