package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/framemesh/framemesh/gpu/app"
)

// Limits of a window.
const (
	MaxSeconds = 60        // in one window
	MaxPacked  = 128 << 20 // bytes of its packed state
)

const (
	windowMagic = "FMSEGWN\x01"
	windowBase  = 1 << 0
)

// Window is what an audit needs beside the module: a state to start from, and what
// happened in the seconds since. A window of one second is a proof about that second
// that stands alone.
type Window struct {
	Params Params
	Seats  Seats  // at the start
	Base   bool   // Packed differs from the app as it is when opened, not from nothing
	Packed []byte // the start's snapshot: app.Delta, compressed with zstd
	// Seconds follow one another without a gap. Only the first may be Restored.
	Seconds []Second
}

// Claimed are the roots that the window itself brings along. They bind nobody unless
// somebody signed them.
func (w *Window) Claimed() []Roots {
	out := make([]Roots, len(w.Seconds))
	for i := range w.Seconds {
		out[i] = w.Seconds[i].Roots
	}
	return out
}

// Append appends the encoding of w to b (docs/spec/segment.md).
func (w *Window) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = w.Params.append(append(b, windowMagic...))
	b = w.Seats.Append(b)
	var flags byte
	if w.Base {
		flags |= windowBase
	}
	b = le.AppendUint32(append(b, flags), uint32(len(w.Packed)))
	b = append(b, w.Packed...)
	b = le.AppendUint16(b, uint16(len(w.Seconds)))
	for i := range w.Seconds {
		at := len(b)
		b = w.Seconds[i].Append(le.AppendUint32(b, 0))
		le.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b
}

// ParseWindow reads what Append wrote and nothing else; it unpacks nothing. Packed
// refers to b. Errors wrap ErrMalformed.
func ParseWindow(b []byte) (Window, error) {
	var w Window
	r := fields{b: b}
	if string(r.bytes(len(windowMagic))) != windowMagic {
		return w, fmt.Errorf("%w: not a window", ErrMalformed)
	}
	if err := w.Params.parse(&r); err != nil {
		return w, err
	}
	var err error
	if w.Seats, err = ParseSeats(r.bytes(SeatsSize)); err != nil {
		return w, err
	}
	flags, n := r.u8(), r.u32()
	if flags&^windowBase != 0 || n > MaxPacked {
		return w, fmt.Errorf("%w: a packed state of %d bytes, flags %#x", ErrMalformed, n, flags)
	}
	w.Base = flags&windowBase != 0
	w.Packed = r.bytes(int(n))
	seconds := r.u16()
	if seconds > MaxSeconds {
		return w, fmt.Errorf("%w: a window of %d seconds, at most %d", ErrMalformed, seconds, MaxSeconds)
	}
	for i := range int(seconds) {
		s, err := ParseSecond(r.bytes(int(r.u32())))
		if err != nil {
			return w, err
		}
		w.Seconds = append(w.Seconds, s)
		if i > 0 && (s.Restored || s.Number != w.Seconds[i-1].Number+1) {
			return w, fmt.Errorf("%w: second %d of a window does not follow the one before", ErrMalformed, s.Number)
		}
	}
	if r.short || len(r.b) != 0 {
		return w, fmt.Errorf("%w: a window of the wrong length", ErrMalformed)
	}
	return w, nil
}

// packer compresses states; it is safe for concurrent use.
var packer = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(err) // constant options
	}
	return e
})

func pack(b []byte) []byte { return packer().EncodeAll(b, nil) }

// unpack gives at most limit bytes. Memory grows with what is really there.
func unpack(b []byte, limit int64) ([]byte, error) {
	d, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(16<<20))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	defer d.Close()
	out, err := io.ReadAll(io.LimitReader(d, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: packed state: %w", ErrMalformed, err)
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("%w: a packed state of more than %d bytes", ErrMalformed, limit)
	}
	return out, nil
}

// packState makes a window's start of a snapshot. Base is the snapshot of the app as
// it is when opened, or nil.
func packState(base, snapshot []byte) ([]byte, error) {
	d, err := app.Delta(base, snapshot)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return pack(d), nil
}

// unpackState makes the snapshot again.
func (w *Window) unpackState(base []byte) ([]byte, error) {
	if !w.Base {
		base = nil
	}
	d, err := unpack(w.Packed, deltaLimit(w.Params.Memory))
	if err != nil {
		return nil, err
	}
	b, err := app.Undelta(base, d, uint64(w.Params.Memory))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return b, nil
}

// deltaLimit is the most bytes that a delta of an app with this memory takes: its
// pages with the overhead of runs, globals, and the host's state.
func deltaLimit(memory uint32) int64 { return int64(memory) + int64(memory)/256 + 4<<20 }
