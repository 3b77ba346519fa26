package light

import (
	"context"
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/types"
)

// ErrTurns means that peers do not agree on whose turn it is to propose.
var ErrTurns = errors.New("light: peers disagree on whose turn it is to propose")

// turnsAgree is how many peers must say the same, where so many can be asked.
const turnsAgree = 2

// Turns gives verified headers whose validators also carry their turns to propose: what a
// node needs that goes on from a snapshot. Headers do not commit to turns, so they are
// believed when two peers say the same; a wrong one costs the node that believes it its
// votes until the next change of validators, and the chain nothing.
type Turns struct{ c *Client }

// NewTurns reads through c.
func NewTurns(c *Client) Turns { return Turns{c} }

// Header is the verified light block of a height up to the head, with turns. Errors are
// Client.Header's, and ErrTurns.
func (t Turns) Header(ctx context.Context, height uint64) (*types.LightBlock, error) {
	c := t.c
	b, err := c.Header(ctx, height)
	if err != nil {
		return nil, err
	}
	req := &Request{Ask: &Request_LightBlock{LightBlock: &LightBlockAsk{Height: height}}}
	said := map[string]int{}
	last := fmt.Errorf("%w, of full nodes", ErrNoPeers)
	peers := c.book.choose(c.cfg.Transport.Peers(ctx), lookAt, true)
	c.heads(ctx, peers) // who is a full node
	peers = c.book.onlyFull(peers)
	for _, p := range peers {
		set, err := t.ask(ctx, p, req, b)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("light: %w", ctx.Err())
		}
		if err != nil {
			last = err
			continue
		}
		turns := string(set.ProposerPriorityHash())
		if said[turns]++; said[turns] >= min(turnsAgree, len(peers)) {
			return &types.LightBlock{SignedHeader: b.SignedHeader, ValidatorSet: set}, nil
		}
	}
	if len(said) == 0 {
		return nil, last
	}
	return nil, fmt.Errorf("%w at block %d; connect to more peers", ErrTurns, height)
}

// ask gets the validators of one block with their turns from one full node: light clients
// have cut them out and would all say the same nothing.
func (t Turns) ask(ctx context.Context, p string, req *Request, b *types.LightBlock) (*types.ValidatorSet, error) {
	c := t.c
	resp, err := c.ask(ctx, p, req)
	if err != nil {
		return nil, err
	}
	a, ok := resp.GetAnswer().(*Response_LightBlock)
	if !ok {
		err = fmt.Errorf("%w: asked for a light block, got %T", ErrAnswer, resp.GetAnswer())
		c.book.lied(p, err)
		return nil, err
	}
	got, err := decodeLightBlock(c.chain, a.LightBlock.GetBlock(), true)
	if err == nil && got.Height == b.Height && string(got.Hash()) != string(b.Hash()) {
		err = fmt.Errorf("%w: it contradicts one that is proven", ErrHeader)
	}
	if err != nil {
		c.book.lied(p, err)
		return nil, err
	}
	if got.Height != b.Height {
		return nil, fmt.Errorf("%w: asked for block %d, got %d", ErrAnswer, b.Height, got.Height)
	}
	return types.ValidatorSetFromExistingValidators(got.ValidatorSet.Validators)
}
