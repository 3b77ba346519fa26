package testnet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/wallet"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p"
)

// Money gives a network a ledger of its own. The zero value of a field takes the default.
type Money struct {
	Validators   int    // checkers that make blocks; 1
	EpochSeconds uint64 // 5
	BlockMS      int    // pause between blocks; 500
	// FRMPerUSD is what the network's oracle says a dollar is worth; 100.
	FRMPerUSD string
	// Proofs lets containers prove what they render and checkers check it. Epochs should
	// last 15 s or more then: a round has windows of a few hundredths of an epoch.
	Proofs bool
	// Newcomers of the containers, the last of them, have no score in the genesis file: nobody
	// is matched to one until a round has measured it.
	Newcomers int
	// Params changes the parameters before they are frozen in the genesis; may be nil.
	Params func(*economics.Params)
}

// What the accounts of a testnet begin with.
const (
	operatorFunds = 10_000 * amount.FRM
	faucetFunds   = 1_000_000 * amount.FRM
)

func (m Money) withDefaults() Money {
	if m.Validators == 0 {
		m.Validators = 1
	}
	if m.EpochSeconds == 0 {
		m.EpochSeconds = 5
	}
	if m.BlockMS == 0 {
		m.BlockMS = 500
	}
	if m.FRMPerUSD == "" {
		m.FRMPerUSD = "100"
	}
	return m
}

// What a network with money leaves in its directory beside those of its nodes.
const (
	genesisFile = "genesis.json"
	clientDir   = "client" // of commands that look at its ledger: configuration and wallets
	faucetName  = "faucet" // account that gives players money
)

// treasury is the money side of a testnet: the genesis file and the accounts it names.
type treasury struct {
	Money
	path     string // of the genesis file
	rate     string // path of the oracle's price file
	doc      *genesis.Doc
	accounts map[string]ed25519.PrivateKey // by node name, and "faucet"
	nodes    map[string]key.Node           // those that the genesis names
}

// newTreasury writes the genesis of a network whose nodes are not running yet: their keys are
// made here, so that the file can name them.
func newTreasury(o Options, names map[string][]node.Role) (*treasury, error) {
	p := &treasury{Money: o.Money.withDefaults(), path: filepath.Join(o.Dir, genesisFile),
		rate: filepath.Join(o.Dir, "frm-per-usd"), accounts: map[string]ed25519.PrivateKey{}, nodes: map[string]key.Node{}}
	if err := anew(o.Dir, names); err != nil {
		return nil, fmt.Errorf("testnet: an earlier network in %s: %w", o.Dir, err)
	}
	if p.Validators > o.Checkers {
		return nil, fmt.Errorf("testnet: %d validators, but %d checkers: validators are checkers; use --checkers %d", p.Validators, o.Checkers, p.Validators)
	}
	params := p.params()
	plan := genesis.Plan{Chain: o.Network, Time: time.Now().Truncate(time.Millisecond), Params: &params}
	for _, name := range sortedNames(names) {
		n, owner, err := p.node(o, name, names[name], params)
		if err != nil {
			return nil, fmt.Errorf("testnet: %s: %w", name, err)
		}
		plan.Accounts = append(plan.Accounts, genesis.Account{Address: owner, Amount: uint64(operatorFunds)})
		if n != nil {
			plan.Nodes = append(plan.Nodes, *n)
			p.nodes[name] = n.Node
			if p.first(name) {
				plan.Oracles = []key.Address{key.Address(n.Node)}
			}
		}
	}
	faucet, err := p.account(faucetName)
	if err != nil {
		return nil, err
	}
	plan.Accounts = append(plan.Accounts, genesis.Account{Address: faucet, Amount: uint64(faucetFunds)})
	if p.doc, err = genesis.Build(plan); err != nil {
		return nil, fmt.Errorf("testnet: %w", err)
	}
	raw, err := p.doc.Marshal()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.rate, []byte(p.FRMPerUSD+"\n"), 0o600); err != nil {
		return nil, err
	}
	return p, os.WriteFile(p.path, raw, 0o600)
}

