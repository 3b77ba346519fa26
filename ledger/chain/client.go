package chain

import (
	"context"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proxy"
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

// client verifies the signature of a new transaction before it stands in line, so that
// the peers' routines do it beside each other.
type client struct {
	abcicli.Client
	app *application
}

// CheckTxAsync implements abcicli.Client.
func (c client) CheckTxAsync(ctx context.Context, req *abci.RequestCheckTx) (*abcicli.ReqRes, error) {
	if req.Type == abci.CheckTxType_New {
		t, no := c.app.precheck(req.Tx, c.app.batcher.verify)
		ctx = context.WithValue(ctx, precheckedKey{}, prechecked{t, no})
	}
	return c.Client.CheckTxAsync(ctx, req)
}
