// Package decode turns H.264 back into pictures, for those who check what a stranger's
// machine shows. Its decoder is C code that reads what strangers send: use it in a process
// that is shut in (worker.Watch), never in a node's own.
package decode

import (
	"errors"

	"github.com/framemesh/framemesh/gpu/cell"
)

var (
	// ErrNoDecoder means that this build has no decoder.
	ErrNoDecoder = errors.New("decode: no H.264 decoder; build with CGO_ENABLED=1")
	// ErrStream is an access unit that does not decode.
	ErrStream = errors.New("decode: the stream is broken")
	// ErrClosed is the use of a decoder after Close.
	ErrClosed = errors.New("decode: closed")
)

// MaxSide is the most px that a picture may be wide or high.
const MaxSide = 4096

// Decoder decodes one stream. It belongs to one goroutine.
type Decoder interface {
	// Decode takes an access unit in Annex B form. ok is false when it holds no picture
	// that can be shown, as before the first key frame. The luma is valid until the next
	// call. Errors wrap ErrStream; the next key frame mends the stream.
	Decode(au []byte) (luma cell.Luma, ok bool, err error)
	Close() error
}
