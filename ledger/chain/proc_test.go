package chain

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// childEnv makes the test binary one node of a network: JSON of a childPlan.
const childEnv = "FRAMEMESH_CHAIN_CHILD"

// childPlan is what a child process is told.
type childPlan struct {
	Dir, Genesis, Listen string
	Peers                []string
	Index                int
	Interval             time.Duration
	Evil                 string // what this validator does wrong, see evil_test.go
	Txs                  int    // of the pool; 0 = default
}

func TestMain(m *testing.M) {
	if raw := os.Getenv(childEnv); raw != "" {
		if err := child(raw); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// answer is one line of a child.
type answer struct {
	Height uint64 `json:",omitempty"`
	Hash   string `json:",omitempty"`
	Err    string `json:",omitempty"`
	Text   string `json:",omitempty"`
	Count  int    `json:",omitempty"`
}

// child runs a node and answers lines on its standard input until that ends.
func child(raw string) error {
	var p childPlan
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		return err
	}
	doc, err := genesis.Load(p.Genesis)
	if err != nil {
		return err
	}
	c := Config{Dir: p.Dir, Genesis: doc, Mode: Validator, Listen: p.Listen, Peers: p.Peers, NodeKey: seeded("node", p.Index),
		BlockInterval: p.Interval, ProposeTimeout: time.Second, MempoolTxs: p.Txs, Log: testLog(nil, p.Index), Kernel: noKernel{}, Matcher: noMatcher{}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n, err := startEvil(ctx, c, p.Evil)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		verb, arg, _ := strings.Cut(in.Text(), " ")
		if verb == "stop" {
			if err := n.Stop(ctx); err != nil {
				return err
			}
			return out.Encode(answer{})
		}
		a, err := n.reply(verb, arg)
		if err != nil {
			a.Err = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return in.Err()
}

// reply answers one line.
func (n *Chain) reply(verb, arg string) (answer, error) {
	switch verb {
	case "head":
		h := n.Head()
		return answer{Height: h.Height, Hash: hex.EncodeToString(h.Hash[:]), Count: h.Validators, Text: h.Warning}, n.Err()
	case "header": // hash of a block
		h, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return answer{}, err
		}
		b, err := n.lightBlock(h)
		if err != nil {
			return answer{}, err
		}
		return answer{Height: h, Hash: b.Header.Hash().String(), Text: b.Header.AppHash.String()}, nil
	case "submit":
		raw, err := hex.DecodeString(arg)
		if err != nil {
			return answer{}, err
		}
		hash, err := n.Submit(context.Background(), raw)
		return answer{Hash: hex.EncodeToString(hash[:])}, err
	case "nonce": // of an account, as committed; in Height
		raw, err := hex.DecodeString(arg)
		if err != nil || len(raw) != 32 {
			return answer{}, fmt.Errorf("no account: %w", err)
		}
		var a state.Account
		err = n.View(func(r state.Reader) (err error) { a, err = state.ReadAccount(r, key.Address(raw)); return err })
		return answer{Height: a.Nonce}, err
	case "tx":
		raw, err := hex.DecodeString(arg)
		if err != nil || len(raw) != 32 {
			return answer{}, fmt.Errorf("no hash: %w", err)
		}
		found, err := n.Tx([32]byte(raw))
		if err != nil {
			return answer{}, err
		}
		return answer{Height: found.Height}, nil
	}
	return answer{}, fmt.Errorf("what is %q", verb)
}

// proc is a node in a process of its own.
type proc struct {
	t    testing.TB
	plan childPlan
	env  []string

	mu  sync.Mutex // one question at a time
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// procs writes the genesis file down and prepares one process per validator.
func (n *network) procs(interval time.Duration) []*proc {
	n.t.Helper()
	raw, err := n.doc.Marshal()
	if err != nil {
		n.t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(n.dirs[0]), "genesis.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		n.t.Fatal(err)
	}
	out := make([]*proc, len(n.dirs))
	for i := range out {
		c := n.config(i)
		out[i] = &proc{t: n.t, plan: childPlan{Dir: c.Dir, Genesis: file, Listen: c.Listen, Peers: c.Peers, Index: i, Interval: interval}}
		n.t.Cleanup(out[i].kill)
	}
	return out
}

// start begins the process. The first answer comes once it runs.
func (p *proc) start() {
	p.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := json.Marshal(p.plan)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = append(append(os.Environ(), childEnv+"="+string(raw), "GOMAXPROCS=2"), p.env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.in, p.out = cmd, in, bufio.NewScanner(out)
}

var errGone = errors.New("the process is gone")

// ask says one line and returns the answer. errGone when there is no process to answer.
func (p *proc) ask(format string, args ...any) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return answer{}, errGone
	}
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		return answer{}, errGone
	}
	if !p.out.Scan() {
		return answer{}, errGone
	}
	var a answer
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		return a, err
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

// kill is kill -9; it may be called for a process that is not there.
func (p *proc) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reap()
}

func (p *proc) reap() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// strike kills without waiting for a question that is being answered.
func (p *proc) strike() { _ = p.cmd.Process.Kill() }

// memory is a line of what the process takes of the machine's memory, in the kernel's words
// ("VmRSS" is all of it); "" where the kernel does not say.
func (p *proc) memory(line string) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(raw), line+":")
	rss, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(rss)
}

// height of the newest block; 0 when there is no answer.
func (p *proc) height() uint64 {
	a, err := p.ask("head")
	if err != nil {
		return 0
	}
	return a.Height
}

func (p *proc) awaitHeight(h uint64) {
	p.t.Helper()
	awaitPoll(p.t, fmt.Sprintf("validator %d at height %d", p.plan.Index, h), func() bool { return p.height() >= h })
}

// header is the hash of a block.
func (p *proc) header(h uint64) string {
	p.t.Helper()
	a, err := p.ask("header %d", h)
	if err != nil {
		p.t.Fatalf("validator %d, block %d: %v", p.plan.Index, h, err)
	}
	return a.Hash
}

// sameBlocks compares all blocks up to h.
func sameBlocks(t testing.TB, all []*proc, h uint64) {
	t.Helper()
	for ; h > 0; h-- {
		want := all[0].header(h)
		for _, p := range all[1:] {
			if got := p.header(h); got != want {
				t.Fatalf("block %d: validator %d has %s, validator %d has %s", h, p.plan.Index, got, all[0].plan.Index, want)
			}
		}
	}
}
