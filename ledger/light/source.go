package light

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/types"
	"google.golang.org/protobuf/proto"
)

// Transport carries questions to peers. Whoever implements it bounds an answer to
// MaxResponse bytes before reading it, and returns when ctx ends.
type Transport interface {
	// Peers lists who can be asked now, by any stable name.
	Peers(ctx context.Context) []string
	// Call asks one peer once.
	Call(ctx context.Context, peer string, req *Request) (*Response, error)
}

// ErrAnswer means that a peer's answer breaks the protocol.
var ErrAnswer = errors.New("light: an answer that breaks the protocol")

// ask asks one peer within the timeout and sorts out its refusals: ErrNotFound,
// ErrNotFull, ErrTooOld, ErrBusy, ErrInvalid. Any other error is the transport's.
func (c *Client) ask(ctx context.Context, peer string, req *Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	c.metrics.asked.Inc()
	resp, err := c.cfg.Transport.Call(ctx, peer, req)
	if err != nil {
		return nil, err
	}
	size := proto.Size(resp)
	c.metrics.received.Add(float64(size))
	if resp == nil || size > MaxResponse {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrAnswer, size, MaxResponse)
	}
	r, refused := resp.GetAnswer().(*Response_Refusal)
	if !refused {
		return resp, nil
	}
	return nil, refusalError(r.Refusal)
}

// source is one peer as CometBFT's light client sees it, for one round.
type source struct {
	c       *Client
	peer    string
	witness bool // waits a little for a block that it does not have yet

	mu     sync.Mutex
	bad    error // it sent something that is wrong in itself
	mute   bool  // it did not answer, or did not have what was asked
	future time.Duration
	newest int64 // the height it gave when asked for its newest
}

var _ provider.Provider = (*source)(nil)

// ChainID implements provider.Provider.
func (s *source) ChainID() string { return s.c.chain }

// ReportEvidence implements provider.Provider. The protocol has no message for it: the
// fault is reported to the node, which drops the peer.
func (s *source) ReportEvidence(_ context.Context, ev types.Evidence) error {
	s.c.cfg.Log.Error("two headers of one height, both signed: validators lied", "evidence", ev.String(), "told by", s.peer)
	return nil
}

// String names the peer in CometBFT's log lines.
func (s *source) String() string { return s.peer }

// LightBlock implements provider.Provider: errors are the sentinels of that package, by
// which CometBFT tells the harmless from the rest.
func (s *source) LightBlock(ctx context.Context, height int64) (*types.LightBlock, error) {
	wait := s.c.cfg.WitnessWait / 8
	for waited := time.Duration(0); ; {
		b, err := s.fetch(ctx, height)
		if !errors.Is(err, provider.ErrLightBlockNotFound) || !s.witness || height == 0 || waited >= s.c.cfg.WitnessWait {
			return b, err
		}
		// An honest witness may be a moment behind. CometBFT would sleep for half a minute.
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		waited += wait
		wait *= 2
	}
}

func (s *source) fetch(ctx context.Context, height int64) (*types.LightBlock, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.c.book.isBanned(s.peer) {
		return nil, s.wrong(ErrAnswer)
	}
	resp, err := s.c.ask(ctx, s.peer, &Request{Ask: &Request_LightBlock{LightBlock: &LightBlockAsk{Height: uint64(height)}}})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, ErrAnswer):
		return nil, s.wrong(err)
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrTooOld):
		s.set(func() { s.mute = true })
		return nil, provider.ErrLightBlockNotFound
	case err != nil:
		s.set(func() { s.mute = true })
		return nil, provider.ErrNoResponse
	}
	a, ok := resp.GetAnswer().(*Response_LightBlock)
	if !ok {
		return nil, s.wrong(fmt.Errorf("%w: asked for a light block, got %T", ErrAnswer, resp.GetAnswer()))
	}
	b, err := DecodeLightBlock(s.c.chain, a.LightBlock.GetBlock())
	if err != nil {
		return nil, s.wrong(err)
	}
	if height != 0 && b.Height != height {
		return nil, s.wrong(fmt.Errorf("%w: asked for block %d, got %d", ErrAnswer, height, b.Height))
	}
	if ahead := b.Time.Sub(s.c.cfg.Now()); ahead > s.c.cfg.Drift {
		// One of two clocks is wrong, and it may be ours: no fault.
		s.set(func() { s.future, s.mute = ahead, true })
		return nil, provider.ErrNoResponse
	}
	s.set(func() {
		s.mute = false
		if height == 0 {
			s.newest = b.Height
		}
	})
	return b, nil
}

func (s *source) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// wrong notes a fault and is the error for CometBFT.
func (s *source) wrong(err error) error {
	s.set(func() { s.bad = err })
	return provider.ErrBadLightBlock{Reason: err}
}

// judged are the notes of the round.
func (s *source) judged() (mute bool, future time.Duration, newest int64, bad error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mute, s.future, s.newest, s.bad
}

// heard is a peer with where it says its chain stands.
type heard struct {
	peer   string
	height uint64
	full   bool
}

// heads asks peers at once where they stand, the highest first. Who does not answer, or
// breaks the protocol, is left out, and so is who takes much longer than the first that has
// news: it is remembered, once it is known, for the next time.
func (c *Client) heads(ctx context.Context, peers []string) []heard {
	known := uint64(0)
	if b := c.headers.newest(); b != nil {
		known = uint64(b.Height)
	}
	life := c.life
	if life == nil {
		life = context.WithoutCancel(ctx) // not started: each question is bounded by its timeout
	}
	answers := make(chan heard, len(peers))
	asked := 0
	for _, p := range peers {
		if c.spawn(func() { answers <- c.headOf(life, p) }) {
			asked++
		}
	}
	var found []heard
	var enough <-chan time.Time
	for range asked {
		select {
		case h := <-answers:
			found = append(found, h)
			if enough == nil && h.height > known {
				enough = time.After(c.cfg.HeadGrace)
			}
			continue
		case <-enough:
		case <-ctx.Done():
		}
		break
	}
	return rank(found)
}

// headOf asks one peer; a height of 0 means that it said nothing of use.
func (c *Client) headOf(ctx context.Context, p string) heard {
	resp, err := c.ask(ctx, p, &Request{Ask: &Request_Head{Head: &HeadAsk{}}})
	switch a := resp.GetAnswer().(type) {
	case *Response_Head:
		c.book.says(p, a.Head.GetFull())
		return heard{p, min(a.Head.GetHeight(), math.MaxInt64/2), a.Head.GetFull()}
	case nil:
		if errors.Is(err, ErrAnswer) {
			c.book.lied(p, err)
		} else if ctx.Err() == nil {
			c.book.mute(p)
		}
	default:
		c.book.lied(p, fmt.Errorf("%w: asked for the head, got %T", ErrAnswer, a))
	}
	return heard{peer: p}
}
