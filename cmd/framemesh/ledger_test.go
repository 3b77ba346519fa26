package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/store/proof"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/wallet"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/testnet"
	"github.com/framemesh/framemesh/p2p"
)

// operator is somebody with a configuration, a wallet and a network.
type operator struct {
	*testing.T
	net    *testnet.Net
	dir    string // of the network
	config string
	data   string
	fees   uint64 // base units that the key "op" has paid
	opened byte   // sessions
}

// newOperator starts a network with two validators whose epochs pass fast.
func newOperator(t *testing.T) *operator {
	t.Helper()
	walletOptions = wallet.Options{Work: 10}
	t.Cleanup(func() { walletOptions = wallet.Options{} })
	t.Setenv(passphraseEnv, "four words and more")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o := &operator{T: t, dir: t.TempDir(), data: t.TempDir()}
	var err error
	o.net, err = testnet.Start(ctx, testnet.Options{Network: "commands", Gateways: 1, Indexers: 1, Checkers: 2, Dir: o.dir, Log: slog.New(slog.DiscardHandler),
		Money: &testnet.Money{Validators: 2, EpochSeconds: 1, BlockMS: 100, Params: func(p *economics.Params) {
			p.UnbondEpochs, p.AppealEpochs = economics.VerdictEpochs, 0
			p.ChallengeEpochs, p.ParamDelayEpochs = 1, 1_000
			p.SessionExpiryEpochs, p.ParamWindowEpochs = 10_000, 10_000 // of a second: nothing runs out while commands are slow
		}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := o.net.Stop(stop); err != nil {
			t.Error(err)
		}
	})
	var boot []string
	for _, name := range []string{"checker-1", "checker-2"} {
		boot = append(boot, o.net.Find(name).Addrs()[0])
	}
	quoted, err := json.Marshal(boot)
	if err != nil {
		t.Fatal(err)
	}
	o.config = filepath.Join(o.data, "framemesh.toml")
	text := fmt.Sprintf("network = \"commands\"\nregion = \"here\"\ndata_dir = %q\nroles = [\"container\"]\n[p2p]\nprofile = \"loopback\"\nbootstrap = %s\n[ledger]\ngenesis = %q\n", o.data, quoted, filepath.Join(o.dir, "genesis.json"))
	if err := os.WriteFile(o.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// do runs a command that must succeed and reads its JSON.
func do[T any](o *operator, args ...string) (out T) {
	o.Helper()
	status, text, errText := inProcess(append(args, "--config", o.config, "--json")...)
	if status != 0 {
		o.Fatalf("%s: %s", strings.Join(args, " "), errText)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		o.Fatalf("%s: %v in %q", strings.Join(args, " "), err, text)
	}
	return out
}

// pays runs a command by which the key "op" sends something.
func (o *operator) pays(args ...string) receipt {
	o.Helper()
	r := do[receipt](o, append(args, "--wallet", "op", "--yes")...)
	if !r.Included || r.Height == 0 || len(r.Hash) != 64 || r.Fee != "1000" {
		o.Errorf("%s: %+v", args[0], r)
	}
	o.fees += 1000
	return r
}

// refuses runs a command that must fail, with these words, and with what to try.
func (o *operator) refuses(want string, args ...string) {
	o.Helper()
	status, out, errOut := inProcess(append(args, "--config", o.config)...)
	if status != 1 || !strings.Contains(errOut, want) {
		o.Errorf("%s: status %d, said %q, want %q", strings.Join(args, " "), status, errOut, want)
	}
	if !strings.Contains(errOut, "\n  try: ") && !strings.Contains(errOut, "; ") {
		o.Errorf("%s: it does not say what to try: %q", strings.Join(args, " "), errOut)
	}
	if out != "" && !strings.Contains(strings.Join(args, " "), "supply") {
		o.Errorf("%s: it fails and prints %q", strings.Join(args, " "), out)
	}
}

// An account is made, funded, pays, stakes, delegates and claims, and the books are right to
// the last base unit.
func TestMoneyByCommand(t *testing.T) {
	o := newOperator(t)
	seed := filepath.Join(o.data, "faucet.hex")
	if err := os.WriteFile(seed, []byte(hex.EncodeToString(o.net.Account("faucet").Seed())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	op := do[keyRow](o, "wallet", "create", "op").Address
	faucet := do[keyRow](o, "wallet", "import", "faucet", seed).Address
	if want := key.Address(o.net.Account("faucet").Public().(ed25519.PublicKey)); faucet != want {
		t.Fatalf("imported %s, not %s", faucet, want)
	}
	if b := do[balance](o, "wallet", "balance", "op"); b.Exists || b.Free != 0 || b.Address != op || b.Height == 0 {
		t.Errorf("nobody has paid it: %+v", b)
	}
	paid := do[receipt](o, "wallet", "send", "faucet", "op", "2000.00000001", "--memo", "to begin with", "--yes")
	if b := do[balance](o, "wallet", "balance", op.String()); !b.Exists || b.Free != 200000000001 || b.Name != "" {
		t.Errorf("it was paid: %+v", b)
	}

	t.Run("stake", func(t *testing.T) { o.T = t; o.stakes(op) })
	o.T = t
	t.Run("session", func(t *testing.T) { o.T = t; o.sessions(op) })
	o.T = t
	t.Run("look", func(t *testing.T) { o.T = t; o.looks(paid, op) })
	o.T = t
	t.Run("mistakes", func(t *testing.T) { o.T = t; o.mistakes(op) })
	o.T = t
	t.Run("vote", func(t *testing.T) { o.T = t; o.votes() })
	o.T = t

	// everything that was bonded is back: what is missing is the fees
	free := do[statusRow](o, "ledger", "status").Epoch
	o.pays("unstake", "all")
	if b := do[balance](o, "wallet", "balance", "op"); !b.Listed || len(b.Unbonding) != 1 || b.Unbonding[0].Held != 133422000000 || len(b.Staked) != 0 {
		t.Errorf("after unstaking: %+v", b)
	}
	for epoch := free; epoch < free+600; {
		epoch = do[statusRow](o, "ledger", "status").Epoch
		if status, _, _ := inProcess("claim", "--wallet", "op", "--config", o.config); status == 0 {
			o.fees += 1000
			break
		}
	}
	o.pays("retire")
	if b := do[balance](o, "wallet", "balance", "op"); uint64(b.Free) != 200000000001-o.fees || b.Nodes != 0 {
		t.Errorf("it has %d and %d nodes, not %d and none", b.Free, b.Nodes, 200000000001-o.fees)
	}
	if s := do[supplyRow](o, "ledger", "supply"); !s.OK || s.Sum != units(amount.Supply) || uint64(s.Burned) < o.fees || len(s.Pools) != len(economics.Pools()) {
		t.Errorf("%+v", s)
	}
}

// stakes makes the operator's node a container.
func (o *operator) stakes(op key.Address) {
	o.refuses("there is no node", "stake", "own", "10", "--wallet", "op", "--yes")
	o.refuses("globally routable", "register", "--subnet", "192.168.1.1", "--wallet", "op", "--yes")
	o.pays("register", "--price", "8", "--subnet", "11.1.1.9", "--subnet", "2a00:1:2::/48")
	o.pays("register", "--price", "7") // it keeps where it lives
	n, err := ownNodeKey(mustLoad(o), false)
	if err != nil {
		o.Fatal(err)
	}
	q := do[queryRow](o, "ledger", "query", "node/"+n.id().String())
	if q.Record["owner"] != op.String() || q.Record["roles"] != "container" || q.Record["region"] != "here" || q.Record["price_micro_usd_per_hour"] != "7" || q.Record["subnets"] != "11.1.1.0/24 2a00:1:2::/48" {
		o.Errorf("registered %+v", q.Record)
	}
	o.refuses("stake at least 1334.22 more", "stake", "10", "--wallet", "op", "--yes")
	need := do[struct{ Stake units }](o, "register", "--need").Stake
	if fast := do[struct{ Stake units }](o, "register", "--need", "--rp", "250").Stake; fast != need*5/2 {
		o.Errorf("a machine of 250 RP needs %d, one that nobody has measured %d", fast, need)
	}
	if n := do[stakeNeed](o, "stake"); n.Required != need || n.Amount != 0 || n.Coefficient != need || n.LaterFrom != 0 || n.Until != 0 {
		o.Errorf("before any stake: %+v", n)
	}
	o.pays("stake", "own", amount.Amount(need).String())
	if b := do[balance](o, "wallet", "balance", "op"); len(b.Staked) != 1 || b.Staked[0].Amount != need || b.Staked[0].Node != n.id() || uint64(b.Free) != 200000000001-uint64(need)-o.fees {
		o.Errorf("after staking %d: %+v", need, b)
	}
	if q := do[queryRow](o, "ledger", "query", "coef"); q.Record["coefficient"] != fmt.Sprint(uint64(need)) {
		o.Errorf("coefficient: %+v", q.Record)
	}
	o.pays("delegate", "--epochs", "1000", "--cut", "2.5")
	if q := do[queryRow](o, "ledger", "query", "dele/"+op.String()+"/"+n.id().String()); q.Record["cut_ppm"] != "25000" {
		o.Errorf("delegated %+v", q.Record)
	}
	o.pays("revoke", n.id().String())
	o.refuses("no such delegation", "revoke", "--wallet", "op")
	o.refuses("nothing is free to be claimed", "claim", "--wallet", "op")
	o.refuses("at least 30 FRM", "claim", "--early", "all", "--wallet", "op", "--yes")
	o.refuses("need 1334.22", "unstake", "1", "--wallet", "op", "--yes")
	o.refuses("bonded; unbond it first", "retire", "--wallet", "op", "--yes")
}

func mustLoad(o *operator) (cfg node.Config) {
	o.Helper()
	l := ledgerFlags{config: o.config}
	cfg, err := l.load(&cobra.Command{})
	if err != nil {
		o.Fatal(err)
	}
	return cfg
}

// sessions opens two escrows as a page would and closes them from both sides.
func (o *operator) sessions(op key.Address) {
	n, err := ownNodeKey(mustLoad(o), false)
	if err != nil {
		o.Fatal(err)
	}
	first, second := o.opens(n.id()), o.opens(n.id())
	if q := do[queryRow](o, "ledger", "query", "sess/"+n.id().String()+"/"+first); q.Record["escrow"] != "6000" || q.Record["owner"] != op.String() {
		o.Fatalf("opened %+v", q.Record)
	}
	list := do[struct {
		Sessions []sessionRow
		Listed   bool
	}](o, "session", "list")
	if len(list.Sessions) != 2 || !list.Listed || list.Sessions[0].Container != n.id() || list.Sessions[0].Escrow != 6000 || list.Sessions[0].Phase != "open" {
		o.Errorf("listed %+v", list)
	}
	o.refuses("does not let the node's key act for it", "session", "close", first, "--yes")
	o.pays("delegate")
	r := do[receipt](o, "session", "close", first, "--yes")
	o.fees += 1000 // the owner's: node keys own nothing
	if r.Operation != "close_session" || !r.Included {
		o.Errorf("%+v", r)
	}
	o.refuses("there is no session", "session", "close", first, "--yes")
	do[keyRow](o, "wallet", "create", "other")
	o.refuses("neither", "session", "close", second, "--wallet", "other", "--yes")
	do[receipt](o, "session", "close", second, "--wallet", "faucet", "--yes")
	if q := do[queryRow](o, "ledger", "query", "sess/"+n.id().String()+"/"+second); q.Exists && q.Record["phase"] != "closing" {
		o.Errorf("closed by its player: %+v", q)
	}
}

// opens locks a minute of play by the key "faucet".
func (o *operator) opens(container key.Node) (session string) {
	o.Helper()
	l := ledgerFlags{config: o.config, timeout: patience}
	c := &cobra.Command{}
	c.SetContext(o.Context())
	v, err := l.open(c)
	if err != nil {
		o.Fatal(err)
	}
	defer v.close()
	oracle, err := p2p.LoadOrCreateKey(filepath.Join(o.dir, "checker-1", "node.key"))
	if err != nil {
		o.Fatal(err)
	}
	raw, err := oracle.Raw()
	if err != nil {
		o.Fatal(err)
	}
	q, err := quote.Sign(v.Genesis.ChainID, ed25519.PrivateKey(raw), 100*uint64(amount.FRM), v.Head().TimeMS)
	if err != nil {
		o.Fatal(err)
	}
	player := o.net.Account("faucet")
	o.opened++
	name := tx.SessionName(key.Address(player.Public().(ed25519.PublicKey)), [8]byte{o.opened})
	op := &tx.OpenSession{Container: container[:], Session: name[:], PriceMicroUsdPerHour: 36, Quotes: [][]byte{q.Encode()}, PerSecond: 100, Seconds: 60}
	s := newSender(v, v.Genesis.ChainID, true, os.Stderr)
	if _, err := s.send(o.Context(), player, key.Address(player.Public().(ed25519.PublicKey)), &tx.Body{Op: &tx.Body_Open{Open: op}}); err != nil {
		o.Fatal(err)
	}
	return hex.EncodeToString(name[:])
}

// looks asks the ledger and checks the proofs without it.
func (o *operator) looks(paid receipt, op key.Address) {
	s := do[statusRow](o, "ledger", "status")
	g := o.net.Genesis().Hash()
	if s.Chain != "commands" || s.Height < 2 || s.Validators != 2 || s.Peers == 0 || s.Genesis != hex.EncodeToString(g[:]) {
		o.Errorf("%+v", s)
	}
	x := do[struct {
		txRow
		Transaction struct {
			Fields map[string]string `json:"fields"`
		} `json:"transaction"`
	}](o, "ledger", "tx", paid.Hash)
	if !x.OK || x.Height != paid.Height || x.Transaction.Fields["memo"] != "to begin with" || x.Transaction.Fields["amount"] != "2000.00000001" {
		o.Errorf("%+v", x)
	}
	b := do[struct {
		blockRow
		Transactions []struct{ Hash string } `json:"transactions"`
	}](o, "ledger", "block", fmt.Sprint(paid.Height))
	if b.Height != paid.Height || len(b.Hash) != 64 || !slices.Contains(b.Transactions, struct{ Hash string }{paid.Hash}) {
		o.Errorf("%+v", b)
	}

	for what, want := range map[string]bool{"total": true, "acct/" + op.String(): true, "acct/" + key.Address{9}.String(): false, "hex:ff": false} {
		q := do[queryRow](o, "ledger", "query", what, "--prove")
		if q.Exists != want || q.Proof == nil || q.Proof.HeaderHeight != q.Height+1 {
			o.Fatalf("%s: %+v", what, q)
		}
		unhex := func(s string) []byte {
			b, err := hex.DecodeString(s)
			if err != nil {
				o.Fatal(err)
			}
			return b
		}
		var value []byte
		if want {
			value = unhex(q.Value)
		}
		root := unhex(q.Proof.Root)
		if err := proof.Verify(root, unhex(q.Key), value, unhex(q.Proof.ICS23)); err != nil {
			o.Errorf("%s: %v", what, err)
		}
		root[0] ^= 1
		if proof.Verify(root, unhex(q.Key), value, unhex(q.Proof.ICS23)) == nil {
			o.Errorf("%s: the proof holds for any root", what)
		}
	}
	if status, out, errOut := inProcess("ledger", "supply", "--config", o.config); status != 0 || !strings.Contains(out, "42000000000.00000000 FRM") || !strings.Contains(out, "equal to the last base unit") {
		o.Errorf("status %d: %s %s", status, out, errOut)
	}
	if status, out, errOut := inProcess("wallet", "balance", "op", "--config", o.config); status != 0 || !strings.Contains(out, "1334.22 FRM on 12D3") {
		o.Errorf("status %d: %s %s", status, out, errOut)
	}
}

// mistakes reads what each of them says.
func (o *operator) mistakes(op key.Address) {
	mistyped := []byte(op.String())
	mistyped[20] = map[bool]byte{true: 'p', false: 'q'}[mistyped[20] == 'q']
	do[keyRow](o, "wallet", "create", "poor")
	o.refuses("mistyped", "wallet", "send", "op", string(mistyped), "1", "--yes")
	o.refuses("mistyped", "wallet", "balance", string(mistyped))
	o.refuses("cannot pay the fee", "wallet", "send", "poor", "op", "1", "--yes")
	o.refuses("needs 10000", "wallet", "send", "op", "poor", "10000", "--yes")
	o.refuses("not without being asked", "wallet", "send", "op", "poor", "1")
	o.refuses("not an amount", "wallet", "send", "op", "poor", "1,5", "--yes")
	o.refuses("0 moves nothing", "wallet", "send", "op", "poor", "0", "--yes")
	o.refuses("keys in this wallet", "claim")
	o.refuses("percentage", "delegate", "--cut", "100.1", "--wallet", "op")
	o.refuses("more than the network lets", "delegate", "--epochs", "99999999", "--wallet", "op")
	o.refuses("only validators decide", "ledger", "propose", "fee_bps", "1500", "--wallet", "op", "--yes")
	o.refuses("0 to 5000", "ledger", "propose", "fee_bps", "5001", "--wallet", "op", "--yes")
	o.refuses("no matter of votes", "ledger", "propose", "epoch_seconds", "5", "--wallet", "op", "--yes")
	o.refuses("no open proposal", "ledger", "approve", "77", "--wallet", "op", "--yes")
	o.refuses("knows a transaction", "ledger", "tx", strings.Repeat("ab", 32))
	o.refuses("there is no block", "ledger", "block", "99999999")
	o.refuses("mistyped", "ledger", "query", "acct/"+string(mistyped))
	o.refuses("not a key of the state", "ledger", "query", "account/"+op.String())

	o.Setenv(passphraseEnv, "not the four words")
	o.refuses("wrong passphrase", "wallet", "send", "op", "poor", "1", "--yes")
	o.Setenv(passphraseEnv, "four words and more")

	// a network that starts from another file under the same name
	other := filepath.Join(o.data, "other.json")
	d := *o.net.Genesis()
	d.Time = d.Time.Add(time.Second)
	raw, err := d.Marshal()
	if err != nil {
		o.Fatal(err)
	}
	if err := os.WriteFile(other, raw, 0o600); err != nil {
		o.Fatal(err)
	}
	for _, limit := range []string{"3s", "15s", "60s"} { // a peer may take a while to show what it has
		status, out, said := inProcess("ledger", "status", "--genesis", other, "--timeout", limit, "--config", o.config)
		if status != 1 || out != "" || !strings.Contains(said, "\n  try: ") {
			o.Fatalf("another genesis file: status %d, %q, said %q", status, out, said)
		}
		if strings.Contains(said, "not of this genesis file") {
			return
		}
		o.Logf("within %s it said %q", limit, said)
	}
	o.Error("nothing says that the file is of another network")
}

// votes changes a parameter by the accounts of both validators.
func (o *operator) votes() {
	for _, name := range []string{"checker-1", "checker-2"} {
		seed := filepath.Join(o.data, name+".hex")
		if err := os.WriteFile(seed, []byte(hex.EncodeToString(o.net.Account(name).Seed())), 0o600); err != nil {
			o.Fatal(err)
		}
		do[keyRow](o, "wallet", "import", name, seed)
	}
	type answer struct {
		Params    []paramRow
		Proposals []proposalRow
	}
	do[receipt](o, "ledger", "propose", "tx_fee", "0.00002", "--wallet", "checker-1", "--yes")
	p := do[answer](o, "ledger", "params")
	if len(p.Params) != len(economics.ParamNames()) || len(p.Proposals) != 1 || p.Proposals[0].Parameter != "tx_fee" || p.Proposals[0].Value != 2000 || p.Proposals[0].Approvals != 1 {
		o.Fatalf("%d parameters, proposals %+v", len(p.Params), p.Proposals)
	}
	id := fmt.Sprint(p.Proposals[0].ID)
	o.refuses("already approved", "ledger", "approve", id, "--wallet", "checker-1", "--yes")
	do[receipt](o, "ledger", "approve", id, "--wallet", "checker-2", "--yes")
	if p = do[answer](o, "ledger", "params"); len(p.Proposals) != 1 || p.Proposals[0].Approvals != 2 || p.Proposals[0].Activates == 0 {
		o.Errorf("approved by both: %+v", p.Proposals)
	}
}
