package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/stream/player"
)

// runDemoIn starts a demo in a process of its own and waits for its URL.
func runDemoIn(ctx context.Context, t *testing.T, dir string, args ...string) (url string) {
	t.Helper()
	c := command(ctx, t, append([]string{"demo", "--json", "--dir", dir, "--listen", "127.0.0.1:0"}, args...)...)
	c.Stderr = &prefixed{t: t, prefix: "demo"}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		if err := c.Wait(); err != nil {
			t.Errorf("the demo did not end well: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the demo did not come up: %v", err)
	}
	var ready struct{ URL string }
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return ready.URL
}

// A cart is added to one container of a demo, played through the mesh, and the
// certificate of its match is checked by the command line.
func TestAnAddedCartPlaysAndItsMatchIsVerified(t *testing.T) {
	// the test's own context ends before its cleanups, in which the demo is to end well
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	t.Cleanup(cancel)
	dir := t.TempDir()
	status, out, errOut := inProcess("apps", "add", filepath.Join(modules, "ball.wasm"), "--data-dir", filepath.Join(dir, "container-1"), "--json")
	var cart appRow
	if err := json.Unmarshal([]byte(out), &cart); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	url := runDemoIn(ctx, t, dir, "--free", "--containers", "1", "--indexers", "1", "--checkers", "0", "--slots", "1")

	p := plays(ctx, t, player.Options{URL: url + "whep/ball", RandomInput: true})
	for r := p.Report(); r.Decodable < 60 || r.InputsAcked == 0; r = p.Report() {
		if ctx.Err() != nil || r.Bye != nil {
			t.Fatalf("the cart does not play: %+v", r)
		}
		time.Sleep(20 * time.Millisecond) // the player has nothing to be told by
	}
	header := p.Header().Get("Framemesh-Certificate")
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}

	cert := filepath.Join(dir, "match.b64")
	for _, text := range []string{header, "Framemesh-Certificate: " + header + "\r\n"} {
		if err := os.WriteFile(cert, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, errOut := inProcess("match", "verify", "--json", cert)
		var v verified
		if err := json.Unmarshal([]byte(out), &v); status != 0 || err != nil {
			t.Fatalf("status %d, %v: %s %s", status, err, out, errOut)
		}
		if !v.Valid || v.Network != "demo" || v.App != cart.ID || len(v.Top) != 1 || v.Candidates != 1 {
			t.Errorf("%+v", v)
		}
	}
	if status, out, errOut := inProcess("match", "verify", cert); status != 0 || !strings.Contains(out, "valid") {
		t.Errorf("status %d: %s %s", status, out, errOut)
	}
	if status, _, errOut := inProcess("match", "verify", "--network", "main", cert); status != 1 || !strings.Contains(errOut, "network main") {
		t.Errorf("on another network: status %d, %q", status, errOut)
	}

	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += 7 {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		if err := os.WriteFile(cert, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if status, out, errOut := inProcess("match", "verify", cert); status != 1 || out != "" || !strings.Contains(errOut, "NOT VALID") || !strings.Contains(errOut, "try:") {
			t.Fatalf("with byte %d changed: status %d, %q, %q", i, status, out, errOut)
		}
	}
}

func TestDoctorSaysTheSameToPeopleAndMachines(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	dir := t.TempDir()
	cfg := filepath.Join(dir, "framemesh.toml")
	text := "data_dir = \"" + filepath.Join(dir, "data") + "\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n[p2p]\nport = 0\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := command(ctx, t, "doctor", "--json", "--config", cfg).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var r struct {
		OK       bool      `json:"ok"`
		Findings []finding `json:"findings"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seen := map[string]string{}
	for _, f := range r.Findings {
		seen[f.Check] = f.State
		if f.Text == "" || (f.State != "ok" && f.Try == "") {
			t.Errorf("%+v says too little", f)
		}
	}
	want := map[string]string{"configuration": "ok", "video encoder openh264": "ok", "audio encoder": "ok", "worker process": "ok",
		"slots": "ok", "key and data directory": "note", "page port": "ok", "clock": "ok"}
	for check, state := range want {
		if seen[check] != state {
			t.Errorf("%s is %q, want %q", check, seen[check], state)
		}
	}
	if !r.OK {
		t.Errorf("not ok: %+v", r.Findings)
	}

	// a configuration that is wrong is bad, and everything else is still looked at
	if err := os.WriteFile(cfg, []byte("network = \"UPPER\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = command(ctx, t, "doctor", "--json", "--config", cfg).Output()
	if err == nil {
		t.Error("a wrong configuration leaves doctor content")
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if r.OK || len(r.Findings) < len(want) || r.Findings[0].State != "bad" || !strings.Contains(r.Findings[0].Text, "network") {
		t.Errorf("%+v", r)
	}
}

func TestBenchJSON(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	out, err := command(ctx, t, "bench", "--json").Output()
	var r benchReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err != nil || r.Slots < 1 || r.Encoder == "" || r.EncodeMS <= 0 || len(r.Devices) == 0 {
		t.Errorf("%v %+v", err, r)
	}
	if len(r.Points) != 2 || r.Points[0].Backend != "go" || r.Points[0].MilliRP == 0 || r.Points[1].Backend != "webgpu" || r.Reference != 10_000_000 {
		t.Errorf("render points: %+v", r.Points)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if status, out, errOut := inProcess("completion", shell); status != 0 || !strings.Contains(out, "framemesh") {
			t.Errorf("%s: status %d, %s", shell, status, errOut)
		}
	}
	dir := t.TempDir()
	if status, _, errOut := inProcess("apps", "add", filepath.Join(modules, "ball.wasm"), "--data-dir", dir); status != 0 {
		t.Fatal(errOut)
	}
	for _, tc := range []struct {
		line []string
		want string
	}{
		{[]string{"de"}, "demo"},
		{[]string{"apps", ""}, "remove"},
		{[]string{"demo", "--lis"}, "--listen"},
		{[]string{"demo", "--log", ""}, "debug"},
		{[]string{"apps", "remove", "--data-dir", dir, ""}, "ball"},
	} {
		status, out, _ := inProcess(append([]string{"__complete"}, tc.line...)...)
		if status != 0 || !strings.Contains(out, tc.want) {
			t.Errorf("%q gives %q, want %s", tc.line, out, tc.want)
		}
	}
	if _, out, _ := inProcess("__complete", "apps", "remove", "--data-dir", dir, ""); strings.Contains(out, "latency") {
		t.Error("remove offers a game that cannot be removed")
	}
}

func TestWrongCommandLinesSayWhatToTry(t *testing.T) {
	for line, want := range map[string]string{
		"rnu": "framemesh run", "apps lst": "framemesh apps list", "match frob": "--help", "demo --frob": "--help", "demo extra": "--help",
		"apps add": "MODULE.wasm", "apps add a b": "one call for each", "match verify": "FILE", "demo --for -1s": "--for 20s",
		"demo --for 1s --containers 0": "--containers 1", "demo --indexers 0": "--indexers 1", "demo --app latency": "--for",
		"demo --encoder frob": "openh264", "demo --log frob": "debug", "demo --listen frob": "127.0.0.1:8080", "demo --slots -1": "256",
	} {
		status, out, errOut := inProcess(strings.Fields(line)...)
		_, try, ok := strings.Cut(errOut, "\n  try: ")
		if status != 1 || out != "" || !ok || !strings.Contains(try, want) {
			t.Errorf("%q: status %d, %q, %q; want %q", line, status, out, errOut, want)
		}
	}
}
