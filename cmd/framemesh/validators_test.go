package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/wallet"
)

// validator is a `framemesh run` process that makes blocks, and what it needs to start
// again.
type validator struct {
	t      *testing.T
	name   string
	dir    string
	listen string // host:port of its ledger
	own    string // id@host:port, as `ledger keys` says it
	*running
}

// company is a network of validators that was made by commands alone.
type company struct {
	*testing.T
	ctx     context.Context
	dir     string
	genesis string
	all     []*validator
}

// newCompany makes keys and a genesis file as people would, and starts nothing.
func newCompany(t *testing.T, size int, more ...string) *company {
	t.Helper()
	walletOptions = wallet.Options{Work: 10}
	t.Cleanup(func() { walletOptions = wallet.Options{} })
	t.Setenv(passphraseEnv, "four words and more")
	// The test's own context ends before its cleanups, in which the nodes are to end well.
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	c := &company{T: t, ctx: ctx, dir: t.TempDir()}
	c.genesis = filepath.Join(c.dir, "genesis.json")
	owner := c.says("wallet", "create", "savings", "--data-dir", c.dir)["address"].(string)
	build := []string{"ledger", "genesis", "build", "--chain", "company", "--out", c.genesis, "--account", owner + "=1000", "--param", "epoch_seconds=5", "--json"}
	for i := range size {
		v := &validator{t: t, name: fmt.Sprint("validator-", i+1), dir: filepath.Join(c.dir, fmt.Sprint("v", i+1)), listen: freePort(t)}
		v.configure(c, nil)
		status, out, errOut := inProcess("ledger", "keys", "--config", v.config(), "--owner", owner)
		if status != 0 {
			t.Fatal(errOut)
		}
		found := regexp.MustCompile(`"([0-9a-f]{40}@127\.0\.0\.1:\d+)"`).FindStringSubmatch(errOut)
		if found == nil || !strings.HasSuffix(found[1], "@"+v.listen) {
			t.Fatalf("keys does not say how others reach it: %q", errOut)
		}
		v.own = found[1]
		entry := filepath.Join(v.dir, "entry.json")
		if err := os.WriteFile(entry, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		build = append(build, "--node", entry)
		c.all = append(c.all, v)
	}
	status, out, errOut := inProcess(append(build, more...)...)
	var built genesisRow
	if err := json.Unmarshal([]byte(out), &built); status != 0 || err != nil || built.Validators != size || built.Chain != "company" {
		t.Fatalf("status %d, %v: %s %s", status, err, out, errOut)
	}
	for _, v := range c.all {
		v.configure(c, c.all)
	}
	return c
}

// given are the ports that tests have taken.
var given = map[int]bool{}

// freePort is an address at which nothing listens. It is none of those that the system gives to
// whoever dials, from 32768 on: nobody gets it by chance before its node listens there, or while
// that is down.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := 12_000 + rand.IntN(20_000)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", addr) // a peer's has both
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		if given[port] {
			continue
		}
		given[port] = true
		return addr
	}
	t.Fatal("no port is free")
	return ""
}

func (v *validator) config() string { return filepath.Join(v.dir, "framemesh.toml") }

// configure writes the configuration; without others the one that exists before there is
// a genesis file.
func (v *validator) configure(c *company, others []*validator) {
	c.Helper()
	text := fmt.Sprintf("network = \"company\"\ndata_dir = %q\nroles = [\"checker\"]\n[p2p]\nprofile = \"loopback\"\nport = 0\n[log]\nlevel = \"warn\"\n[ledger]\nmode = \"validator\"\nblock_ms = 200\nlisten = %q\n", v.dir, v.listen)
	if others != nil {
		peers := []string{}
		for _, o := range others {
			if o != v {
				peers = append(peers, o.own)
			}
		}
		quoted, err := json.Marshal(peers)
		if err != nil {
			c.Fatal(err)
		}
		text += fmt.Sprintf("genesis = %q\npeers = %s\n", c.genesis, quoted)
	}
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(v.config(), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

// start runs the validator; it is stopped with the test.
func (v *validator) start(ctx context.Context) {
	v.t.Helper()
	v.running = startNode(ctx, v.t, v.name, v.config())
}

// kill is kill -9.
func (v *validator) kill() {
	v.t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	_ = v.cmd.Wait()
}

// startNode runs a configuration in a process of its own and waits until it is up.
func startNode(ctx context.Context, t *testing.T, name, config string) *running {
	t.Helper()
	c := command(ctx, t, "run", "--config", config, "--json")
	c.Stderr = &prefixed{t: t, prefix: name}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: c}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Signal(os.Interrupt)
			_ = c.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s did not come up: %v", name, err)
	}
	if err := json.Unmarshal(line, r); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return r
}

// says runs a command that must succeed and reads its JSON.
func (c *company) says(args ...string) (out map[string]any) {
	c.Helper()
	status, text, errText := inProcess(append(args, "--json")...)
	if status != 0 {
		c.Fatalf("%s: %s", strings.Join(args, " "), errText)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		c.Fatalf("%s: %v in %q", strings.Join(args, " "), err, text)
	}
	return out
}

// asks runs a command of somebody who has the genesis file and asks one validator alone.
func (c *company) asks(v *validator, args ...string) map[string]any {
	c.Helper()
	return c.says(append(args, "--data-dir", c.dir, "--genesis", c.genesis, "--peer", v.Addr[0], "--config", c.plain())...)
}

