package module

import (
	"fmt"
	"unicode/utf8"
)

// maxName is the longest import or export name that is read, in bytes. Mangled
// C++ and Rust names reach some hundreds.
const maxName = 4096

// The most items of each kind, far above what compilers make: they bound the
// memory that reading a module takes, and what the engine takes to run it.
const (
	maxTypes     = 1 << 16
	maxValues    = 1000 // parameters or results of a function
	maxImports   = 1 << 12
	maxFuncs     = 1 << 20
	maxTables    = 16
	maxTableSize = 1 << 20 // entries at start
	maxGlobals   = 1 << 16
	maxExports   = 1 << 16
)

// reader walks a byte slice. The first failure sticks: later reads return zero
// values, so that a caller may check err once per item.
type reader struct {
	b    []byte
	pos  int
	base int // offset of b[0] in the file, for messages
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: byte %d: %s", ErrMalformed, r.base+r.pos, fmt.Sprintf(format, args...))
	}
}

func (r *reader) remaining() int { return len(r.b) - r.pos }

func (r *reader) u8() byte {
	if r.err != nil {
		return 0
	}
	if r.pos >= len(r.b) {
		r.fail("ends too early")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	if r.err == nil && r.pos < len(r.b) && r.b[r.pos] < 0x80 { // the common case
		c := r.b[r.pos]
		r.pos++
		return uint32(c)
	}
	var v uint32
	for shift := uint(0); ; shift += 7 {
		c := r.u8()
		if r.err != nil {
			return 0
		}
		if shift == 28 && c > 0x0f {
			r.fail("number does not fit 32 bits")
			return 0
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

// skipLEB passes a signed or unsigned LEB128 number of at most max bytes.
func (r *reader) skipLEB(max int) {
	for range max {
		c := r.u8()
		if r.err != nil || c < 0x80 {
			return
		}
	}
	r.fail("number is too long")
}

func (r *reader) skip(n int) {
	if r.err != nil {
		return
	}
	if n < 0 || n > r.remaining() {
		r.fail("ends too early")
		return
	}
	r.pos += n
}

// count reads the length of a vector whose items take at least one byte each,
// so that a lying length is refused before anything is allocated for it. Limit
// bounds what a true one may cost: an item takes more memory than bytes.
func (r *reader) count(what string, limit int) int {
	n := r.u32()
	if r.err == nil && uint64(n) > uint64(r.remaining()) {
		r.fail("%d %s cannot fit in %d bytes", n, what, r.remaining())
	}
	if r.err == nil && uint64(n) > uint64(limit) {
		r.err = fmt.Errorf("%w: %d %s (the limit is %d)", ErrUnsupported, n, what, limit)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	n := r.u32()
	if r.err == nil && n > maxName {
		r.fail("a name of %d bytes (the limit is %d)", n, maxName)
	}
	if r.err != nil {
		return ""
	}
	from := r.pos
	r.skip(int(n))
	if r.err != nil {
		return ""
	}
	s := string(r.b[from:r.pos])
	if !utf8.ValidString(s) {
		r.fail("a name that is not UTF-8")
		return ""
	}
	return s
}

func appendU32(d []byte, v uint32) []byte {
	for v >= 0x80 {
		d = append(d, byte(v)|0x80)
		v >>= 7
	}
	return append(d, byte(v))
}

func appendName(d []byte, s string) []byte {
	return append(appendU32(d, uint32(len(s))), s...)
}
