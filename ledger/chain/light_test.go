package chain

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
)

// wires carries a light client's questions to nodes in this process.
type wires map[string]*light.Server

func (w wires) Peers(context.Context) []string {
	out := make([]string, 0, len(w))
	for i := range len(w) {
		out = append(out, fmt.Sprint("peer", i))
	}
	return out
}

func (w wires) Call(ctx context.Context, peer string, req *light.Request) (*light.Response, error) {
	return w[peer].Handle(ctx, "client", req)
}

// lightClient is a light client that asks the given nodes.
func lightClient(t *testing.T, n *network, of ...*Chain) *light.Client {
	t.Helper()
	w := wires{}
	for i, c := range of {
		w[fmt.Sprint("peer", i)] = light.NewServer(c.Server())
	}
	c, err := light.New(light.Config{Genesis: n.doc, Transport: w, Poll: 50 * time.Millisecond, MinGap: 10 * time.Millisecond, Timeout: patience / 2,
		Fault: func(peer string, err error) { t.Errorf("%s is accused: %v", peer, err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// A light client with nothing but the genesis file verifies what a chain answers: heads,
// a balance, the absence of an account, a transaction and what became of it, a block.
func TestLightClientVerifiesTheChain(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 1, players: 2})
	chain := launch(t, n.config(0))
	awaitHeight(t, chain, 3)
	c := lightClient(t, n, chain)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	to := public(n.players[1])
	raw := transfer(t, n.doc.ChainID, n.players[0], 0, to, 41)
	hash, err := c.Submit(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	at := committedTx(t, chain, hash)
	if err := c.Wait(ctx, at+2); err != nil {
		t.Fatal(err)
	}
	proven, err := c.Value(ctx, state.AccountKey(to))
	if err != nil || proven.Value == nil {
		t.Fatalf("%+v, %v", proven, err)
	}
	if a, err := state.DecodeAccount(proven.Value); err != nil || a != account(t, chain, to) {
		t.Errorf("%+v, %v", a, err)
	}
	absent, err := c.Value(ctx, state.AccountKey(public(seeded("nobody", 0))))
	if err != nil || absent.Value != nil {
		t.Errorf("%+v, %v", absent, err)
	}
	in, err := c.Tx(ctx, hash)
	if err != nil || in.Height != at {
		t.Errorf("%+v, %v", in, err)
	}
	block, err := c.Block(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, entry := range block.Txs {
		found = found || hex.EncodeToString(entry) == hex.EncodeToString(raw)
	}
	if !found || !isBeacon(block.Txs[0]) {
		t.Errorf("block %d: %x", at, block.Txs)
	}
	results, err := chain.Results(at)
	if err != nil || len(results) != len(block.Txs) {
		t.Errorf("%d results, %v", len(results), err)
	}
}

// full is a disk that fills up at one block.
type full struct {
	abci.Application
	at int64
}

func (f *full) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	if req.Height == f.at {
		return nil, fmt.Errorf("the disk is full; make room")
	}
	return f.Application.FinalizeBlock(ctx, req)
}

// A node that cannot go on says so and why, refuses transactions instead of losing them,
// and goes on after a start once the reason is gone.
func TestHaltIsSaidAndHeals(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 1, players: 1})
	chain, err := startWith(context.Background(), n.config(0), seams{app: func(a abci.Application) abci.Application { return &full{a, 5} }})
	if err != nil {
		t.Fatal(err)
	}
	awaitPoll(t, "the halt", func() bool { return chain.Err() != nil })
	if h := chain.Head(); h.Height != 4 || h.Warning == "" {
		t.Errorf("%+v", h)
	}
	if _, err := chain.Submit(context.Background(), transfer(t, n.doc.ChainID, n.players[0], 0, public(seeded("x", 1)), 1)); err == nil {
		t.Error("a transaction was taken")
	}
	t.Log(chain.Err())
	halt(t, chain)
	awaitHeight(t, launch(t, n.config(0)), 7)
}
