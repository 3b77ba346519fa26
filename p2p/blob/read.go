package blob

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Read returns the whole of what one peer serves under a name that is not its SHA-256, at most
// limit bytes of it, for a caller who has another way to tell whether it is the right thing.
// Errors are ErrTooLarge, ErrWrongData, those of the call, and ctx's own.
func Read(ctx context.Context, c Caller, protocol string, from peer.ID, name [32]byte, limit int64) ([]byte, error) {
	d := &download{fetcher: &Fetcher{Caller: c, Protocol: protocol, Max: limit}, sha: name, part: new(partial), alive: []peer.ID{from}}
	if err := d.learnSize(ctx); err != nil {
		return nil, errors.Join(append([]error{err}, d.causes...)...)
	}
	out := make([]byte, 0, d.total)
	for int64(len(out)) < d.total {
		b, err := d.fetchChunk(ctx, int64(len(out)), min(d.total-int64(len(out)), MaxChunk))
		if err != nil {
			err = errors.Join(append([]error{err}, d.causes...)...)
			if len(d.disputed) > 0 {
				err = fmt.Errorf("%w: %w", err, d.disputed[0].cause)
			}
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}
