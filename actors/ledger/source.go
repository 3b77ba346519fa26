package ledger

import (
	"context"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
)

// Head is where the ledger stands as its source knows it.
type Head struct {
	light.Summary
	Validators int
	Witnesses  int    // peers that confirmed the head to a light client; a full node has none
	Peers      int    // that answered a light client's last look
	CatchingUp bool   // the source is not at the network's head
	Warning    string // one sentence to act on, or ""
}

// Source is where the ledger is read and written: a chain of this node, or a light client.
type Source interface {
	Head() Head
	// Follow calls fn, which must not block, with new heads, until cancel.
	Follow(fn func(Head)) (cancel func())
	// Value is what stands under key in the newest readable state, after block height; nil
	// is absent.
	Value(ctx context.Context, key []byte) (value []byte, height uint64, err error)
	// ValueAt is what stood under key after block height, which is below the head's; nil is
	// absent. ErrUnknown when there is no such block yet, ErrPast when its state is not kept
	// any more.
	ValueAt(ctx context.Context, key []byte, height uint64) ([]byte, error)
	// Submit takes a transaction into a pool. Errors are *Refused, ErrBusy, or others that
	// pass with time.
	Submit(ctx context.Context, raw []byte) error
	// Tx finds a transaction in a block, once what became of it can be known. ErrUnknown
	// when it is not found.
	Tx(ctx context.Context, hash [32]byte) (light.Inclusion, error)
	// Hint says that a peer has announced a height.
	Hint(peer string, height uint64)
	// Hurry says that somebody waits for the next head. It must not block.
	Hurry()
}

// Errors of a Source and of sending.
var (
	ErrBusy    = errors.New("ledger: too busy to take the transaction") // try again in a few seconds
	ErrUnknown = errors.New("ledger: no such transaction is known")
	ErrPast    = errors.New("ledger: that state is too old to be read")                         // nobody asked keeps it
	ErrVoid    = errors.New("ledger: the transaction ran out of time before it was in a block") // send it again
)

// Refused is why the ledger does not take a transaction, or took it without effect.
type Refused struct {
	Code uint32 // of the rule, see state.Rules
	Text string
}

// Error implements error.
func (r *Refused) Error() string { return "ledger: refused: " + r.Text }

// Unwrap is the rule of package state, where the code is one of its.
func (r *Refused) Unwrap() error {
	for _, rule := range state.Rules() {
		if rule.Code == r.Code {
			return rule
		}
	}
	return nil
}

// LightSource reads through a light client.
func LightSource(c *light.Client) Source { return lightSource{c} }

type lightSource struct{ c *light.Client }

func (s lightSource) Head() Head {
	st := s.c.Status()
	h := Head{Summary: st.Summary, Validators: st.Validators, Witnesses: st.Witnesses, Peers: st.Peers, CatchingUp: st.Err != nil || st.Height == 0}
	if st.Err != nil {
		h.Warning = st.Err.Error()
	}
	return h
}

func (s lightSource) Follow(fn func(Head)) func() {
	return s.c.Follow(func(light.Summary) { fn(s.Head()) })
}

func (s lightSource) Value(ctx context.Context, key []byte) ([]byte, uint64, error) {
	p, err := s.c.Value(ctx, key)
	return p.Value, p.Height, err
}

func (s lightSource) ValueAt(ctx context.Context, key []byte, height uint64) ([]byte, error) {
	p, err := s.c.ValueAt(ctx, key, height)
	switch {
	case errors.Is(err, light.ErrNotFound):
		err = fmt.Errorf("%w: %w", ErrUnknown, err)
	case errors.Is(err, light.ErrTooOld):
		err = fmt.Errorf("%w: %w", ErrPast, err)
	}
	return p.Value, err
}

func (s lightSource) Submit(ctx context.Context, raw []byte) error {
	_, err := s.c.Submit(ctx, raw)
	var no *light.Rejected
	switch {
	case errors.As(err, &no):
		return &Refused{no.Code, no.Text}
	case errors.Is(err, light.ErrBusy):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

func (s lightSource) Tx(ctx context.Context, hash [32]byte) (light.Inclusion, error) {
	in, err := s.c.Tx(ctx, hash)
	if errors.Is(err, light.ErrNotFound) {
		return in, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return in, err
}

func (s lightSource) Hint(peer string, height uint64) { s.c.Hint(peer, height) }

func (s lightSource) Hurry() { s.c.Hurry() }

// Chain is a full node's chain, as *chain.Chain is one.
type Chain interface {
	Head() chain.Head
	Follow(fn func(chain.Head)) (cancel func())
	View(fn func(r state.Reader) error) error
	Submit(ctx context.Context, raw []byte) (hash [32]byte, err error)
	Tx(hash [32]byte) (*light.TxFound, error)
	Value(key []byte, height uint64) (*light.Value, error)
}

var _ Chain = (*chain.Chain)(nil)

// ChainSource reads the chain that this node keeps, and believes it.
func ChainSource(c Chain) Source { return chainSource{c} }

type chainSource struct{ c Chain }

func headOf(h chain.Head) Head {
	return Head{Summary: light.Summary{Height: h.Height, Hash: h.Hash, TimeMS: h.TimeMS, Full: true},
		Validators: h.Validators, CatchingUp: h.CatchingUp, Warning: h.Warning}
}

func (s chainSource) Head() Head { return headOf(s.c.Head()) }

func (s chainSource) Follow(fn func(Head)) func() {
	return s.c.Follow(func(h chain.Head) { fn(headOf(h)) })
}

func (s chainSource) Value(_ context.Context, key []byte) (value []byte, height uint64, err error) {
	height = s.c.Head().Height // what View shows is as new or newer
	err = s.c.View(func(r state.Reader) error {
		value, err = r.Get(key)
		return err
	})
	return value, height, err
}

func (s chainSource) ValueAt(_ context.Context, key []byte, height uint64) ([]byte, error) {
	v, err := s.c.Value(key, max(height, 1)) // 0 would be the newest
	switch {
	case errors.Is(err, chain.ErrNotFound):
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	case errors.Is(err, chain.ErrPruned):
		return nil, fmt.Errorf("%w: %w", ErrPast, err)
	case err != nil || !v.GetExists():
		return nil, err
	}
	return v.GetValue(), nil
}

func (s chainSource) Submit(ctx context.Context, raw []byte) error {
	_, err := s.c.Submit(ctx, raw)
	var no *chain.Refusal
	switch {
	case errors.As(err, &no):
		return &Refused{no.Code, no.Text}
	case errors.Is(err, chain.ErrBusy):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

func (s chainSource) Tx(_ context.Context, hash [32]byte) (light.Inclusion, error) {
	f, err := s.c.Tx(hash)
	if errors.Is(err, chain.ErrNotFound) {
		return light.Inclusion{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err != nil {
		return light.Inclusion{}, err
	}
	var r abci.ExecTxResult
	if err := r.Unmarshal(f.GetResult()); err != nil {
		return light.Inclusion{}, fmt.Errorf("ledger: result of a transaction: %w", err)
	}
	return light.Inclusion{Height: f.GetHeight(), Index: f.GetIndex(), Tx: f.GetTx(), Code: r.Code, Text: f.GetLog()}, nil
}

// Hint does nothing: a full node hears of blocks from its own peers.
func (chainSource) Hint(string, uint64) {}

// Hurry does nothing: a block is known when it is made.
func (chainSource) Hurry() {}
