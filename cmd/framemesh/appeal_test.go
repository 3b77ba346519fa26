package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/wallet"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/testnet"
	"github.com/framemesh/framemesh/node/why"
	"github.com/framemesh/framemesh/stream/player"
)

// framed is a network in which checkers who collude find false what an honest container has
// signed, and a session is played on that container. stop ends it before the test does.
func framed(t *testing.T, epochSeconds uint64) (o *operator, stop func()) {
	t.Helper()
	walletOptions = wallet.Options{Work: 10}
	t.Cleanup(func() { walletOptions = wallet.Options{} })
	t.Setenv(passphraseEnv, testnet.Passphrase)
	lie := cheat.Cheat{Info: cheat.Info{Name: node.FrameCheat, Who: cheat.Checker}}
	cheats := map[string]cheat.Cheat{}
	for i := 2; i <= 6; i++ {
		cheats[fmt.Sprint("checker-", i)] = lie
	}
	o = &operator{T: t, dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var err error
	o.net, err = testnet.Start(ctx, testnet.Options{Network: "framed", Gateways: 1, Indexers: 1, Containers: 1, Checkers: 8, Slots: 1, Dir: o.dir, Log: quiet,
		CacheDir: filepath.Join(t.TempDir(), "cache"), Cheats: cheats, About: []string{"container-1"},
		Money: &testnet.Money{EpochSeconds: epochSeconds, Proofs: true, Params: func(p *economics.Params) { p.ProofN, p.AppealEpochs = 1, 16 }}})
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := o.net.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	if o.config, err = o.net.WriteClient(); err != nil {
		t.Fatal(err)
	}

	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	who, g := key.Address(k[ed25519.SeedSize:]), o.net.Genesis()
	money, err := purse.New(purse.Options{Key: k, Network: o.net.Network(), Chain: g.ChainID, TxFee: g.Params.TxFee, Faucet: true,
		Account: func(ctx context.Context) (purse.Account, error) {
			a, err := o.net.Find("gateway-1").Ledger().Account(ctx, who)
			return purse.Account{Balance: a.Balance, Nonce: a.Nonce}, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	witness, err := purse.NewWitness(o.net.Network(), k)
	if err != nil {
		t.Fatal(err)
	}
	p := plays(ctx, t, player.Options{URL: o.net.URL() + "whep/novareef", Payer: money, Witness: witness, Key: money.PlayerKey(), RandomInput: true, Seed: 1})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = p.Leave(ctx)
	})
	return o, stop
}

// finding waits until why says one of some things about a node.
func (o *operator) finding(peer string, limit time.Duration, codes ...string) why.Finding {
	o.Helper()
	f, ok := o.found(peer, limit, codes...)
	if !ok {
		o.Fatalf("after %v why does not say %q", limit, codes)
	}
	return f
}

// found is finding where it may be that nothing is said.
func (o *operator) found(peer string, limit time.Duration, codes ...string) (why.Finding, bool) {
	o.Helper()
	for began := time.Now(); ; time.Sleep(500 * time.Millisecond) {
		r := do[why.Report](o, "why", peer)
		if i := slices.IndexFunc(r.Findings, func(f why.Finding) bool { return slices.Contains(codes, f.Code) }); i >= 0 {
			return r.Findings[i], true
		}
		if time.Since(began) > limit {
			o.Logf("after %v why does not say %q: %+v", limit, codes, r.Findings)
			return why.Finding{}, false
		}
	}
}

// An operator whose honest container was framed by checkers who collude reads what it is accused
// of and until when it can appeal, appeals, and is acquitted by a wider committee: nothing is
// slashed, the bond is back, and why says so. Whoever may not appeal is told what to try.
func TestAnAppealByCommand(t *testing.T) {
	realEpochs(t)
	o, stop := framed(t, 20)
	peer := o.net.Find("container-1").ID().String()
	said, ok := o.found(peer, 5*time.Minute, "accused")
	if !ok { // no audit is done within an epoch of 20 s on a machine as slow as that
		stop()
		o, _ = framed(t, 80)
		peer = o.net.Find("container-1").ID().String()
		said = o.finding(peer, 20*time.Minute, "accused")
	}
	if !strings.Contains(said.Next, "framemesh appeal "+said.ID) || !strings.Contains(said.Next, "before epoch") || !strings.Contains(said.Next, "bond") {
		t.Fatalf("it is not said how to appeal: %+v", said)
	}
	if n := do[named](o, "why", said.ID); n.Is != "accusation" || n.Node != peer || n.Final == 0 || n.Appealed != 0 {
		t.Errorf("%+v", n)
	}
	stake := do[queryRow](o, "ledger", "query", "stake/"+peer).Record["amount"]
	t.Logf("accused in epoch %d: %s", said.Epoch, said.Text)

	// The votes behind the accusation are public, and come to it.
	verdicts := do[why.Report](o, "why", peer).Verdicts
	for _, x := range verdicts {
		if x.Verdict != "accused" {
			continue
		}
		if p := verifyProof(t, 0, fmt.Sprintf("%d/%d", x.Epoch, x.Batch), "--config", o.config); !p.Proven || p.SeedFrom != seedLedger {
			t.Errorf("the votes: %+v", p)
		}
	}

	// Who may not appeal.
	o.refuses("--wallet with the key of its owner", "appeal", said.ID, "--wallet", "checker-2", "--yes")
	o.refuses("there is no accusation", "appeal", strings.Repeat("ab", 32), "--wallet", "container-1", "--yes")
	free := do[balance](o, "wallet", "balance", "container-1")
	keep := uint64(free.Free) - 5*100_000_000
	do[receipt](o, "wallet", "send", "container-1", "faucet", amount.Amount(keep).String(), "--yes")
	o.refuses("takes a bond of", "appeal", said.ID, "--wallet", "container-1", "--yes")
	do[receipt](o, "wallet", "send", "faucet", "container-1", amount.Amount(keep).String(), "--yes")

	before := do[balance](o, "wallet", "balance", "container-1")
	if r := do[receipt](o, "appeal", said.ID, "--wallet", "container-1", "--yes"); !r.Included {
		t.Fatalf("%+v", r)
	}
	// The wider committee needs an epoch or two: how long an appeal can be looked at.
	x := o.finding(peer, patience, "appealed", "acquitted")
	if x.Code == "appealed" && x.ID != said.ID {
		t.Errorf("%+v", x)
	}
	bond, now := o.net.Genesis().Params.AppealBond, do[balance](o, "wallet", "balance", "container-1")
	status, _, again := inProcess("appeal", said.ID, "--wallet", "container-1", "--yes", "--config", o.config)
	if x = o.finding(peer, patience, "appealed", "acquitted"); x.Code == "acquitted" {
		t.Log("the committee was faster than the commands")
	} else if uint64(now.Free)+bond > uint64(before.Free) || status != 1 || !strings.Contains(again, "it was appealed already") || !strings.Contains(again, "; ") {
		t.Errorf("no bond was taken, of %d, then %d; or appealing twice: status %d, %q", before.Free, now.Free, status, again)
	}

	x = o.finding(peer, 5*time.Minute, "acquitted")
	t.Logf("acquitted: %s", x.Text)
	if !strings.Contains(x.Text, "Nothing was slashed") || x.Epoch != said.Epoch {
		t.Errorf("%+v", x)
	}
	if now = do[balance](o, "wallet", "balance", "container-1"); uint64(now.Free)+bond/2 < uint64(before.Free) {
		t.Errorf("the bond is not back: %d, then %d", before.Free, now.Free)
	}
	if now := do[queryRow](o, "ledger", "query", "stake/"+peer).Record["amount"]; now != stake || stake == "" {
		t.Errorf("the stake was %q and is %q", stake, now)
	}
	o.refuses("there is no accusation", "appeal", said.ID, "--wallet", "container-1", "--yes")
	status, out, _ := inProcess("why", peer, "--config", o.config)
	if status != 0 || !strings.Contains(out, "acquitted") {
		t.Errorf("status %d: %s", status, out)
	}
}
