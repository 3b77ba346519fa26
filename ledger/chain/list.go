package chain

import (
	"bytes"
	"context"
	"fmt"

	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
)

var _ light.Lister = server{}

// Keys implements light.Lister from the newest committed state.
func (s server) Keys(ctx context.Context, prefix, after []byte, limit int) (keys [][]byte, more bool, err error) {
	from := prefix
	if len(after) > 0 {
		if !bytes.HasPrefix(after, prefix) {
			return nil, false, fmt.Errorf("%w: to go on after a key of another prefix", light.ErrInvalid)
		}
		from = append(bytes.Clone(after), 0)
	}
	err = s.n.View(func(r state.Reader) error {
		return r.Range(from, prefixEnd(prefix), func(k, _ []byte) bool {
			if more = len(keys) == limit; more || ctx.Err() != nil {
				return false
			}
			keys = append(keys, bytes.Clone(k))
			return true
		})
	})
	if err == nil {
		err = ctx.Err()
	}
	return keys, more, lightError(err)
}

// prefixEnd is the first key after all that have the prefix; nil when there is none.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
