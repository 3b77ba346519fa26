package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Codes of refusals that are not the machine's. They stand in results, so they are part of
// what all nodes agree on; the machine's own start at 1 and stay below.
const (
	codeMalformed uint32 = 1000 // no transaction at all
	codeSignature uint32 = 1001 // not signed by its signer
	codePending   uint32 = 1002 // too many of this signer wait
	codeReserved  uint32 = 1003 // what only a proposer may write
)

// codeFull is in no result: it is an answer of this node's pool alone, which Submit turns
// into ErrBusy.
const codeFull uint32 = 1004

// maxPending is how many transactions of one signer wait at once.
const maxPending = 64

// pool judges transactions that want to wait for a block, on a copy of the committed
// state that takes each one it lets in, so that two which cannot both be paid for do not
// both get in. The engine keeps the list itself.
//
// How much waits is bounded here, where transactions are judged one after the other. The
// engine asks about room when one is brought and again when it is about to put it on its
// list, and drops it then without a word to whoever brought it. As it has the same bounds
// and its list holds nothing that was not taken here, it never comes to that: what is taken
// here is on the list.
type pool struct {
	txs   int   // that may wait
	bytes int64 // together

	mu      sync.Mutex
	held    map[[32]byte]struct{} // what waits: taken since the newest block
	filled  int64                 // bytes of these
	machine *state.Machine        // overlay on the newest committed state; nil before the first block
	tried   map[key.Address]int   // by signer: what was applied since then, also without success
	refused map[[32]byte]error    // what was not taken, so that to send it again costs nobody anything
}

// errCrowd refuses a signer's next transaction until the next block.
var errCrowd = &Refusal{codePending, fmt.Sprintf("%d transactions of this signer wait already, or were refused; wait for the next block", maxPending)}

// errFull is about this node and not about the transaction, which is as good afterwards.
var errFull = &Refusal{codeFull, "the pool is full; try again in a few seconds"}

// maxRefused bounds the memory of refusals between two blocks.
const maxRefused = 10_000

// reset starts over on a newly committed state. The engine asks again for all that still
// wait before it lets new ones in.
func (p *pool) reset(f *frozen, options ...state.Option) error {
	m, err := state.Open(f, options...)
	if err != nil {
		return fmt.Errorf("chain: opening the committed state: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.machine, p.tried, p.refused = m.Fork(), make(map[key.Address]int), make(map[[32]byte]error)
	p.held, p.filled = make(map[[32]byte]struct{}), 0
	return nil
}

// holds says whether a transaction waits. Between a commit and the engine's questions about
// what still waits it says no of these.
func (p *pool) holds(hash [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.held[hash]
	return ok
}

// take applies one transaction, unless it waits already. A refusal leaves nothing behind but its cost: a signer may
// try as often as it may wait, so that nobody who can pay for one makes the node work for
// any number that it refuses. The signatures inside are looked at only when it is the
// signer's next and paid for; evidence verifies and remembers them.
func (p *pool) take(t *tx.Tx, evidence func(*tx.Tx) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.machine == nil {
		return &Refusal{codePending, "the chain has no first block yet; try again in a few seconds"}
	}
	if _, ok := p.held[t.Hash]; ok {
		return nil // the engine forgot that it has it; it looks once more before it adds it
	}
	if err := p.refused[t.Hash]; err != nil {
		return err
	}
	if len(p.held) >= p.txs || p.filled+int64(len(t.Raw)) > p.bytes {
		return errFull
	}
	admitted, err := p.machine.Attempt(t, func() error {
		if p.tried[t.Signer] >= maxPending {
			return errCrowd
		}
		p.tried[t.Signer]++
		_ = evidence(t) // Attempt says what is wrong
		return nil
	})
	if !admitted || errors.Is(err, errCrowd) {
		return err
	}
	if err == nil {
		p.held[t.Hash] = struct{}{}
		p.filled += int64(len(t.Raw))
	} else if len(p.refused) < maxRefused {
		p.refused[t.Hash] = err
	}
	return err
}

// read asks what is true of a transaction for ever and costs little: size and form.
func (a *application) read(raw []byte) (*tx.Tx, *Refusal) {
	if isBeacon(raw) {
		return nil, &Refusal{codeReserved, "only the proposer of a block writes its VRF proof"}
	}
	t, _, err := a.decoder.decode(raw)
	if err != nil {
		return nil, &Refusal{codeMalformed, err.Error()}
	}
	return t, nil
}

// examine asks all that is true of a transaction for ever: size, form and signature. The
// verifier remembers what it found good.
func (a *application) examine(raw []byte) (*tx.Tx, *Refusal) {
	t, no := a.read(raw)
	if no != nil {
		return nil, no
	}
	return t, unsigned(a.verifier.Verify(t))
}

// unsigned is the refusal of a transaction of which the verifier says err.
func unsigned(err error) *Refusal {
	if err == nil {
		return nil
	}
	return &Refusal{codeSignature, err.Error()}
}

// CheckTx says whether a transaction may wait. It never fails the engine.
func (a *application) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	t, no := a.examine(req.Tx)
	return a.answer(req.Type, t, no), nil
}

// answer takes a transaction into the pool, unless it was refused before.
func (a *application) answer(kind abci.CheckTxType, t *tx.Tx, no *Refusal) *abci.ResponseCheckTx {
	if no == nil {
		if err := a.pool.take(t, a.verifier.VerifyEvidence); err != nil {
			code, text := refusal(err)
			no = &Refusal{code, text}
		}
	}
	if no == nil {
		return mayWait
	}
	if kind == abci.CheckTxType_New {
		a.metrics.refused.WithLabelValues(reasonOf(no.Code)).Inc()
	}
	return &abci.ResponseCheckTx{Code: no.Code, Log: no.Text}
}

// refusal is the code and the words of an error of the machine.
func refusal(err error) (uint32, string) {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code, r.Text
	}
	var e *state.Error
	if errors.As(err, &e) && e.Code != 0 {
		return e.Code, e.Error()
	}
	return codeMalformed, err.Error()
}

func reasonOf(code uint32) string {
	switch code {
	case codeMalformed:
		return "malformed"
	case codeSignature:
		return "signature"
	case codePending:
		return "pending"
	case codeReserved:
		return "reserved"
	case codeFull:
		return "full"
	}
	return "rule"
}
