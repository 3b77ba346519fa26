package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(work(os.Args[2:]))
	}
	if os.Getenv(asBinary) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// command is a framemesh process of this test.
func command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), asBinary+"=1", "XDG_CACHE_HOME="+filepath.Join(os.TempDir(), "framemesh-test-cache"))
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 15 * time.Second
	return c
}

// inProcess runs a command line here and returns its status and output.
func inProcess(args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = run(args, &o, &e)
	return status, o.String(), e.String()
}

func TestDemoPlaysByItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := command(ctx, t, "demo", "--for", "5s", "--json", "--listen", "127.0.0.1:0")
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), errOut.String())
	}
	var r struct {
		Nodes       int    `json:"nodes"`
		Connections int    `json:"connections"`
		App         string `json:"app"`
		Container   string `json:"container"`
		Certificate bool   `json:"certificate_verified"`
		Answer      bool   `json:"answer_verified"`
		Launch      map[string]float64
		LaunchMS    map[string]float64 `json:"launch_ms"`
		Frames      int                `json:"frames"`
		FPS         float64            `json:"fps"`
		Audio       int                `json:"audio_packets"`
		Sent        int                `json:"inputs_sent"`
		Acked       int                `json:"inputs_acked"`
		Kbps        float64            `json:"bitrate_kbps"`
		Errors      []string           `json:"errors"`
	}
	d := json.NewDecoder(&out)
	if err := d.Decode(&r); err != nil {
		t.Fatalf("not one JSON object: %v", err)
	}
	if d.More() {
		t.Fatal("more than one JSON object on standard output")
	}
	if r.Nodes != 8 || r.Connections < 8 || r.App == "" || r.Container == "" || !r.Certificate || !r.Answer || len(r.Errors) != 0 {
		t.Errorf("%+v", r)
	}
	if r.Frames < 50 || r.FPS < 10 || r.Audio < 50 || r.Sent == 0 || r.Acked == 0 || r.Kbps <= 0 {
		t.Errorf("nothing was played: %+v", r)
	}
	for _, k := range []string{"match", "reserve", "signal", "connect", "first_frame", "total"} {
		if _, ok := r.LaunchMS[k]; !ok {
			t.Errorf("launch_ms lacks %s", k)
		}
	}
	if left := leftovers(t); left != "" {
		t.Errorf("worker processes outlived the demo:\n%s", left)
	}
}

// leftovers lists worker processes whose parent is gone.
func leftovers(t *testing.T) string {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(procs) == 0 {
		return ""
	}
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		var left []string
		for _, p := range procs {
			b, err := os.ReadFile(p)
			if err != nil {
				continue
			}
			argv := strings.Split(string(b), "\x00")
			exe, _ := os.Readlink(filepath.Join(filepath.Dir(p), "exe"))
			if len(argv) > 1 && argv[1] == "worker" && exe == self {
				left = append(left, p)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n")
		}
		time.Sleep(50 * time.Millisecond)
	}
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