// plain is a configuration that names neither peers nor a ledger.
func (c *company) plain() string {
	path := filepath.Join(c.dir, "client.toml")
	if err := os.WriteFile(path, []byte("[p2p]\nprofile = \"loopback\"\nport = 0\n"), 0o600); err != nil {
		c.Fatal(err)
	}
	return path
}

// height is a validator's newest block; `ledger status` would wait for a second peer.
func (c *company) height(v *validator) uint64 {
	c.Helper()
	return uint64(c.asks(v, "ledger", "block")["height"].(float64))
}

// reaches waits until a validator proves a height.
func (c *company) reaches(v *validator, height uint64) {
	c.Helper()
	for now := c.height(v); now < height; now = c.height(v) {
		if c.ctx.Err() != nil {
			c.Fatalf("%s stays at block %d, does not reach %d", v.name, now, height)
		}
	}
}

// agree compares a block, and the root of the state before it, at all validators.
func (c *company) agree(height uint64) {
	c.Helper()
	var hash, root string
	for _, v := range c.all {
		b := c.asks(v, "ledger", "block", strconv.FormatUint(height, 10))
		h, r := b["hash"].(string), b["app_hash"].(string)
		if hash == "" {
			hash, root = h, r
		}
		if h != hash || r != root || len(r) != 64 {
			c.Errorf("block %d: %s has %s with the root %s, %s has %s with %s", height, v.name, h, r, c.all[0].name, hash, root)
		}
	}
}

// Four people make a network with the commands alone. It stands one crash, and the crash
// of all, and what was paid before stays paid.
func TestFourValidatorsByCommand(t *testing.T) {
	c := newCompany(t, 4)
	for _, v := range c.all {
		v.start(c.ctx)
		if v.Ledger != v.own {
			t.Errorf("%s says that it is reached at %q, `ledger keys` said %q", v.name, v.Ledger, v.own)
		}
	}
	c.reaches(c.all[0], 3)
	other := c.says("wallet", "create", "other", "--data-dir", c.dir)["address"].(string)
	paid := c.asks(c.all[0], "wallet", "send", "savings", other, "12.34567891", "--yes")
	if paid["included"] != true {
		t.Fatalf("%v", paid)
	}
	balance := func(v *validator) string {
		b := c.asks(v, "wallet", "balance", "other")
		return fmt.Sprint(b["free"])
	}
	at := uint64(paid["height"].(float64)) + 1
	c.reaches(c.all[3], at)
	c.agree(2)
	c.agree(at)

	// one goes without a word: three of four go on, and it catches up
	gone := c.all[3]
	gone.kill()
	before := c.height(c.all[0])
	c.reaches(c.all[0], before+5)
	gone.start(c.ctx)
	c.reaches(gone, before+5)
	c.agree(before + 5)

	// all go
	last := c.height(c.all[0])
	for _, v := range c.all {
		v.kill()
	}
	for _, v := range c.all {
		v.start(c.ctx)
	}
	for _, v := range c.all {
		c.reaches(v, last+3)
	}
	c.agree(last)
	c.agree(last + 3)
	for _, v := range c.all {
		if got := balance(v); got != "1234567891" {
			t.Errorf("%s: the account has %s", v.name, got)
		}
		mib := resident(t, v.cmd.Process.Pid)
		t.Logf("%s: %d MiB resident", v.name, mib)
		if mib > 225 { // half as much again as a validator should take
			t.Errorf("%s takes %d MiB", v.name, mib)
		}
	}
	if s := c.asks(c.all[2], "ledger", "supply"); s["supply_ok"] != true {
		t.Errorf("%v", s)
	}
}

// resident is how much memory a process has, in MiB; 0 where the kernel does not say.
func resident(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

// The same node follows the ledger for little more memory than it takes without.
func TestALightClientTakesLittleMemory(t *testing.T) {
	c := newCompany(t, 1)
	c.all[0].start(c.ctx)
	c.reaches(c.all[0], 3)
	var nodes [2]*running
	for i, ledger := range []string{"", c.genesis} {
		dir := filepath.Join(c.dir, fmt.Sprint("home", i))
		path := filepath.Join(dir, "framemesh.toml")
		text := fmt.Sprintf("network = \"company\"\ndata_dir = %q\nroles = [\"gateway\"]\n[p2p]\nprofile = \"loopback\"\nport = 0\nbootstrap = [%q]\n[gateway]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n[ledger]\nblock_ms = 200\ngenesis = %q\n", dir, c.all[0].Addr[0], ledger)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		nodes[i] = startNode(c.ctx, t, fmt.Sprint("home-", i), path)
	}
	follows := func(height uint64) {
		for {
			var at struct{ Height uint64 }
			get(t, nodes[1].URL+"api/ledger", &at)
			if at.Height >= height {
				return
			}
			if c.ctx.Err() != nil {
				t.Fatalf("the light client is at block %d", at.Height)
			}
			time.Sleep(50 * time.Millisecond) // it tells nobody
		}
	}
	more := 0
	for look := uint64(1); look <= 5; look++ { // a collector that gets no processor is late
		follows(20 * look)
		without, with := resident(t, nodes[0].cmd.Process.Pid), resident(t, nodes[1].cmd.Process.Pid)
		t.Logf("%d MiB without the ledger, %d MiB with it", without, with)
		if more = with - without; more <= 15 {
			return
		}
	}
	t.Errorf("the light client takes %d MiB", more)
}
