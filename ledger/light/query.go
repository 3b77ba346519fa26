package light

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/types"
)

const (
	askMost    = 4 // peers that one question goes to in turn
	submitMost = 3 // peers that a transaction goes to at once
)

// Value proves what is, or is not, under a key in the newest state that a verified header
// commits to: the one before the head. Errors: ErrStale, ErrNoPeers, and what the last peer
// that was asked said.
func (c *Client) Value(ctx context.Context, key []byte) (Proven, error) {
	if len(key) == 0 || len(key) > MaxKey {
		return Proven{}, fmt.Errorf("%w: a key of %d bytes, not 1 to %d", ErrInvalid, len(key), MaxKey)
	}
	next, err := c.fresh(ctx)
	if err != nil {
		return Proven{}, err
	}
	return c.valueAt(ctx, key, uint64(next.Height)-1, next)
}

// ValueAt proves what is, or is not, under key in the state after a block. When that is the
// newest one, or one to come, it waits a little for the header that commits to it. Errors:
// ErrNotFound when there is no such header, ErrTooOld when peers keep that state no more,
// ErrNoPeers, and what the last peer that was asked said.
func (c *Client) ValueAt(ctx context.Context, key []byte, height uint64) (Proven, error) {
	if len(key) == 0 || len(key) > MaxKey {
		return Proven{}, fmt.Errorf("%w: a key of %d bytes, not 1 to %d", ErrInvalid, len(key), MaxKey)
	}
	if head := c.Head().Height; height == 0 || height > head+2 {
		return Proven{}, fmt.Errorf("%w: the state after block %d, the head is %d", ErrNotFound, height, head)
	}
	w, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if err := c.Wait(w, height+1); err != nil {
		return Proven{}, fmt.Errorf("%w: no header commits to the state after block %d: %w", ErrNotFound, height, err)
	}
	next, err := c.Header(ctx, height+1)
	if err != nil {
		return Proven{}, err
	}
	return c.valueAt(ctx, key, height, next.Header)
}

func (c *Client) valueAt(ctx context.Context, key []byte, height uint64, next *types.Header) (Proven, error) {
	req := &Request{Ask: &Request_Value{Value: &ValueAsk{Key: key, Height: height}}}
	return inTurn(ctx, c, req, func(resp *Response) (Proven, error) {
		a, ok := resp.GetAnswer().(*Response_Value)
		if !ok {
			return Proven{}, fmt.Errorf("%w: asked for a value, got %T", ErrAnswer, resp.GetAnswer())
		}
		return CheckValue(a.Value, key, height, next)
	})
}

// fresh is the newest header, which must be young and commit to a state. When it is old,
// it waits for a newer one as long as ctx and the timeout of a question allow.
func (c *Client) fresh(ctx context.Context) (*types.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	for {
		v := c.view.Load()
		after := uint64(1)
		if v.head != nil {
			if age := c.cfg.Now().Sub(v.head.Time); age <= c.cfg.MaxAge && v.head.Height >= 2 {
				return v.head.Header, nil
			}
			after = uint64(v.head.Height)
		}
		if err := c.Wait(ctx, after+1); err != nil {
			if v := c.view.Load(); v.head != nil {
				return nil, fmt.Errorf("%w: block %d is of %s; the chain stands still, this machine's clock is wrong, or its peers are behind: %w",
					ErrStale, v.head.Height, v.head.Time.UTC().Format(time.DateTime), err)
			}
			return nil, err
		}
	}
}

// inTurn puts a question to one peer after the other until one answers it well. A peer
// whose answer check refuses is dropped; one that refuses to answer is not.
func inTurn[T any](ctx context.Context, c *Client, req *Request, check func(*Response) (T, error)) (T, error) {
	var zero T
	last := error(ErrNoPeers)
	tried := 0
	for _, p := range c.book.choose(c.cfg.Transport.Peers(ctx), maxPeers, true) {
		if tried == askMost {
			break
		}
		resp, err := c.ask(ctx, p, req)
		if ctx.Err() != nil {
			return zero, fmt.Errorf("light: %w", ctx.Err())
		}
		if err == nil {
			var out T
			if out, err = check(resp); err == nil {
				c.book.good(p)
				return out, nil
			}
		}
		if errors.Is(err, ErrNotFull) { // costs nothing: there may be only one full peer among many
			c.book.says(p, false)
			if tried == 0 {
				last = err
			}
			continue
		}
		last = err
		tried++
		switch {
		case errors.Is(err, ErrAnswer), errors.Is(err, ErrProof):
			c.book.lied(p, err)
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrTooOld):
		default:
			c.book.mute(p)
		}
	}
	return zero, last
}

// Tx proves that a transaction is in a block, and what became of it. ErrNotFound means that
// none of the peers that were asked knows it; that proves nothing.
func (c *Client) Tx(ctx context.Context, hash [32]byte) (Inclusion, error) {
	req := &Request{Ask: &Request_Tx{Tx: &TxAsk{Hash: hash[:]}}}
	return inTurn(ctx, c, req, func(resp *Response) (Inclusion, error) {
		a, ok := resp.GetAnswer().(*Response_Tx)
		if !ok {
			return Inclusion{}, fmt.Errorf("%w: asked for a transaction, got %T", ErrAnswer, resp.GetAnswer())
		}
		at := a.Tx.GetHeight()
		if head := c.Head().Height; at == 0 || at > head+2 {
			return Inclusion{}, fmt.Errorf("%w: a peer says block %d, the head is %d", ErrNotFound, at, head)
		}
		header, next, err := c.pair(ctx, at)
		if err != nil {
			return Inclusion{}, err
		}
		return CheckTx(a.Tx, hash, header, next)
	})
}

