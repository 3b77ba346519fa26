package node

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/p2p"
)

const metricsPage = "../docs/guides/metrics.md"

// figure is a metric by its name and labels, as the page writes them: `a`, `b`.
type figure struct{ labels string }

var (
	inADesc   = regexp.MustCompile(`fqName: "(framemesh_[a-z0-9_]+)".*variableLabels: \{([a-z_,]*)\}`)
	onThePage = regexp.MustCompile("(?m)^\\| `(framemesh_[a-z0-9_]+)` \\| ([^|]*) \\| ([^|]+) \\|$")
)

// figuresOf starts a node and adds all that it can ever show.
func figuresOf(t *testing.T, cfg Config, have map[string]figure) {
	t.Helper()
	n, err := New(cfg, Options{CacheDir: filepath.Join(os.TempDir(), "framemesh-test-cache")})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc)
	go func() { n.Metrics().Describe(descs); close(descs) }()
	for d := range descs {
		if m := inADesc.FindStringSubmatch(d.String()); m != nil {
			have[m[1]] = figure{m[2]}
		} else if strings.Contains(d.String(), `"framemesh_`) {
			t.Errorf("cannot read %s", d)
		}
	}
	gathered, err := n.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range gathered {
		if _, ok := have[f.GetName()]; !ok && strings.HasPrefix(f.GetName(), "framemesh_") {
			t.Errorf("%s is shown but not described", f.GetName())
		}
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	defer cancel()
	if err := n.Stop(stop); err != nil {
		t.Error(err)
	}
}

// soloGenesis writes the genesis file of a network whose only validator is the node with
// that data directory, and returns its path.
func soloGenesis(t *testing.T, network, dir string) string {
	t.Helper()
	k, err := p2p.LoadOrCreateKey(filepath.Join(dir, "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := k.GetPublic().Raw()
	if err != nil {
		t.Fatal(err)
	}
	consensus, err := chain.ConsensusKey(LedgerDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	prover, err := chain.VRFKey(LedgerDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	owner, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	params := economics.DefaultParams()
	params.OracleMin = 1
	d, err := genesis.Build(genesis.Plan{Chain: network, Time: time.Now().Add(-time.Second), Params: &params, Nodes: []genesis.Node{{
		Node: key.Node(pub), Owner: key.Address(owner), Roles: genesis.Roles(economics.RoleChecker), ConsensusKey: genesis.Key(consensus),
		VRFKey: genesis.Key(prover), Stake: params.ValidatorMinStake, Delegate: true}}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every figure that a node can ever show is on the page, with its labels, and every one
// on the page exists. A registry only gathers what has happened once, so the test asks
// for the descriptions instead.
func TestEveryMetricIsDocumented(t *testing.T) {
	dir := t.TempDir()
	file := soloGenesis(t, "metrics", dir)
	have := map[string]figure{}
	for mode, dir := range map[string]string{LedgerValidator: dir, LedgerLight: t.TempDir()} {
		cfg := DefaultConfig()
		cfg.Network, cfg.DataDir, cfg.Roles = "metrics", dir, []Role{RoleContainer, RoleIndexer, RoleChecker, RoleGateway}
		cfg.P2P.Profile, cfg.P2P.Port, cfg.Gateway.Listen = "loopback", 0, "127.0.0.1:0"
		cfg.Container.Slots = 1
		cfg.Ledger.Genesis, cfg.Ledger.Mode = file, mode
		cfg.Proof.PlayEvery, cfg.Proof.PlayGateways = 1000, []string{"http://127.0.0.1:1/"} // never in this test
		figuresOf(t, cfg, have)
	}
	if len(have) < 60 {
		t.Fatalf("only %d figures: the nodes lack some of their parts", len(have))
	}

	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]figure{}
	for _, m := range onThePage.FindAllStringSubmatch(string(page), -1) {
		if _, twice := told[m[1]]; twice {
			t.Errorf("%s is on the page twice", m[1])
		}
		told[m[1]] = figure{strings.ReplaceAll(m[2], ", ", ",")}
	}
	for name, f := range have {
		switch p, ok := told[name]; {
		case !ok:
			t.Errorf("%s %q is not in %s", name, f.labels, metricsPage)
		case !sameLabels(p.labels, f.labels):
			t.Errorf("%s has the labels %q, the page says %q", name, f.labels, p.labels)
		}
	}
	for name := range told {
		if _, ok := have[name]; !ok {
			t.Errorf("%s in %s does not exist", name, metricsPage)
		}
	}
}

func sameLabels(a, b string) bool {
	x, y := strings.Split(a, ","), strings.Split(b, ",")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