// standingRP is the score, in milli-RP, with which a testnet's containers stand in the genesis
// file: about what a part of a core does.
const standingRP = 20_000

// params are the main network's, in time that passes fast and with one oracle.
func (p *treasury) params() economics.Params {
	e := economics.DefaultParams()
	e.EpochSeconds = p.EpochSeconds
	e.OracleMin = 1
	e.HostVestEpochs, e.VestLotEpochs = 12, 1
	e.RewardVest2Epochs, e.RewardVest3Epochs = 12, 24
	e.UnbondEpochs = 24
	e.ParamDelayEpochs, e.ParamWindowEpochs = 4, 24
	e.AppealEpochs = 4
	e.ChallengeEpochs = 2
	e.SessionExpiryEpochs = 96
	e.ProofStandingEpochs = 64
	if !p.Proofs {
		e.ProofStandingEpochs = 8_640 // nobody measures them again
	}
	e.ProofCheckPPM = 1_000_000 // there are few containers, and something is to be seen
	if p.Params != nil {
		p.Params(&e)
	}
	return e
}

// account makes a key under a name.
func (p *treasury) account(name string) (key.Address, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return key.Address{}, err
	}
	p.accounts[name] = priv
	return key.Address(pub), nil
}

// node describes one node for the genesis; nil for roles that the ledger does not know.
func (p *treasury) node(o Options, name string, roles []node.Role, e economics.Params) (*genesis.Node, key.Address, error) {
	owner, err := p.account(name)
	if err != nil {
		return nil, owner, err
	}
	dir := filepath.Join(o.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, owner, err
	}
	k, err := p2p.LoadOrCreateKey(filepath.Join(dir, "node.key"))
	if err != nil {
		return nil, owner, err
	}
	pub, err := k.GetPublic().Raw()
	if err != nil {
		return nil, owner, err
	}
	n := &genesis.Node{Node: key.Node(pub), Owner: owner, Region: "local", Delegate: true}
	var has economics.Role
	for _, r := range roles {
		switch r {
		case node.RoleContainer:
			has, n.Price = has|economics.RoleContainer, node.DefaultConfig().Container.Price
			n.Stake += 4 * e.ContainerStake // a machine may be four times the reference
			if !p.newcomer(o, name) {
				n.RPMilli = standingRP
			}
		case node.RoleIndexer:
			has, n.Stake = has|economics.RoleIndexer, n.Stake+e.IndexerStake
		case node.RoleChecker:
			has |= economics.RoleChecker
			if !p.validates(name) {
				n.Stake += e.CheckerStake
				continue
			}
			n.Stake += e.ValidatorMinStake
			ck, err := chain.ConsensusKey(node.LedgerDir(dir))
			if err != nil {
				return nil, owner, err
			}
			vk, err := chain.VRFKey(node.LedgerDir(dir))
			if err != nil {
				return nil, owner, err
			}
			n.ConsensusKey, n.VRFKey = genesis.Key(ck), genesis.Key(vk)
		}
	}
	if has == 0 {
		return nil, owner, nil
	}
	n.Roles = genesis.Roles(has)
	return n, owner, nil
}

// newcomer says whether the container of that name is one that nothing was said of.
func (p *treasury) newcomer(o Options, name string) bool {
	if name == solo {
		return p.Newcomers > 0
	}
	for i := range p.Newcomers {
		if name == fmt.Sprintf("container-%d", o.Containers-i) {
			return true
		}
	}
	return false
}

// first says whether the node of that name is the first checker, which names the price.
func (p *treasury) first(name string) bool { return name == "checker-1" || name == solo }

// validates says whether the node of that name makes blocks: checker-1 to checker-V.
func (p *treasury) validates(name string) bool {
	if name == solo {
		return true
	}
	for i := 1; i <= p.Validators; i++ {
		if name == fmt.Sprintf("checker-%d", i) {
			return true
		}
	}
	return false
}

