package worker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/segment"
)

// The pipes between parent and child carry frames: a type byte, a 32-bit
// little-endian length, the body. Both ends refuse lengths over the type's limit
// before they allocate anything.
const headerLen = 5

// Parent to child. Everything but the configuration fits in PIPE_BUF, so that a
// write is whole or not at all.
const (
	msgConfig  byte = 'C' // JSON config, first and once
	msgRun     byte = 'R'
	msgInput   byte = 'I' // seat u8, then the 72-byte seat state
	msgSeat    byte = 'S' // seat u8, connected u8
	msgBitrate byte = 'B' // bit/s u32
	msgKey     byte = 'K'
	msgShift   byte = 'T' // ns i64
	msgPause   byte = 'P' // paused u8
	msgStop    byte = 'X'
	msgCell    byte = 'G' // code u32 of a strip of challenge cells
)

// Child to parent.
const (
	msgHello byte = 'h' // empty: the process runs and reads
	msgReady byte = 'r' // JSON Info
	msgVideo byte = 'v' // videoHeader, access unit
	msgAudio byte = 'a' // pts i64, duration u32 µs, Opus packet
	msgStats byte = 's' // JSON Stats
	msgBeat  byte = 'b' // empty: the tick loop is alive, though it sends no picture
	msgSave  byte = 'w' // what the app saved

	msgSegment byte = 'g' // segment.Second
	msgState   byte = 'z' // number u32: the snapshot file holds the state that this second begins with
	msgEnd     byte = 'e' // JSON end
)

const (
	maxConfig = 256 << 10
	maxJSON   = 16 << 10
	maxVideo  = 8 << 20
	maxAudio  = 4 << 10
	maxSave   = app.MaxSave
	stateLen  = segment.StateSize // of a seat state on the input data channel
	stateKind = 1                 // its first byte

	videoHeaderLen = 8 + 8 + 4*Seats + 1
	audioHeaderLen = 8 + 4
)

// toChild and toParent are the limits of each message's body by direction; a type
// that is not in the map is refused.
var (
	toChild = map[byte]int{
		msgConfig: maxConfig, msgRun: 0, msgInput: 1 + stateLen, msgSeat: 2, msgBitrate: 4,
		msgKey: 0, msgShift: 8, msgPause: 1, msgStop: 0, msgCell: 4,
	}
	toParent = map[byte]int{
		msgHello: 0, msgReady: maxJSON, msgVideo: videoHeaderLen + maxVideo, msgAudio: audioHeaderLen + maxAudio,
		msgStats: maxJSON, msgBeat: 0, msgSave: maxSave, msgEnd: maxJSON,
		msgSegment: segment.MaxSecond, msgState: 4,
	}
)

// reader takes frames off a pipe.
type reader struct {
	r      *bufio.Reader
	limits map[byte]int
	head   [headerLen]byte
	buf    []byte
}

func newReader(r io.Reader, limits map[byte]int) *reader {
	return &reader{r: bufio.NewReaderSize(r, 64<<10), limits: limits}
}

// next returns the next frame. The body is valid until the next call. At the end of
// the stream between two frames the error is io.EOF; broken frames wrap ErrWire.
func (r *reader) next() (byte, []byte, error) {
	if _, err := io.ReadFull(r.r, r.head[:]); err != nil {
		if err == io.EOF {
			return 0, nil, io.EOF
		}
		return 0, nil, fmt.Errorf("%w: header: %w", ErrWire, err)
	}
	typ, n := r.head[0], binary.LittleEndian.Uint32(r.head[1:])
	limit, ok := r.limits[typ]
	if !ok {
		return 0, nil, fmt.Errorf("%w: unknown type %#02x", ErrWire, typ)
	}
	if uint64(n) > uint64(limit) {
		return 0, nil, fmt.Errorf("%w: %d bytes of type %q, at most %d", ErrWire, n, typ, limit)
	}
	// Grow with what really arrives: a length alone must not cost memory.
	r.buf = r.buf[:0]
	for len(r.buf) < int(n) {
		step := min(int(n)-len(r.buf), max(64<<10, len(r.buf)))
		at := len(r.buf)
		if cap(r.buf) < at+step {
			r.buf = append(r.buf, make([]byte, step)...)
		} else {
			r.buf = r.buf[:at+step]
		}
		if _, err := io.ReadFull(r.r, r.buf[at:]); err != nil {
			return 0, nil, fmt.Errorf("%w: body of %q: %w", ErrWire, typ, err)
		}
	}
	return typ, r.buf, nil
}

// beginFrame resets b to an empty frame of a type; endFrame fills in its length.
func beginFrame(b []byte, typ byte) []byte { return append(b[:0], typ, 0, 0, 0, 0) }

func endFrame(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[1:], uint32(len(b)-headerLen))
	return b
}

// appendFrame makes a whole frame in b's memory.
func appendFrame(b []byte, typ byte, body []byte) []byte {
	return endFrame(append(beginFrame(b, typ), body...))
}

// appendVideo makes the frame of an access unit in b's memory.
func appendVideo(b []byte, u AccessUnit) []byte {
	b = beginFrame(b, msgVideo)
	b = binary.LittleEndian.AppendUint64(b, u.Tick)
	b = binary.LittleEndian.AppendUint64(b, uint64(u.PTS))
	for _, seq := range u.Acked {
		b = binary.LittleEndian.AppendUint32(b, seq)
	}
	var key byte
	if u.Key {
		key = 1
	}
	return endFrame(append(append(b, key), u.Data...))
}

func parseVideo(b []byte) (AccessUnit, error) {
	if len(b) < videoHeaderLen {
		return AccessUnit{}, fmt.Errorf("%w: video of %d bytes", ErrWire, len(b))
	}
	u := AccessUnit{Tick: binary.LittleEndian.Uint64(b), PTS: time.Duration(binary.LittleEndian.Uint64(b[8:]))}
	for i := range u.Acked {
		u.Acked[i] = binary.LittleEndian.Uint32(b[16+4*i:])
	}
	u.Key, u.Data = b[videoHeaderLen-1] != 0, b[videoHeaderLen:]
	return u, nil
}

// appendAudio makes the frame of an Opus packet in b's memory.
func appendAudio(b []byte, p AudioPacket) []byte {
	b = beginFrame(b, msgAudio)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.PTS))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Duration/time.Microsecond))
	return endFrame(append(b, p.Data...))
}

func parseAudio(b []byte) (AudioPacket, error) {
	if len(b) < audioHeaderLen {
		return AudioPacket{}, fmt.Errorf("%w: audio of %d bytes", ErrWire, len(b))
	}
	return AudioPacket{
		PTS:      time.Duration(binary.LittleEndian.Uint64(b)),
		Duration: time.Duration(binary.LittleEndian.Uint32(b[8:])) * time.Microsecond,
		Data:     b[audioHeaderLen:],
	}, nil
}
