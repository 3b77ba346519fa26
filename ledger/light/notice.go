package light

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// ErrNotice means that bytes from the topic are no notice.
var ErrNotice = errors.New("light: not a notice")

// MaxNotice bounds a notice in bytes.
const MaxNotice = 1 << 10

// EncodeHead is the notice of a new head.
func EncodeHead(s Summary) ([]byte, error) {
	return proto.Marshal(&Notice{What: &Notice_Head{Head: HeadOf(s)}})
}

// EncodeQuote is the notice of a signed oracle quote.
func EncodeQuote(quote []byte) ([]byte, error) {
	return proto.Marshal(&Notice{What: &Notice_Quote{Quote: quote}})
}

// DecodeNotice reads a notice. It says nothing about whether a head exists or who signed a
// quote. It wraps ErrNotice.
func DecodeNotice(raw []byte) (*Notice, error) {
	if len(raw) == 0 || len(raw) > MaxNotice {
		return nil, fmt.Errorf("%w: %d bytes, not 1 to %d", ErrNotice, len(raw), MaxNotice)
	}
	n := new(Notice)
	if err := proto.Unmarshal(raw, n); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotice, err)
	}
	switch w := n.GetWhat().(type) {
	case *Notice_Head:
		if len(w.Head.GetHash()) != sha256.Size || w.Head.GetHeight() == 0 || w.Head.GetHeight() >= 1<<62 {
			return nil, fmt.Errorf("%w: a head without height or hash", ErrNotice)
		}
	case *Notice_Quote:
		if len(w.Quote) == 0 {
			return nil, fmt.Errorf("%w: an empty quote", ErrNotice)
		}
	default:
		return nil, fmt.Errorf("%w: neither a head nor a quote", ErrNotice)
	}
	return n, nil
}
