package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/testnet"
	"github.com/framemesh/framemesh/node/why"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// market is a network of containers at different prices, of which the last has proven nothing.
type market struct {
	*testing.T
	net    *testnet.Net
	dir    string
	config string
	app    [32]byte
}

func newMarket(t *testing.T, money *testnet.Money, change ...func(*testnet.Options)) *market {
	t.Helper()
	m := &market{T: t, dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	o := testnet.Options{Network: "market", Gateways: 1, Indexers: 1, Checkers: 1, Containers: 3, Slots: 1, Dir: m.dir,
		CacheDir: filepath.Join(m.dir, "cache"), Log: slog.New(slog.DiscardHandler), Money: money,
		Edit: func(name string, c *node.Config) {
			if price := map[string]uint64{"container-1": 100_000, "container-2": 400_000, "container-3": 200_000}[name]; price > 0 {
				c.Container.Price, c.Container.FetchApps = price, false
			}
		}}
	for _, f := range change {
		f(&o)
	}
	var err error
	if m.net, err = testnet.Start(ctx, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := m.net.Stop(stop); err != nil {
			t.Error(err)
		}
	})
	apps, err := m.net.Find("gateway-1").Gateway().Apps(ctx)
	if err != nil || len(apps) == 0 {
		t.Fatalf("%d apps: %v", len(apps), err)
	}
	if _, err := hex.Decode(m.app[:], []byte(apps[0].ID)); err != nil {
		t.Fatal(err)
	}
	m.config = filepath.Join(m.dir, "framemesh.toml")
	text := fmt.Sprintf("network = \"market\"\nregion = \"local\"\nroles = [\"container\"]\n[p2p]\nprofile = \"loopback\"\nbootstrap = [%q]\n", m.net.Find("indexer-1").Addrs()[0])
	if money != nil {
		text = strings.Replace(text, "bootstrap = [", fmt.Sprintf("bootstrap = [%q, ", m.net.Find("checker-1").Addrs()[0]), 1)
		text += fmt.Sprintf("[ledger]\ngenesis = %q\n", filepath.Join(m.dir, "genesis.json"))
	}
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// asks has a player ask for a game.
func (m *market) asks(change func(*wire.MatchRequest)) {
	m.Helper()
	id := make([]byte, match.RequestIDBytes)
	if _, err := rand.Read(id); err != nil {
		m.Fatal(err)
	}
	req := &wire.MatchRequest{RequestId: id, AppSha256: m.app[:], Region: "local", MadeMs: uint64(time.Now().UnixMilli())}
	change(req)
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		_, err := m.net.Find("indexer-1").Indexer().Match(m.Context(), "", req)
		var refused *rpc.Error
		if err == nil || errors.As(err, &refused) && slices.Contains([]wire.Code{wire.Code_NO_MATCH, wire.Code_UNAVAILABLE}, refused.Code) {
			return // it counts, also where nobody fits, or another indexer has to sign at the turn of an epoch
		}
		if time.Now().After(deadline) {
			m.Fatal(err)
		}
	}
}

// why runs the command as the operator of one of the containers.
func (m *market) why(name string) (why.Report, string) {
	m.Helper()
	args := []string{"why", "--config", m.config, "--data-dir", filepath.Join(m.dir, name)}
	var r why.Report
	for deadline := time.Now().Add(patience); ; { // a busy machine may not answer in time
		status, out, errOut := inProcess(append(args, "--json")...)
		r = why.Report{}
		if err := json.Unmarshal([]byte(out), &r); status != 0 || err != nil {
			m.Fatalf("%s: status %d, %v: %s", name, status, err, errOut)
		}
		if len(r.Indexers) > 0 || time.Now().After(deadline) {
			break
		}
	}
	var words strings.Builder
	if err := printReport(&words, r); err != nil {
		m.Fatal(err)
	}
	m.Logf("%s:\n%s", name, words.String())
	return r, words.String()
}

// finding is the one with a code, which must say what to try.
func (m *market) finding(r why.Report, code string, bad bool) why.Finding {
	m.Helper()
	for _, f := range r.Findings {
		if f.Code == code {
			if f.Bad != bad || f.Bad && f.Next == "" {
				m.Errorf("%s: %+v", code, f)
			}
			return f
		}
	}
	m.Errorf("no finding %s among %+v", code, r.Findings)
	return why.Finding{}
}

