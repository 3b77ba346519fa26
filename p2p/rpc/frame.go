package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/multiformats/go-varint"
	"google.golang.org/protobuf/proto"
)

// Errors of the framing.
var (
	// errFrameTooLarge: the length prefix is beyond the limit. Nothing was allocated.
	errFrameTooLarge = errors.New("rpc: frame is too large")
	// errFrame: the bytes are not a frame, or not the message expected in it.
	errFrame = errors.New("rpc: frame does not decode")
)

// readFrame reads one frame, a minimal uvarint length and as many bytes, of at most
// limit bytes. Memory grows with what has really arrived, so that a claimed length
// costs the sender as many bytes as it costs us. It reads nothing beyond the frame.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	size, err := varint.ReadUvarint(byteReader{r})
	switch {
	case errors.Is(err, varint.ErrOverflow), errors.Is(err, varint.ErrNotMinimal):
		return nil, fmt.Errorf("%w: length: %v", errFrame, err)
	case err != nil:
		return nil, fmt.Errorf("rpc: read length: %w", err)
	case size > uint64(limit):
		return nil, fmt.Errorf("%w: %d bytes, at most %d", errFrameTooLarge, size, limit)
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, int64(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("rpc: read %d bytes: %w", size, err)
	}
	return buf.Bytes(), nil
}

// readMessage reads one frame of at most limit bytes into msg and returns its bytes.
func readMessage(r io.Reader, limit int, msg proto.Message) ([]byte, error) {
	frame, err := readFrame(r, limit)
	if err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(frame, msg); err != nil {
		return nil, fmt.Errorf("%w: %v", errFrame, err)
	}
	return frame, nil
}

// appendFrame marshals msg behind its length.
func appendFrame(b []byte, msg proto.Message) ([]byte, error) {
	size := proto.Size(msg)
	b = append(b, varint.ToUvarint(uint64(size))...)
	out, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, msg)
	if err != nil {
		return nil, fmt.Errorf("rpc: marshal %s: %w", msg.ProtoReflect().Descriptor().Name(), err)
	}
	return out, nil
}

// byteReader reads single bytes for the length prefix without buffering ahead.
type byteReader struct{ r io.Reader }

func (b byteReader) ReadByte() (byte, error) {
	var one [1]byte
	_, err := io.ReadFull(b.r, one[:])
	return one[0], err
}
