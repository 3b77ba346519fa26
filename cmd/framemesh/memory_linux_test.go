package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node"
)

// memoryMiB is what a validator takes of the machine at most, what files hold not counted:
// the system takes those pages back when it needs them.
const memoryMiB = 150

// memoryEnv names how many accounts there are, how many transfers a second and for how many
// seconds, in place of the small numbers of every test run: FRAMEMESH_MEMORY=100000,500,60
// takes some minutes and only says what was measured.
const memoryEnv = "FRAMEMESH_MEMORY"

// A validator keeps to its memory while transfers between random accounts come steadily. It
// is a process of its own with all that belongs to one; a full node brings it the transfers.
// It deletes a state with each block and makes a snapshot every 50.
func TestAValidatorKeepsToItsMemory(t *testing.T) {
	accounts, rate, seconds, env := 300, 100, 3, os.Getenv(memoryEnv)
	if env != "" {
		if _, err := fmt.Sscanf(env, "%d,%d,%d", &accounts, &rate, &seconds); err != nil || accounts < 2 || rate < 1 || seconds < 1 {
			t.Fatalf("%s=%q: write accounts,transfers a second,seconds: %v", memoryEnv, env, err)
		}
	}
	l := newLoad(t, accounts)
	l.v.start(l.c.ctx) // anew, with empty caches
	l.awaitBlocks(3)
	if limit := l.v.metric("go_gc_gomemlimit_bytes"); limit != 110<<20 {
		t.Errorf("the collector is told to keep to %.0f bytes; want %d", limit, 110<<20)
	}
	m := l.measure(rate, seconds)
	t.Logf("%d accounts, %d blocks: at most %.0f MiB of its own, %.0f MiB of files, %.0f MiB in all; CPU-ms a block %.1f, CPU-µs a transfer %.0f; %.1f s behind",
		accounts, m.blocks, m.own, m.files, m.all, m.cpu.Seconds()*1e3/float64(m.blocks), m.cpu.Seconds()*1e6/float64(rate*seconds), m.behind.Seconds())
	if m.own == 0 || m.own > memoryMiB && env == "" {
		t.Errorf("it takes %.0f MiB of its own; at most %d", m.own, memoryMiB)
	}
}

// load is a network of one validator and a full node that brings it transfers.
type load struct {
	*testing.T
	c      *company
	v      measuredValidator
	full   *node.Node
	keys   []ed25519.PrivateKey
	nonces []uint64
	draw   *rand.Rand
}

