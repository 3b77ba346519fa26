package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/subnet"
)

// ErrRecord is a value that no version of this program wrote: of another length, layout or
// with a field out of its range.
var ErrRecord = errors.New("state: not a record")

// layout opens every record, so that a later layout can be told from this one.
const layout = 1

// writer appends big-endian fields.
type writer struct{ b []byte }

func newWriter(size int) *writer { return &writer{append(make([]byte, 0, size+1), layout)} }

func (w *writer) u8(v uint8)     { w.b = append(w.b, v) }
func (w *writer) u16(v uint16)   { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32)   { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64)   { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *writer) bytes(p []byte) { w.b = append(w.b, p...) }

// text writes at most 255 bytes behind their number.
func (w *writer) text(s string) {
	if len(s) > 255 {
		s = s[:255]
	}
	w.u8(uint8(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

// subnets writes their number, and each behind its length.
func (w *writer) subnets(list []subnet.Subnet) {
	w.u8(uint8(len(list)))
	for _, s := range list {
		w.text(string(s))
	}
}

// reader takes fields off a record; after the first that is not there all are zero and
// done says what was wrong.
type reader struct {
	b    []byte
	what string
	bad  bool
}

func newReader(what string, b []byte) *reader {
	r := &reader{b: b, what: what}
	if r.u8() != layout {
		r.bad = true
	}
	return r
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8() uint8 {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if p := r.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if p := r.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (r *reader) b32() (out [32]byte) { copy(out[:], r.take(32)); return out }
func (r *reader) b16() (out [16]byte) { copy(out[:], r.take(16)); return out }
func (r *reader) b20() (out [20]byte) { copy(out[:], r.take(20)); return out }

func (r *reader) text() string { return string(r.take(int(r.u8()))) }

// subnets refuses a list that nobody could declare.
func (r *reader) subnets() (list []subnet.Subnet) {
	count := int(r.u8())
	r.check(count <= subnet.Max)
	for range min(count, subnet.Max) {
		list = append(list, subnet.Subnet(r.text()))
	}
	r.check(subnet.CheckAll(list) == nil)
	return list
}

// flag refuses anything but 0 and 1, so that a value has one encoding.
func (r *reader) flag() bool {
	v := r.u8()
	r.check(v <= 1)
	return v == 1
}

func (r *reader) check(ok bool) {
	if !ok {
		r.bad = true
	}
}

// done refuses a record that was too short, too long or out of range.
func (r *reader) done() error {
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("%w: %s", ErrRecord, r.what)
	}
	return nil
}
