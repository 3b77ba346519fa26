package chain

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// One validator makes blocks, applies transfers to the last base unit, refuses what breaks
// a rule, and goes on after a restart from where it was.
func TestSoloChain(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 2})
	c := launch(t, n.config(0))
	awaitHeight(t, c, 2)
	from, to := public(n.players[0]), public(n.players[1])
	hash := submit(t, c, transfer(t, n.doc.ChainID, n.players[0], 0, to, 7))
	if again := submit(t, c, transfer(t, n.doc.ChainID, n.players[0], 0, to, 7)); again != hash {
		t.Errorf("submitted twice: %x and %x", hash, again)
	}
	height := committedTx(t, c, hash)
	fee, start := n.doc.Params.TxFee, 1000*uint64(amount.FRM)
	if a := account(t, c, from); a.Balance != start-7-fee || a.Nonce != 1 {
		t.Errorf("payer has %d, nonce %d", a.Balance, a.Nonce)
	}
	if a := account(t, c, to); a.Balance != start+7 {
		t.Errorf("payee has %d", a.Balance)
	}

	for name, bad := range map[string]struct {
		raw  []byte
		code uint32
	}{
		"replayed nonce":   {transfer(t, n.doc.ChainID, n.players[0], 0, to, 8), state.ErrNonce.Code},
		"more than it has": {transfer(t, n.doc.ChainID, n.players[1], 0, from, 2*start), state.ErrFunds.Code},
		"other network":    {transfer(t, "other-1", n.players[1], 0, from, 1), codeSignature},
		"noise":            {[]byte("noise"), codeMalformed},
		"VRF entry":        {encodeBeacon([proofSize]byte{}), codeReserved},
		"too large":        {make([]byte, tx.MaxSize+1), codeMalformed},
	} {
		var no *Refusal
		if _, err := c.Submit(context.Background(), bad.raw); !errors.As(err, &no) || no.Code != bad.code || !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}

	awaitHeight(t, c, height+3)
	before := c.Head()
	halt(t, c)
	if _, err := c.Submit(context.Background(), transfer(t, n.doc.ChainID, n.players[0], 1, to, 1)); !errors.Is(err, ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
	again := launch(t, n.config(0))
	if h := again.Head(); h.Height < before.Height || h.Validators != 1 {
		t.Fatalf("was at %+v, is at %+v", before, h)
	}
	awaitHeight(t, again, before.Height+2)
	if root := rootAt(t, again, before.Height); root != fmt.Sprintf("%X", before.AppHash) {
		t.Errorf("root after block %d: %s, was %X", before.Height, root, before.AppHash)
	}
	if found, err := again.Tx(hash); err != nil || found.Height != height {
		t.Errorf("the transaction after a restart: %v, %v", found, err)
	}
}

// A pool that is full says so, and one signer cannot fill it.
func TestPoolShedsLoad(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 3})
	chain, release := between(t, n, 100)
	release()
	var no *Refusal
	for nonce := range uint64(100) { // 64 per block at most
		_, err := chain.Submit(context.Background(), transfer(t, n.doc.ChainID, n.players[0], nonce, public(n.players[1]), 1))
		if errors.As(err, &no) || errors.Is(err, ErrBusy) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if no == nil || no.Code != codePending {
		t.Errorf("one signer: %v", no)
	}
}

// What cannot work is refused before anything is written, with what to do.
func TestStartRefuses(t *testing.T) {
	n := newNetwork(t, plan{validators: 1, players: 1})
	other := newNetwork(t, plan{validators: 1, players: 2})
	c := launch(t, n.config(0))
	awaitHeight(t, c, 1)
	for name, want := range map[string]struct {
		err  error
		with func(*Config)
	}{
		"the same directory twice": {errAny, func(*Config) {}},
		"no genesis":               {ErrConfig, func(c *Config) { c.Genesis = nil }},
		"no such mode":             {ErrConfig, func(c *Config) { c.Mode = "observer" }},
		"no peer address":          {ErrConfig, func(c *Config) { c.Peers = []string{"127.0.0.1:1"} }},
		"no listen address":        {ErrConfig, func(c *Config) { c.Listen = "here" }},
	} {
		cfg := n.config(0)
		want.with(&cfg)
		if _, err := Start(context.Background(), cfg); err == nil || (want.err != errAny && !errors.Is(err, want.err)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	halt(t, c)
	cfg := n.config(0)
	cfg.Genesis = other.doc
	if _, err := Start(context.Background(), cfg); !errors.Is(err, ErrGenesis) {
		t.Errorf("another genesis: %v", err)
	}
	cfg = n.config(0)
	cfg.Listen = other.addrs[0]
	blocker := other.config(0)
	blocker.Listen = other.addrs[0]
	launch(t, blocker)
	if _, err := Start(context.Background(), cfg); !errors.Is(err, ErrPort) {
		t.Errorf("port taken: %v", err)
	}
	launch(t, n.config(0)) // and none of it has harmed the directory
}

var errAny = errors.New("any")
