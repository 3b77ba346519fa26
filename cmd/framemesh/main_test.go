package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asBinary makes the test binary behave as framemesh, so that tests run the real
// command line in real processes, workers included.
const asBinary = "FRAMEMESH_TEST_BINARY"

func TestMain(m *testing.M) {
	lookFor, stopTimeout, examineFor = patience, patience, patience
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(work(os.Args[2:]))
	}
	if os.Getenv(asBinary) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// patience is for how long a test waits for what has to happen: a machine may be slow, and stand
// still for seconds. What takes this long does not happen.
const patience = 2 * time.Minute

// command is a framemesh process of this test.
func command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), asBinary+"=1", "XDG_CACHE_HOME="+filepath.Join(os.TempDir(), "framemesh-test-cache"))
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = patience // more than it takes to end well
	return c
}

// inProcess runs a command line here and returns its status and output.
func inProcess(args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = run(args, &o, &e)
	return status, o.String(), e.String()
}

// demoReport is what `demo --for … --json` prints.
type demoReport struct {
	Nodes       int                `json:"nodes"`
	Connections int                `json:"connections"`
	App         string             `json:"app"`
	Container   string             `json:"container"`
	Certificate bool               `json:"certificate_verified"`
	Answer      bool               `json:"answer_verified"`
	LaunchMS    map[string]float64 `json:"launch_ms"`
	Frames      int                `json:"frames"`
	FPS         float64            `json:"fps"`
	Audio       int                `json:"audio_packets"`
	Sent        int                `json:"inputs_sent"`
	Acked       int                `json:"inputs_acked"`
	Kbps        float64            `json:"bitrate_kbps"`
	Ledger      json.RawMessage    `json:"ledger"`
	Errors      []string           `json:"errors"`
}

// playByItself runs a demo that plays and returns its only word on standard output.
func playByItself(t *testing.T, args ...string) (r demoReport) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := command(ctx, t, append([]string{"demo", "--json", "--listen", "127.0.0.1:0"}, args...)...)
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	ran := c.Run()
	d := json.NewDecoder(&out)
	if err := d.Decode(&r); err != nil {
		t.Fatalf("not one JSON object: %v; %v\n%s", err, ran, errOut.String())
	}
	if (ran == nil) != (len(r.Errors) == 0) {
		t.Errorf("it ended with %v, and its report has the errors %q", ran, r.Errors)
	}
	if d.More() {
		t.Fatal("more than one JSON object on standard output")
	}
	if left := leftovers(t); left != "" {
		t.Errorf("worker processes outlived the demo:\n%s", left)
	}
	return r
}

func TestDemoPlaysByItself(t *testing.T) {
	r := playByItself(t, "--for", "8s", "--epoch", "5s") // so that an epoch ends meanwhile
	// On a machine that is very busy, nothing may get done in 8 s.
	if len(r.Errors) > 0 && r.Frames < 100 {
		t.Logf("once more: %q after %d pictures", r.Errors, r.Frames)
		r = playByItself(t, "--for", "30s", "--epoch", "5s")
	}
	if r.Nodes != 11 || r.Connections < 8 || r.App == "" || r.Container == "" || !r.Certificate || !r.Answer || len(r.Errors) != 0 {
		t.Errorf("%+v", r)
	}
	if r.Frames < 10 || r.FPS <= 0 || r.Audio < 10 || r.Sent == 0 || r.Acked == 0 || r.Kbps <= 0 {
		t.Errorf("nothing was played: %+v", r)
	}
	for _, k := range []string{"match", "reserve", "signal", "connect", "first_frame", "total"} {
		if _, ok := r.LaunchMS[k]; !ok {
			t.Errorf("launch_ms lacks %s", k)
		}
	}
	if r.Ledger == nil {
		t.Fatal("nothing is said of the ledger")
	}
	addsUp(t, r.Ledger)
}

// addsUp checks what a demo says of its ledger, to the base unit, from the text alone.
func addsUp(t *testing.T, raw []byte) {
	t.Helper()
	var said map[string]any
	if err := json.Unmarshal(raw, &said); err != nil {
		t.Fatal(err)
	}
	unit := func(name string) *big.Int { // amounts are strings: JSON numbers end at 2^53
		text, _ := said[name].(string)
		v, ok := new(big.Int).SetString(text, 10)
		if !ok || v.Sign() < 0 || v.String() != text {
			t.Fatalf("ledger.%s is %v, no amount in base units", name, said[name])
		}
		return v
	}
	count := func(name string) int64 {
		v, ok := said[name].(float64)
		if !ok || v != float64(int64(v)) {
			t.Fatalf("ledger.%s is %v, no number", name, said[name])
		}
		return int64(v)
	}
	sum := func(of ...string) *big.Int {
		all := new(big.Int)
		for _, name := range of {
			all.Add(all, unit(name))
		}
		return all
	}
	for whole, parts := range map[string][]string{
		"escrow": {"gross", "refund"}, "gross": {"paid_to_container", "fee"}, "fee": {"fee_dao", "fee_indexers", "burned"},
	} {
		if got := sum(parts...); got.Cmp(unit(whole)) != 0 {
			t.Errorf("ledger.%s is %s, its parts %v make %s", whole, unit(whole), parts, got)
		}
	}
	seconds := count("seconds")
	if seconds < 1 || seconds > 60 || new(big.Int).Mul(big.NewInt(seconds), unit("per_second")).Cmp(unit("gross")) != 0 {
		t.Errorf("%d seconds at %s are not %s", seconds, unit("per_second"), unit("gross"))
	}
	for _, name := range []string{"escrow", "per_second", "paid_to_container", "fee", "fee_dao", "burned", "refund"} {
		if unit(name).Sign() == 0 {
			t.Errorf("ledger.%s is nothing", name)
		}
	}
	// a fifth of the price is the fee, rounded down
	if fifth := new(big.Int).Div(unit("gross"), big.NewInt(5)); fifth.Cmp(unit("fee")) != 0 {
		t.Errorf("the fee of %s is %s, not %s", unit("gross"), unit("fee"), fifth)
	}
	if ok, _ := said["supply_ok"].(bool); !ok {
		t.Error("the purses do not make the supply")
	}
	if hash, _ := said["app_hash"].(string); len(hash) != 64 || strings.Trim(hash, "0") == "" {
		t.Errorf("app_hash %q", said["app_hash"])
	}
	if count("height") < 2 || count("validators") != 1 || count("epoch") < 1 {
		t.Errorf("height %v, validators %v, epoch %v", said["height"], said["validators"], said["epoch"])
	}
}