// newLoad makes so many accounts, as many as fit by the genesis file and the others by
// transfers, and stops the validator.
func newLoad(t *testing.T, accounts int) *load {
	t.Helper()
	l := &load{T: t, draw: rand.New(rand.NewPCG(1, 2)), nonces: make([]uint64, accounts)}
	var first []string
	for i := range accounts {
		seed := sha256.Sum256(fmt.Appendf(nil, "load/%d", i))
		l.keys = append(l.keys, ed25519.NewKeyFromSeed(seed[:]))
		if i < genesis.MaxAccounts-100 {
			first = append(first, "--account", l.address(i).String()+"=10")
		}
	}
	l.c = newCompany(t, 1, first...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	t.Cleanup(cancel)
	l.c.ctx, l.v.validator = ctx, l.c.all[0]
	l.v.debug = freePort(t)
	l.v.adds("keep_states = 50\nsnapshots = 50\n", "[debug]\nlisten = \""+l.v.debug+"\"\n")
	l.v.start(ctx)

	cfg := node.DefaultConfig()
	cfg.Network, cfg.DataDir, cfg.Roles = "company", filepath.Join(l.c.dir, "full"), []node.Role{node.RoleChecker}
	cfg.P2P.Profile, cfg.P2P.Port = "loopback", 0
	cfg.Ledger.Mode, cfg.Ledger.Genesis, cfg.Ledger.Peers = node.LedgerFull, l.c.genesis, []string{l.v.own}
	cfg.Ledger.KeepStates, cfg.Ledger.Snapshots, cfg.Proof.Enabled = 50, 0, false
	var err error
	if l.full, err = node.New(cfg, node.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := l.full.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.full.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	l.awaitBlocks(2)
	if named := len(first) / 2; named < accounts {
		l.spread(named)
	}
	l.v.end()
	return l
}

// measuredValidator tells its metrics at an address.
type measuredValidator struct {
	*validator
	debug string
}

// adds puts lines into the section of the ledger, and sections behind all.
func (v *measuredValidator) adds(ledger, sections string) {
	v.t.Helper()
	raw, err := os.ReadFile(v.config())
	if err == nil {
		err = os.WriteFile(v.config(), []byte(strings.Replace(string(raw), "[ledger]\n", "[ledger]\n"+ledger, 1)+sections), 0o600)
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// metric is the value of one that has no labels.
func (v *measuredValidator) metric(name string) float64 {
	v.t.Helper()
	r, err := http.Get("http://" + v.debug + "/metrics")
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(body), "\n"+name+" ")
	line, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(line, 64)
	if err != nil {
		v.t.Fatalf("%s: %v", name, err)
	}
	return value
}

// end stops the process as Ctrl-C does.
func (v *measuredValidator) end() {
	v.t.Helper()
	if err := errors.Join(v.cmd.Process.Signal(os.Interrupt), v.cmd.Wait()); err != nil {
		v.t.Fatal(err)
	}
}

// spread gives the accounts from from on their first money, each of those before some.
func (l *load) spread(from int) {
	var payers sync.WaitGroup
	for p := range min(from, 400) {
		payers.Go(func() {
			for to := from + p; to < len(l.keys); to += 400 {
				l.pay(p, to, 1_000_000)
			}
		})
	}
	payers.Wait()
	l.awaitBlocks(2)
}

func (l *load) address(i int) (a key.Address) {
	copy(a[:], l.keys[i].Public().(ed25519.PublicKey))
	return a
}

// pay submits one transfer, again while the node is busy.
func (l *load) pay(from, to int, units uint64) {
	l.Helper()
	a := l.address(to)
	raw, err := tx.Sign("company", l.keys[from], &tx.Body{Nonce: l.nonces[from], Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: a[:], Amount: units}}})
	l.nonces[from]++
	for err == nil {
		if _, err = l.full.Chain().Submit(l.c.ctx, raw); err == nil {
			return
		}
		if errors.Is(err, chain.ErrBusy) || strings.Contains(err.Error(), "wait for the next block") {
			time.Sleep(20 * time.Millisecond) // as the answer asks
			err = nil
		}
	}
	l.Errorf("a transfer from %d: %v", from, err)
}

// awaitBlocks waits until the full node has n more blocks.
func (l *load) awaitBlocks(n uint64) {
	l.Helper()
	heads := make(chan chain.Head, 1)
	cancel := l.full.Chain().Follow(func(h chain.Head) {
		select {
		case heads <- h:
		default:
		}
	})
	defer cancel()
	for until := l.full.Chain().Head().Height + n; ; {
		select {
		case h := <-heads:
			if h.Height >= until {
				return
			}
		case <-l.c.ctx.Done():
			l.Fatal("no more blocks come")
		}
	}
}

// taken is what the validator took, in MiB the most at any time.
type taken struct {
	own, files, all float64
	cpu             time.Duration
	blocks          uint64
	behind          time.Duration // how much longer it took than was planned
}

func (l *load) measure(rate, seconds int) (m taken) {
	pid := l.v.cmd.Process.Pid
	done := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			own, files := mebibytes(l.T, pid, "RssAnon"), mebibytes(l.T, pid, "RssFile")
			m.own, m.files, m.all = max(m.own, own), max(m.files, files), max(m.all, own+files)
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	used, height, at := processorTime(l.T, pid), l.full.Chain().Head().Height, time.Now()
	for i := range rate * seconds {
		from := l.draw.IntN(len(l.keys))
		l.pay(from, (from+1+l.draw.IntN(len(l.keys)-1))%len(l.keys), 1)
		time.Sleep(time.Until(at.Add(time.Duration(i) * time.Second / time.Duration(rate))))
	}
	m.behind = time.Since(at) - time.Duration(seconds)*time.Second
	l.awaitBlocks(1)
	m.cpu, m.blocks = processorTime(l.T, pid)-used, l.full.Chain().Head().Height-height
	close(done)
	looking.Wait()
	return m
}

// mebibytes is a line of what a process takes of the machine's memory.
func mebibytes(t *testing.T, pid int, line string) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(raw), line+":")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, parsing := strconv.ParseFloat(kib, 64)
	if err := errors.Join(err, parsing); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return n / 1024
}

// processorTime is what a process has used of all cores.
func processorTime(t *testing.T, pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(raw), ") ")
	var user, system int
	if f := strings.Fields(rest); len(f) > 12 {
		_, scanning := fmt.Sscan(f[11]+" "+f[12], &user, &system)
		err = errors.Join(err, scanning)
	}
	if err != nil {
		t.Error(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
