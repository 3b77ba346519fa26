package tx

import (
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// maxDepth is how deep messages nest: Body, BatchClose, CloseSession, Voucher, and one to
// spare. The shapes below allow no deeper anyway.
const maxDepth = 5

// mostOf bounds each repeated field.
var mostOf = map[string]int{"quotes": MaxQuotes, "sessions": MaxBatch, "subnets": subnet.Max}

// The shapes are read at first use: the descriptors stand only once the package is up.
var (
	shapeSigned = shapeOf(func() protoreflect.Message { return new(Signed).ProtoReflect() })
	shapeBody   = shapeOf(func() protoreflect.Message { return new(Body).ProtoReflect() })
)

func shapeOf(m func() protoreflect.Message) func() *canonical.Shape {
	return sync.OnceValue(func() *canonical.Shape { return canonical.ShapeOf(m().Descriptor(), mostOf) })
}

// checkEncoding says whether b is the one encoding of a message of shape s.
func checkEncoding(b []byte, s *canonical.Shape) error {
	switch err := s.Check(b); {
	case err == nil:
		return nil
	case errors.Is(err, canonical.ErrMany):
		return fmt.Errorf("%w: %w", ErrField, err)
	default:
		return fmt.Errorf("%w: %w", ErrEncoding, err)
	}
}

// appendMessage writes the one encoding of a message of at most MaxSize bytes.
func appendMessage(b []byte, m protoreflect.Message) ([]byte, error) {
	if m.IsValid() {
		if size := proto.Size(m.Interface()); size > MaxSize {
			return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxSize)
		}
	}
	b, err := canonical.Append(b, m)
	switch {
	case errors.Is(err, canonical.ErrMissing):
		return nil, fmt.Errorf("%w: %w", ErrOperation, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	return b, nil
}
