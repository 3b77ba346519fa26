package light

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// What others may have a light client hand on, all of them together: far less than full
// nodes take of one peer, so that strangers never use up what this node needs itself.
const (
	relayEvery = 100 * time.Millisecond // between two transactions, over time
	relayBurst = 20                     // at once
)

// Relay makes a light client answer others from the headers that it has verified. It has
// no values and no blocks, and hands a transaction on to full nodes only: one hop, and only
// a few in a second.
type Relay struct {
	c     *Client
	spare *rate.Limiter
}

var _ Backend = Relay{}

// NewRelay answers from c.
func NewRelay(c *Client) Relay { return Relay{c, rate.NewLimiter(rate.Every(relayEvery), relayBurst)} }

// Head implements Backend; Full is never set.
func (r Relay) Head() Summary { return r.c.Head() }

// LightBlock implements Backend for the heights that c holds; it fetches none for others.
func (r Relay) LightBlock(_ context.Context, height uint64) ([]byte, error) {
	b := r.c.view.Load().head
	if b == nil {
		return nil, fmt.Errorf("%w: nothing is verified yet", ErrNotFound)
	}
	if height != 0 {
		var err error
		if b, err = r.c.headers.LightBlock(int64(min(height, 1<<62))); err != nil {
			return nil, fmt.Errorf("%w: block %d is not held here", ErrNotFound, height)
		}
	}
	return EncodeLightBlock(b)
}

// Value implements Backend: ErrNotFull.
func (Relay) Value(context.Context, []byte, uint64) (*Value, error) { return nil, ErrNotFull }

// Tx implements Backend: ErrNotFull.
func (Relay) Tx(context.Context, [32]byte) (*TxFound, error) { return nil, ErrNotFull }

// Block implements Backend: ErrNotFull.
func (Relay) Block(context.Context, uint64) (*Block, error) { return nil, ErrNotFull }

// Submit implements Backend: ErrBusy when others have had too many handed on.
func (r Relay) Submit(ctx context.Context, raw []byte) ([32]byte, uint32, string, error) {
	if !r.spare.AllowN(r.c.cfg.Now(), 1) {
		return sha256.Sum256(raw), 0, "", fmt.Errorf("%w; ask a full node", ErrBusy)
	}
	hash, err := r.c.submit(ctx, raw, true)
	var rejected *Rejected
	if errors.As(err, &rejected) {
		return hash, rejected.Code, rejected.Text, nil
	}
	return hash, 0, "", err
}
