package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/wallet"
	"github.com/framemesh/framemesh/node"
)

// realEpochs is for tests that wait minutes for the rounds of real epochs: they run in CI, and
// elsewhere when FRAMEMESH_ROUNDS is set.
func realEpochs(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" && os.Getenv("FRAMEMESH_ROUNDS") == "" {
		t.Skip("takes minutes of real epochs; set FRAMEMESH_ROUNDS=1")
	}
}

// village is a whole network, made by commands alone, in which every node is a process of its
// own that kill -9 can end: one that makes the blocks, an indexer, a gateway, containers and
// checkers.
type village struct {
	company
	nodes map[string]*house
	order []string
	watch *view // a light client of the test's own
	doc   *genesis.Doc
}

// house is one node of a village.
type house struct {
	validator
	id   key.Node
	port string // of its peer-to-peer host
}

const (
	villageEpoch = 15 // s
	hall         = "ledger"
	square       = "indexer" // by which all others join
	door         = "gateway" // for players
)

// newVillage makes keys, configurations and a genesis file, and starts nothing. accounts begin
// with money besides the nodes' owners.
func newVillage(t *testing.T, containers, checkers int, params []string, accounts ...key.Address) *village {
	t.Helper()
	walletOptions = wallet.Options{Work: 10}
	t.Cleanup(func() { walletOptions = wallet.Options{} })
	t.Setenv(passphraseEnv, "four words and more")
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	t.Cleanup(cancel)
	v := &village{company: company{T: t, ctx: ctx, dir: t.TempDir()}, nodes: map[string]*house{}}
	v.genesis = filepath.Join(v.dir, "genesis.json")
	rate := filepath.Join(v.dir, "frm-per-usd")
	if err := os.WriteFile(rate, []byte("100\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.plan(square, `roles = ["indexer"]`, `mode = "light"`)
	v.plan(hall, `roles = ["checker"]`, fmt.Sprintf("mode = \"validator\"\noracle_file = %q", rate))
	v.plan(door, `roles = ["gateway"]`, `mode = "light"`)
	for i := range containers {
		v.plan(fmt.Sprint("container-", i+1), `roles = ["container"]`, `mode = "light"`)
	}
	for i := range checkers {
		v.plan(fmt.Sprint("checker-", i+1), `roles = ["checker"]`, `mode = "light"`)
	}
	build := []string{"ledger", "genesis", "build", "--chain", "village", "--out", v.genesis, "--json", "--param", fmt.Sprint("epoch_seconds=", villageEpoch), "--param", "oracle_min=1", "--param", "proof_check_ppm=1000000"}
	for _, p := range params {
		build = append(build, "--param", p)
	}
	for _, a := range accounts {
		build = append(build, "--account", a.String()+"=1000")
	}
	for _, name := range v.order {
		if name == door {
			continue // the ledger does not know gateways
		}
		build = append(build, v.register(name)...)
	}
	status, out, errOut := inProcess(build...)
	if status != 0 {
		t.Fatalf("%s %s", out, errOut)
	}
	var err error
	if v.doc, err = genesis.Load(v.genesis); err != nil {
		t.Fatal(err)
	}
	return v
}

// plan writes a node's configuration.
func (v *village) plan(name, roles, ledger string) {
	v.Helper()
	h := &house{validator: validator{t: v.T, name: name, dir: filepath.Join(v.dir, name)}}
	_, h.port, _ = net.SplitHostPort(freePort(v.T))
	boot := "[]"
	if name != square {
		id, err := v.nodes[square].id.Peer()
		if err != nil {
			v.Fatal(err)
		}
		boot = fmt.Sprintf("[\"/ip4/127.0.0.1/tcp/%s/p2p/%s\"]", v.nodes[square].port, id)
	}
	text := fmt.Sprintf("network = \"village\"\ndata_dir = %q\n%s\n[p2p]\nprofile = \"loopback\"\nport = %s\nbootstrap = %s\n[gateway]\nlisten = \"127.0.0.1:0\"\n[container]\nslots = 1\n[proof]\nbackend = \"cpu\"\nthreads = 1\n[log]\nlevel = \"warn\"\n[ledger]\ngenesis = %q\nblock_ms = 250\n%s\n",
		h.dir, roles, h.port, boot, v.genesis, ledger)
	if err := errors.Join(os.MkdirAll(h.dir, 0o700), os.WriteFile(h.config(), []byte(text), 0o600)); err != nil {
		v.Fatal(err)
	}
	cfg, err := node.LoadConfig(h.config())
	if err != nil {
		v.Fatal(err)
	}
	k, err := ownNodeKey(cfg, true)
	if err != nil {
		v.Fatal(err)
	}
	h.id, v.nodes[name], v.order = k.id(), h, append(v.order, name)
}

// register makes a node's entry for the genesis file, with an owner of its own.
func (v *village) register(name string) (args []string) {
	v.Helper()
	h := v.nodes[name]
	owner := v.says("wallet", "create", name, "--data-dir", v.dir)["address"].(string)
	keys := []string{"ledger", "keys", "--config", h.config(), "--owner", owner}
	switch {
	case name == square:
		keys = append(keys, "--role", "indexer")
	case strings.HasPrefix(name, "container-"):
		keys = append(keys, "--role", "container")
	case name != hall:
		keys = append(keys, "--no-validate")
	}
	status, out, errOut := inProcess(keys...)
	if status != 0 {
		v.Fatal(errOut)
	}
	entry := filepath.Join(h.dir, "entry.json")
	if err := os.WriteFile(entry, []byte(out), 0o600); err != nil {
		v.Fatal(err)
	}
	args = []string{"--node", entry, "--account", owner + "=1000"}
	if name == hall {
		oracle := regexp.MustCompile(`signed by (frm1\w+)`).FindStringSubmatch(errOut)
		if oracle == nil {
			v.Fatalf("keys does not say who signs the oracle's prices: %q", errOut)
		}
		args = append(args, "--oracle", oracle[1])
	}
	return args
}

// launch starts a node's process; ready, called afterwards, waits until it is up.
func (v *village) launch(name string) (ready func()) {
	v.Helper()
	h := v.nodes[name]
	c := command(v.ctx, v.T, "run", "--config", h.config(), "--json")
	c.Stderr = &prefixed{t: v.T, prefix: name}
	out, err := c.StdoutPipe()
	if err != nil {
		v.Fatal(err)
	}
	if err := c.Start(); err != nil {
		v.Fatal(err)
	}
	r := &running{cmd: c}
	h.running = r
	v.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Signal(os.Interrupt)
			_ = c.Wait()
		}
	})
	up := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, r)
		}
		up <- err
		_, _ = io.Copy(io.Discard, out)
	}()
	return func() {
		v.Helper()
		if err := <-up; err != nil {
			v.Fatalf("%s did not come up: %v", name, err)
		}
	}
}

