package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fails runs a node that must not start, and returns what it says.
func (v *validator) fails(ctx context.Context) string {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := command(ctx, v.t, "run", "--config", v.config(), "--json")
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	err := c.Run()
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 1 || out.Len() > 0 {
		v.t.Fatalf("it ended with %v and printed %q: %s", err, out.String(), said.String())
	}
	text := said.String()
	if strings.Contains(text, "goroutine ") {
		v.t.Fatalf("a panic reached the user: %s", text)
	}
	return text
}

// edit changes the configuration.
func (v *validator) edit(old, new string) {
	v.t.Helper()
	b, err := os.ReadFile(v.config())
	if err != nil {
		v.t.Fatal(err)
	}
	changed := strings.Replace(string(b), old, new, 1)
	if changed == string(b) {
		v.t.Fatalf("%q is not in %s", old, b)
	}
	if err := os.WriteFile(v.config(), []byte(changed), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// stop ends the node as Ctrl-C does.
func (v *validator) stop() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(os.Interrupt); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		v.t.Errorf("%s did not end well: %v", v.name, err)
	}
}

// Whatever is wrong with what a validator is given is said in words with what to try, and
// what it had is still there afterwards.
func TestAValidatorSaysWhatIsWrong(t *testing.T) {
	c := newCompany(t, 1)
	v := c.all[0]
	v.start(c.ctx)
	c.reaches(v, 3)
	kept := c.asks(v, "ledger", "block", "2")["hash"]
	v.stop()
	good, err := os.ReadFile(v.config())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(c.genesis)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, change func(string) string) string {
		path := filepath.Join(c.dir, name)
		text := change(string(raw))
		if text == string(raw) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := func(path string) func() { return func() { v.edit(c.genesis, path) } }
	for _, bad := range []struct {
		name  string
		spoil func()
		want  []string
	}{
		{"the genesis does not sum", at(file("short.json", func(s string) string {
			return strings.Replace(s, `"amount":"100000000000"`, `"amount":"100000000001"`, 1)
		})), []string{"1 base units", "too much", "lower a pool"}},
		{"the genesis is of another network", func() { v.edit(`"company"`, `"other"`) }, []string{`"company"`, `"other"`, "get the file of this network"}},
		{"no genesis file", at(filepath.Join(c.dir, "none.json")), []string{"none.json", "no such file", "ledger.genesis", "get the file"}},
		{"the data are of another network", at(file("later.json", func(s string) string { return strings.Replace(s, `"epoch_seconds":5`, `"epoch_seconds":6`, 1) })), []string{"another genesis", v.dir}},
		{"the port is taken", func() { v.edit(v.listen, taken.Addr().String()) }, []string{taken.Addr().String(), "another port"}},
	} {
		bad.spoil()
		said := v.fails(c.ctx)
		t.Logf("%s:\n%s", bad.name, said)
		for _, w := range bad.want {
			if !strings.Contains(said, w) {
				t.Errorf("%s: it says %q, not %q", bad.name, said, w)
			}
		}
		if err := os.WriteFile(v.config(), good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v.start(c.ctx)
	c.reaches(v, 5)
	if now := c.asks(v, "ledger", "block", "2")["hash"]; now != kept {
		t.Errorf("block 2 was %v and is %v", kept, now)
	}
}

// A network that begins later is waited for.
func TestAValidatorWaitsForTheNetworkToBegin(t *testing.T) {
	c := newCompany(t, 1)
	v := c.all[0]
	later := filepath.Join(c.dir, "later.json")
	entry := filepath.Join(v.dir, "entry.json")
	c.says("ledger", "genesis", "build", "--chain", "company", "--out", later, "--node", entry, "--time", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	v.edit(c.genesis, later)
	run := command(c.ctx, t, "run", "--config", v.config())
	out, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "waiting") {
			if err := run.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := run.Wait(); err == nil {
		t.Error("it says that all is well")
	}
	for _, w := range []string{"begins at", "waiting", "clock", "has not begun", "try: again at"} {
		if !strings.Contains(said, w) {
			t.Errorf("it says %q, not %q", said, w)
		}
	}
}
