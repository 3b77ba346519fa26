package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Bounds of listings.
const (
	MaxKeys   = 500    // in one answer
	maxListed = 20_000 // that one listing gathers
	listers   = 3      // peers that one listing asks
)

// ErrTooMany means that more keys stand under a prefix than a listing gathers.
var ErrTooMany = errors.New("light: too many keys to list; ask for a longer prefix")

// Lister is a Backend that can list the keys of its state.
type Lister interface {
	// Keys are the keys with a prefix after one of them, in rising order, at most limit, in
	// the newest state; more says that others follow.
	Keys(ctx context.Context, prefix, after []byte, limit int) (keys [][]byte, more bool, err error)
}

func (s *Server) keys(ctx context.Context, a *KeysAsk) (*Response, error) {
	if n := len(a.GetPrefix()); n == 0 || n > MaxKey || len(a.GetAfter()) > MaxKey {
		return nil, fmt.Errorf("%w: a prefix of %d bytes", ErrInvalid, n)
	}
	l, ok := s.b.(Lister)
	if !ok {
		return nil, ErrNotFull
	}
	keys, more, err := l.Keys(ctx, a.GetPrefix(), a.GetAfter(), MaxKeys)
	if err != nil {
		return nil, err
	}
	return &Response{Answer: &Response_Keys{Keys: &Keys{Keys: keys, More: more}}}, nil
}

// Keys lists the keys with a prefix, in rising order, as several full peers name them
// together. That a key is named proves nothing, and neither does that it is not: prove what
// is under it with Value. It wraps ErrTooMany; ErrNoPeers when no full peer answered.
func (c *Client) Keys(ctx context.Context, prefix []byte) ([][]byte, error) {
	if len(prefix) == 0 || len(prefix) > MaxKey {
		return nil, fmt.Errorf("%w: a prefix of %d bytes, not 1 to %d", ErrInvalid, len(prefix), MaxKey)
	}
	all := map[string]bool{}
	answered := 0
	last := error(ErrNoPeers)
	tried := 0
	for _, p := range c.book.choose(c.cfg.Transport.Peers(ctx), maxPeers, true) {
		if answered == listers || tried == askMost {
			break
		}
		err := c.list(ctx, p, prefix, all)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("light: %w", ctx.Err())
		case err == nil:
			answered++
			c.book.good(p)
			continue
		case errors.Is(err, ErrTooMany):
			return nil, err
		case errors.Is(err, ErrAnswer):
			c.book.lied(p, err)
		case errors.Is(err, ErrNotFull):
			c.book.says(p, false)
			tried--
		default:
			c.book.mute(p)
		}
		tried++
		last = err
	}
	if answered == 0 {
		return nil, last
	}
	out := make([][]byte, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, []byte(k))
	}
	return out, nil
}

// list adds what one peer names. It wraps ErrAnswer for an answer that breaks the rules.
func (c *Client) list(ctx context.Context, peer string, prefix []byte, all map[string]bool) error {
	var after []byte
	for {
		resp, err := c.ask(ctx, peer, &Request{Ask: &Request_Keys{Keys: &KeysAsk{Prefix: prefix, After: after}}})
		if err != nil {
			return err
		}
		a, ok := resp.GetAnswer().(*Response_Keys)
		if !ok {
			return fmt.Errorf("%w: asked for keys, got %T", ErrAnswer, resp.GetAnswer())
		}
		got := a.Keys.GetKeys()
		if len(got) > MaxKeys || len(got) == 0 && a.Keys.GetMore() {
			return fmt.Errorf("%w: %d keys at once", ErrAnswer, len(got))
		}
		for _, k := range got {
			if len(k) > MaxKey || !bytes.HasPrefix(k, prefix) || bytes.Compare(k, after) <= 0 {
				return fmt.Errorf("%w: keys out of order or of another prefix", ErrAnswer)
			}
			if all[string(k)] = true; len(all) > maxListed {
				return ErrTooMany
			}
			after = k
		}
		if !a.Keys.GetMore() {
			return nil
		}
	}
}
