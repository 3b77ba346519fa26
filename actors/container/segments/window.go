package segments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
)

// window asks the goroutine for what a replay needs; a session that has ended is read
// from the disk.
func (s *Store) window(ctx context.Context, id [16]byte, from, seconds uint32) (segment.Window, error) {
	if l := s.running(id); l != nil {
		out := make(chan answer, 1)
		select {
		case l.in <- ask{from, seconds, out}:
			select {
			case a := <-out:
				return a.w, a.err
			case <-l.done:
			case <-ctx.Done():
				return segment.Window{}, ctx.Err()
			}
		case <-l.done:
		case <-ctx.Done():
			return segment.Window{}, ctx.Err()
		}
	}
	if _, err := os.Stat(filepath.Join(s.sessionDir(id), playDir)); err != nil {
		return segment.Window{}, fmt.Errorf("%w: session %x", ErrGone, id)
	}
	k, err := segment.OpenKeeper(filepath.Join(s.sessionDir(id), playDir), s.o.MaxBytes/shareOf)
	if err != nil {
		return segment.Window{}, err
	}
	w, err := k.Window(from, int(seconds))
	return w, errors.Join(err, k.Close())
}

// since is a time in ms, 0 for one that never came.
func since(from, to time.Time) uint32 {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return 0
	}
	return uint32(min(to.Sub(from).Milliseconds(), proof.MaxTimeMS))
}
