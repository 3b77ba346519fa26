package chain

import (
	"context"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proxy"

	"github.com/framemesh/framemesh/ledger/tx"
)

// clients makes the engine's lines into the application: each one call at a time.
type clients struct {
	app    *application
	engine abci.Application // what the engine calls: app, or in tests something around it
}

var _ proxy.ClientCreator = clients{}

// NewABCIClient implements proxy.ClientCreator.
func (c clients) NewABCIClient() (abcicli.Client, error) {
	if c.engine != abci.Application(c.app) {
		return abcicli.NewLocalClient(nil, c.engine), nil
	}
	return client{abcicli.NewLocalClient(nil, c.engine), c.app}, nil
}

// client lets new transactions stand in line for their signatures, while whoever brought
// them goes on. The engine does not let any in between Flush and the end of a commit, so
// none is judged by the state before while others are by the state after.
type client struct {
	abcicli.Client
	app *application
}

// What is the same for every transaction that may wait, made once; nobody changes it. The
// engine asks only lines of the other kind what the question was.
var (
	asked   = abci.ToRequestCheckTx(nil)
	mayWait = &abci.ResponseCheckTx{GasWanted: 1}
	taken   = abci.ToResponseCheckTx(mayWait)
)

// CheckTxAsync implements abcicli.Client.
func (c client) CheckTxAsync(ctx context.Context, req *abci.RequestCheckTx) (*abcicli.ReqRes, error) {
	if req.Type != abci.CheckTxType_New {
		return c.Client.CheckTxAsync(ctx, req)
	}
	r := abcicli.NewReqRes(asked)
	answer := func(t *tx.Tx, no *Refusal) {
		r.Response = taken
		if res := c.app.answer(req.Type, t, no); res != mayWait {
			r.Response = abci.ToResponseCheckTx(res)
		}
		r.Done()
		r.InvokeCallback()
	}
	t, no := c.app.read(req.Tx)
	if no != nil {
		answer(nil, no)
		return r, nil
	}
	c.app.line.enter(&entrant{t, func(err error) { answer(t, unsigned(err)) }})
	return r, nil
}

// Flush implements abcicli.Client: afterwards nobody waits for an answer.
func (c client) Flush(ctx context.Context) error {
	c.app.line.drain()
	return c.Client.Flush(ctx)
}