// pair is a verified header with the one after it, for which it waits a little.
func (c *Client) pair(ctx context.Context, height uint64) (header, next *types.Header, err error) {
	w, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if err := c.Wait(w, height+1); err != nil {
		return nil, nil, fmt.Errorf("%w: its block is too new: %w", ErrNotFound, err)
	}
	n, err := c.Header(ctx, height+1)
	if err != nil {
		return nil, nil, err
	}
	h, err := c.Header(ctx, height)
	if err != nil {
		return nil, nil, err
	}
	return h.Header, n.Header, nil
}

// Header is the verified light block of a height up to the head.
func (c *Client) Header(ctx context.Context, height uint64) (*types.LightBlock, error) {
	if height == 0 || height > c.Head().Height {
		return nil, fmt.Errorf("%w: block %d is not verified yet", ErrNotFound, height)
	}
	if b, err := c.headers.LightBlock(int64(height)); err == nil {
		return b, nil
	}
	a := &headerAsk{ctx: ctx, height: int64(height), reply: make(chan headerGot, 1)}
	select {
	case c.asks <- a:
	case <-c.done:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, fmt.Errorf("light: %w", ctx.Err())
	}
	got := <-a.reply // older ends when ctx does
	return got.block, got.err
}

// Block proves the contents of a block up to the head; 0 is the head.
func (c *Client) Block(ctx context.Context, height uint64) (Contents, error) {
	if height == 0 {
		height = c.Head().Height
	}
	b, err := c.Header(ctx, height)
	if err != nil {
		return Contents{}, err
	}
	req := &Request{Ask: &Request_Block{Block: &BlockAsk{Height: height}}}
	return inTurn(ctx, c, req, func(resp *Response) (Contents, error) {
		a, ok := resp.GetAnswer().(*Response_Block)
		if !ok {
			return Contents{}, fmt.Errorf("%w: asked for a block, got %T", ErrAnswer, resp.GetAnswer())
		}
		return CheckBlock(a.Block, b.Header)
	})
}

// Rejected is why peers did not take a transaction. One peer's word: another might.
type Rejected struct {
	Code uint32 // as in ledger/state
	Text string
}

// Error implements error.
func (r *Rejected) Error() string {
	return fmt.Sprintf("light: the transaction is refused: %s", r.Text)
}

// Submit gives a signed transaction to up to three peers and returns as soon as one took
// it. Errors: *Rejected when one refused it and none took it, ErrBusy, ErrNoPeers, ErrStopped. A
// transaction that was taken may still fall out of a pool: see Tx.
func (c *Client) Submit(ctx context.Context, raw []byte) ([32]byte, error) {
	return c.submit(ctx, raw, false)
}

type submitted struct{ err error }

func (c *Client) submit(ctx context.Context, raw []byte, onlyFull bool) ([32]byte, error) {
	hash := sha256.Sum256(raw)
	if len(raw) == 0 || len(raw) > MaxTx {
		return hash, fmt.Errorf("%w: a transaction of %d bytes, not 1 to %d", ErrInvalid, len(raw), MaxTx)
	}
	peers := c.book.choose(c.cfg.Transport.Peers(ctx), submitMost, true)
	if onlyFull {
		peers = c.book.onlyFull(peers)
	}
	if len(peers) == 0 {
		return hash, ErrNoPeers
	}
	life := c.life
	if life == nil {
		life = context.WithoutCancel(ctx) // not started: each call is bounded by its timeout
	}
	results := make(chan submitted, len(peers))
	for _, p := range peers {
		if !c.spawn(func() { results <- submitted{c.submitTo(life, p, raw, hash)} }) {
			return hash, ErrStopped
		}
	}
	last := error(ErrNoPeers)
	var rejected *Rejected
	for range peers {
		select {
		case r := <-results:
			if r.err == nil {
				return hash, nil
			}
			if !errors.As(r.err, &rejected) {
				last = r.err
			}
		case <-ctx.Done():
			return hash, fmt.Errorf("light: %w", ctx.Err())
		}
	}
	if rejected != nil {
		return hash, rejected
	}
	return hash, last
}

func (c *Client) submitTo(ctx context.Context, p string, raw []byte, hash [32]byte) error {
	resp, err := c.ask(ctx, p, &Request{Ask: &Request_Submit{Submit: &SubmitAsk{Tx: raw}}})
	if errors.Is(err, ErrAnswer) {
		c.book.lied(p, err)
		return err
	}
	if err != nil {
		if ctx.Err() == nil {
			c.book.mute(p)
		}
		return err
	}
	a, ok := resp.GetAnswer().(*Response_Submitted)
	switch {
	case !ok:
		err = fmt.Errorf("%w: gave a transaction, got %T", ErrAnswer, resp.GetAnswer())
	case !bytes.Equal(a.Submitted.GetHash(), hash[:]):
		err = fmt.Errorf("%w: the hash of another transaction", ErrAnswer)
	case a.Submitted.GetCode() != 0:
		return &Rejected{Code: a.Submitted.GetCode(), Text: clip(a.Submitted.GetText())}
	default:
		return nil
	}
	c.book.lied(p, err)
	return err
}
