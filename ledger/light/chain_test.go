package light_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

func seeded(i int) ed25519.PrivateKey {
	s := sha256.Sum256(fmt.Appendf(nil, "light over a chain %d", i))
	return ed25519.NewKeyFromSeed(s[:])
}

func public(i int) (k [32]byte) { copy(k[:], seeded(i)[32:]); return k }

type wire map[string]*light.Server

func (w wire) Peers(context.Context) (out []string) {
	for p := range w {
		out = append(out, p)
	}
	return out
}

func (w wire) Call(ctx context.Context, p string, req *light.Request) (*light.Response, error) {
	return w[p].Handle(ctx, "test", req)
}

// TestOverARealChain: a client with the genesis file alone follows a chain that CometBFT
// makes, proves an account and the absence of one, and a transaction with what became of it.
func TestOverARealChain(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute) // no measure of speed
	defer cancel()
	dir := filepath.Join(t.TempDir(), "chain")
	ck, err := chain.ConsensusKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	vk, err := chain.VRFKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Build(genesis.Plan{Chain: "light-real", Time: time.Now().Truncate(time.Millisecond),
		Accounts: []genesis.Account{{Address: public(1), Amount: 500 * uint64(amount.FRM)}},
		Nodes: []genesis.Node{{Node: public(0), Owner: public(2), Roles: genesis.Roles(economics.RoleChecker), ConsensusKey: ck, VRFKey: vk,
			Stake: 20_000 * uint64(amount.FRM)}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := chain.Start(ctx, chain.Config{Dir: dir, Genesis: doc, Mode: chain.Validator, NodeKey: seeded(0),
		BlockInterval: 40 * time.Millisecond, ProposeTimeout: time.Second, Unsynced: true, Kernel: noKernel{}, Matcher: noMatcher{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	full := light.NewServer(c.Server())
	lc, err := light.New(light.Config{Genesis: doc, Transport: wire{"a": full, "b": full}, Poll: 50 * time.Millisecond, MinGap: 5 * time.Millisecond, Timeout: time.Minute,
		Fault: func(p string, err error) { t.Errorf("an honest peer %s is blamed: %v", p, err) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := lc.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lc.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	if err := lc.Wait(ctx, 3); err != nil {
		t.Fatal(err)
	}
	got, err := lc.Value(ctx, state.AccountKey(public(1)))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := state.DecodeAccount(got.Value); err != nil || a.Balance != 500*uint64(amount.FRM) {
		t.Fatal(a, err)
	}
	if got, err := lc.Value(ctx, state.AccountKey(public(9))); err != nil || got.Value != nil || len(got.Proof) == 0 {
		t.Fatal("the absence of an account:", got, err)
	}
	to := key.Address(public(9))
	raw, err := tx.Sign(doc.ChainID, seeded(1), &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to[:], Amount: 77}}})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := lc.Submit(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var in light.Inclusion
	for {
		if in, err = lc.Tx(ctx, hash); err == nil {
			break
		}
		if !errors.Is(err, light.ErrNotFound) {
			t.Fatal(err)
		}
		if err := lc.Wait(ctx, lc.Head().Height+1); err != nil {
			t.Fatal(err)
		}
	}
	if in.Code != 0 || string(in.Tx) != string(raw) {
		t.Fatalf("%+v", in)
	}
	if err := lc.Wait(ctx, in.Height+1); err != nil {
		t.Fatal(err)
	}
	if got, err = lc.Value(ctx, state.AccountKey(to)); err != nil {
		t.Fatal(err)
	}
	if a, err := state.DecodeAccount(got.Value); err != nil || a.Balance != 77 {
		t.Fatal(a, err)
	}
	b, err := lc.Block(ctx, in.Height)
	if err != nil || string(b.Txs[in.Index]) != string(raw) {
		t.Fatalf("entry %d of %d in block %d is not the transaction: %v", in.Index, len(b.Txs), in.Height, err)
	}
	var no *light.Rejected
	if _, err := lc.Submit(ctx, []byte("junk")); !errors.As(err, &no) || no.Code == 0 {
		t.Fatal(err)
	}
}

// noKernel is for a network in which nobody proves a fraud.
type noKernel struct{ proof.Kernel }

// noMatcher is for networks in which nobody reports a match.
type noMatcher struct{ proof.Matcher }