// startAll starts every node, and a light client that watches.
func (v *village) startAll() {
	v.Helper()
	v.launch(square)()
	v.launch(hall)()
	var waits []func()
	for _, name := range v.order[2:] {
		waits = append(waits, v.launch(name))
	}
	for _, ready := range waits {
		ready()
	}
	cfg, err := node.LoadConfig(v.plain())
	if err != nil {
		v.Fatal(err)
	}
	cfg.Network, cfg.Ledger.Genesis, cfg.P2P.Bootstrap = "village", v.genesis, v.nodes[square].Addr
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	d, err := node.DialLedger(ctx, cfg, node.Asked{Peers: v.nodes[hall].Addr, Log: quiet})
	if err != nil {
		v.Fatal(err)
	}
	v.watch = &view{d, cfg, func() {}}
	v.Cleanup(v.watch.close)
}

// kill is kill -9 of a node's process.
func (v *village) kill(name string) {
	v.Helper()
	v.nodes[name].kill()
	v.Logf("killed %s", name)
}

// restart starts a killed node again, and waits until it is up.
func (v *village) restart(name string) {
	v.Helper()
	v.launch(name)()
	v.Logf("%s is up again", name)
}

// at waits until so many ms of an epoch have passed.
func (v *village) at(epoch uint64, ms int64) {
	v.Helper()
	when := time.UnixMilli(int64(v.doc.EpochStart(epoch)) + ms)
	if late := time.Since(when); late > time.Second {
		v.Logf("%v late for %d ms of epoch %d", late.Round(time.Millisecond), ms, epoch)
	}
	select {
	case <-time.After(time.Until(when)):
	case <-v.ctx.Done():
		v.Fatal("the test took too long")
	}
}

// next is the first epoch from one on in which so many ms are still to pass.
func (v *village) next(epoch uint64, ms int64) uint64 {
	for time.Now().After(time.UnixMilli(int64(v.doc.EpochStart(epoch)) + ms)) {
		epoch++
	}
	return epoch
}

// epoch is the one that runs.
func (v *village) epoch() uint64 { return v.doc.Epoch(uint64(time.Now().UnixMilli())) }

// asked runs a command of somebody who has the genesis file and asks the node that makes the
// blocks, and reads its JSON.
func asked[T any](v *village, args ...string) (out T) {
	v.Helper()
	status, text, errText := v.tries(args...)
	if status != 0 {
		v.Fatalf("%s: status %d: %s%s", strings.Join(args, " "), status, text, errText)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		v.Fatalf("%s: %v in %q", strings.Join(args, " "), err, text)
	}
	return out
}

// tries is asked for a command that may fail.
func (v *village) tries(args ...string) (status int, out, errOut string) {
	return inProcess(append(args, "--data-dir", v.dir, "--genesis", v.genesis, "--peer", v.nodes[hall].Addr[0], "--config", v.plain(), "--json")...)
}

// until polls what only shows from outside.
func (v *village) until(what string, limit time.Duration, ok func() bool) {
	v.Helper()
	for began := time.Now(); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > limit || v.ctx.Err() != nil {
			v.Fatalf("after %v still not: %s", limit, what)
		}
	}
}