// edit points a node's configuration at the ledger.
func (p *treasury) edit(name string, c *node.Config) {
	c.Ledger.Genesis, c.Ledger.BlockMS = p.path, p.BlockMS
	c.Proof.Enabled, c.Proof.Backend, c.Proof.Threads = p.Proofs, node.BackendCPU, 1
	c.Ledger.Mode = node.LedgerLight
	if p.validates(name) {
		c.Ledger.Mode = node.LedgerValidator
	}
	if p.first(name) {
		c.Ledger.OracleFile = p.rate
	}
	if p.Validators > 1 && strings.HasPrefix(name, "checker-") && p.validates(name) {
		c.Ledger.Listen = "127.0.0.1:0"
	}
}

// startValidators starts the nodes that make blocks, one after the other, so that each
// knows where those before it listen.
func (n *Net) startValidators(ctx context.Context, boot []string) error {
	if n.treasury == nil {
		return nil
	}
	n.o.Progress("starting the ledger")
	for i := 1; i <= n.treasury.Validators; i++ {
		if _, err := n.add(ctx, fmt.Sprintf("checker-%d", i), []node.Role{node.RoleChecker}, boot); err != nil {
			return err
		}
	}
	return nil
}

// validatorAddresses lists where the running validators listen for each other.
func (n *Net) validatorAddresses() []string {
	var out []string
	for _, p := range n.Peers() {
		if a := p.LedgerAddress(); a != "" {
			out = append(out, a)
		}
	}
	return out
}

// Account is the key of an account that the genesis names: a node's owner by the node's
// name, or "faucet". It is nil without a ledger.
func (n *Net) Account(name string) ed25519.PrivateKey {
	if n.treasury == nil {
		return nil
	}
	return n.treasury.accounts[name]
}

// Genesis is the network's genesis file; nil without a ledger.
func (n *Net) Genesis() *genesis.Doc {
	if n.treasury == nil {
		return nil
	}
	return n.treasury.doc
}

// Chain is the chain of a peer that keeps one; nil when none does.
func (n *Net) Chain() *chain.Chain {
	for _, p := range n.Peers() {
		if c := p.Chain(); c != nil {
			return c
		}
	}
	return nil
}

// Passphrase opens the wallets that WriteClient leaves.
const Passphrase = "play-money"

// clientWork makes these wallets quick to open; what they hold is worth nothing.
const clientWork = 10

// WriteClient leaves in the network's directory what commands need to look at its ledger: a
// configuration, whose path it returns, and a wallet for each account of the genesis.
func (n *Net) WriteClient() (path string, err error) {
	if n.treasury == nil {
		return "", errors.New("testnet: the network has no ledger")
	}
	dir := filepath.Join(n.o.Dir, clientDir)
	w, err := wallet.Open(filepath.Join(dir, "wallets"), wallet.Options{Work: clientWork})
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(n.treasury.accounts)) {
		seed := hex.EncodeToString(n.treasury.accounts[name].Seed())
		if _, err := w.ImportSeed(name, seed, Passphrase); err != nil && !errors.Is(err, wallet.ErrExists) {
			return "", err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	root, err := filepath.Abs(n.treasury.path)
	if err != nil {
		return "", err
	}
	c := node.Config{Network: n.o.Network, DataDir: dir}
	for _, p := range n.Peers() {
		c.P2P.Bootstrap = append(c.P2P.Bootstrap, p.Addrs()...)
	}
	text := fmt.Sprintf("# How commands reach the ledger of this network.\nnetwork = %q\ndata_dir = %q\n\n[p2p]\nprofile = \"loopback\"\nport = 0\nbootstrap = [\n", c.Network, c.DataDir)
	for _, a := range c.P2P.Bootstrap {
		text += fmt.Sprintf("  %q,\n", a)
	}
	text += fmt.Sprintf("]\n\n[ledger]\ngenesis = %q\n", root)
	path = filepath.Join(n.o.Dir, "client.toml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}