// Each operator is told by its own indexers why players went to others, and what to do.
func TestWhySaysWhyAContainerWasNotChosen(t *testing.T) {
	m := newMarket(t, &testnet.Money{Newcomers: 1})
	for range 3 {
		m.asks(func(r *wire.MatchRequest) { r.MaxPriceMicroUsdPerHour = 300_000 })
	}
	m.asks(func(r *wire.MatchRequest) { r.MaxLatencyMs = 30 })
	m.asks(func(r *wire.MatchRequest) { r.AppSha256 = make([]byte, 32) })

	r, _ := m.why("container-1")
	if !r.OK || len(r.Indexers) != 1 || r.Indexers[0].First != 3 || r.Indexers[0].Asked != 5 {
		t.Errorf("the cheap one: %+v", r)
	}
	m.finding(r, "chosen", false)
	m.finding(r, "other_games", false)
	m.finding(r, "latency_unknown", false)

	r, text := m.why("container-2")
	if f := m.finding(r, "price_high", true); !strings.Contains(f.Text, "0.40 $") || !strings.Contains(f.Next, "300000") || r.OK {
		t.Errorf("the dear one: %+v", f)
	}
	m.finding(r, "not_chosen", false)
	if !strings.Contains(text, "above what 3 of 3 players would pay") {
		t.Errorf("in words: %s", text)
	}

	r, text = m.why("container-3")
	m.finding(r, "unproven", true)
	m.finding(r, "not_proven", true)
	if !strings.Contains(text, "The next round begins ") {
		t.Errorf("when it can be proven: %s", text)
	}

	// Others are told nothing of it, and that they are not.
	id := m.net.Find("container-2").ID().String()
	status, out, errOut := inProcess("why", id, "--json", "--config", m.config, "--data-dir", filepath.Join(m.dir, "container-1"))
	var other why.Report
	if err := json.Unmarshal([]byte(out), &other); status != 0 || err != nil || len(other.Indexers) != 0 {
		t.Fatalf("status %d, %v: %s%s", status, err, out, errOut)
	}
	m.finding(other, "own_key_only", false)
}

// Without a ledger there is nothing to prove, and indexers tell all the same.
func TestWhyWithoutALedger(t *testing.T) {
	m := newMarket(t, nil)
	m.asks(func(r *wire.MatchRequest) {})
	m.asks(func(r *wire.MatchRequest) {})
	r, text := m.why("container-2")
	if f := m.finding(r, "outranked", true); !strings.Contains(f.Next, "container.price") || len(r.Indexers) != 1 || r.Height != 0 {
		t.Errorf("%+v", r)
	}
	if strings.Contains(text, "block") {
		t.Errorf("in words: %s", text)
	}
	gone := filepath.Join(m.dir, "new")
	if err := os.MkdirAll(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(m.dir, "gateway-1", "node.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(gone, "node.key"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, _ = m.why("new")
	m.finding(r, "no_ad", true)
}

// Who is not paid, or loses stake, is told why by command: late, absent, convicted.
func TestWhySaysWhyARoundIsNotPaid(t *testing.T) {
	realEpochs(t)
	cheats := map[string]cheat.Cheat{}
	for name, what := range map[string]string{"container-2": "late", "container-3": "overclaim=4"} {
		c, err := cheat.Parse(what)
		if err != nil {
			t.Fatal(err)
		}
		cheats[name] = c
	}
	m := newMarket(t, &testnet.Money{EpochSeconds: 20, Proofs: true}, func(o *testnet.Options) { o.Checkers, o.Containers, o.Cheats = 5, 4, cheats })
	if err := m.net.Crash("container-4"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"container-1": "paid", "container-2": "late", "container-3": "wrong_tile", "container-4": "absent"}
	end := time.Now().Add(8 * time.Minute)
	for name, code := range want {
		for {
			r, text := m.why(name)
			if slices.ContainsFunc(r.Findings, func(f why.Finding) bool { return f.Code == code }) {
				if m.finding(r, code, code != "paid").Epoch == 0 && len(r.Verdicts) == 0 {
					t.Errorf("%s: nothing says in which epoch: %s", name, text)
				}
				if name == "container-3" && (r.OK || !strings.Contains(text, "`framemesh ")) {
					t.Errorf("the convicted is not told what to do: %s", text)
				}
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s is not told %s:\n%s", name, code, text)
			}
			select {
			case <-t.Context().Done():
				t.Fatal(t.Context().Err())
			case <-time.After(time.Second):
			}
		}
	}
}