func TestAFreeDemoHasNoLedger(t *testing.T) {
	r := playByItself(t, "--for", "1s", "--free", "--containers", "1", "--indexers", "1", "--checkers", "0")
	if r.Ledger != nil || len(r.Errors) != 0 || r.Frames == 0 {
		t.Errorf("%+v", r)
	}
}

// leftovers lists worker processes of this test's binary whose parent is gone, once those that
// end have had their time.
func leftovers(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := orphans(self)
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n")
		}
	}
}

// orphans are the worker processes of a binary whose parent is no process of that binary.
func orphans(binary string) (left []string) {
	procs, _ := filepath.Glob("/proc/[0-9]*") // none where there is no such folder
	of := func(dir string) string { exe, _ := os.Readlink(filepath.Join(dir, "exe")); return exe }
	for _, dir := range procs {
		b, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if argv := strings.Split(string(b), "\x00"); err != nil || len(argv) < 2 || argv[1] != "worker" || of(dir) != binary {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		_, rest, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest)
		if err != nil || len(f) < 2 || f[0] == "Z" {
			continue // it has just ended
		}
		if of(filepath.Join("/proc", f[1])) != binary {
			left = append(left, dir)
		}
	}
	return left
}

func TestErrorsEndInWhatToTry(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("network = \"main\"\nprize = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	junk := filepath.Join(dir, "junk.bin")
	if err := os.WriteFile(junk, bytes.Repeat([]byte("junk"), 300), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no config":        {[]string{"run", "--config", filepath.Join(dir, "none.toml")}, "framemesh init"},
		"unknown key":      {[]string{"run", "--config", bad}, ":2: unknown key"},
		"certificate":      {[]string{"match", "verify", junk}, "match"},
		"no certificate":   {[]string{"match", "verify", filepath.Join(dir, "none")}, "no such file"},
		"not a module":     {[]string{"apps", "add", junk, "--data-dir", dir, "--name", "junk"}, "WebAssembly"},
		"unknown app":      {[]string{"apps", "remove", "nothing-here", "--data-dir", dir}, "apps list"},
		"unknown command":  {[]string{"frobnicate"}, "has no command"},
		"config is there":  {[]string{"init", "--config", bad}, "another name with --config"},
		"bad duration":     {[]string{"demo", "--for", "soon"}, "invalid"},
		"too many peers":   {[]string{"demo", "--containers", "1000"}, "--containers"},
		"unknown demo app": {[]string{"demo", "--for", "1s", "--app", "no-such-game", "--listen", "127.0.0.1:0"}, "no-such-game"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, errOut := inProcess(tc.args...)
			if status == 0 || !strings.Contains(errOut, tc.want) {
				t.Fatalf("status %d, said %q, want %q", status, errOut, tc.want)
			}
			if strings.Contains(errOut, "goroutine ") {
				t.Fatal("a panic reached the user")
			}
		})
	}
	if b, _ := os.ReadFile(bad); string(b) != "network = \"main\"\nprize = 1\n" {
		t.Fatal("the refused file was changed")
	}
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	root := newRoot()
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "completion" || c.Name() == "help" || c.Name() == "version" {
			continue
		}
		if c.Short == "" || (c.Example == "" && !c.HasSubCommands()) {
			t.Errorf("%s has no example in its help", c.CommandPath())
		}
		for _, s := range c.Commands() {
			if s.Short == "" || s.Example == "" {
				t.Errorf("%s has no example in its help", s.CommandPath())
			}
		}
	}
}

func TestVersionAndInitPrint(t *testing.T) {
	status, out, _ := inProcess("version", "--json")
	var v versionInfo
	if status != 0 || json.Unmarshal([]byte(out), &v) != nil || v.Version == "" {
		t.Fatalf("%d %q", status, out)
	}
	status, out, _ = inProcess("init", "--print")
	if status != 0 || !strings.Contains(out, "[container]") {
		t.Fatalf("%d %q", status, out)
	}
	path := filepath.Join(t.TempDir(), "framemesh.toml")
	if status, _, e := inProcess("init", "--config", path); status != 0 {
		t.Fatal(e)
	}
	if st, err := os.Stat(path); err != nil || st.Size() == 0 {
		t.Fatal(err)
	}
}
