package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app/store"
)

const modules = "../../gpu/app/testdata"

// wasm builds a module by hand that imports WASM-4's memory and exports update with
// the given body.
func wasm(t *testing.T, body ...byte) string {
	t.Helper()
	code := []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // type 0: () -> ()
		"\x02\x0f\x01\x03env\x06memory\x02\x00\x01" +
		"\x03\x02\x01\x00" + // function 0 is of type 0
		"\x07\x0a\x01\x06update\x00\x00")
	fn := append([]byte{0}, append(body, 0x0b)...) // no locals, body, end
	code = append(code, 0x0a, byte(2+len(fn)), 1, byte(len(fn)))
	path := filepath.Join(t.TempDir(), "bad.wasm")
	if err := os.WriteFile(path, append(code, fn...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type listed struct {
	Apps     []appRow
	Problems []string
}

func listApps(t *testing.T, dir string) listed {
	t.Helper()
	status, out, errOut := inProcess("apps", "list", "--json", "--data-dir", dir)
	var l listed
	if err := json.Unmarshal([]byte(out), &l); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	return l
}

func TestAppsAreAddedListedAndRemoved(t *testing.T) {
	dir := t.TempDir()
	before := len(listApps(t, dir).Apps)
	if before == 0 {
		t.Fatal("no game comes with the program")
	}
	status, out, errOut := inProcess("apps", "add", filepath.Join(modules, "ball.wasm"), "--data-dir", dir, "--json", "--title", "A ball")
	var added appRow
	if err := json.Unmarshal([]byte(out), &added); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	if added.Name != "ball" || added.Title != "A ball" || added.Builtin || len(added.ID) != 64 {
		t.Errorf("added %+v", added)
	}
	if pics, _ := filepath.Glob(filepath.Join(dir, "apps", added.ID, "*.png")); len(pics) != 1 {
		t.Errorf("no picture for the catalogue was taken: %v", pics)
	}
	// the name of a built-in game is not given away, the same module once more changes nothing
	if status, _, errOut := inProcess("apps", "add", filepath.Join(modules, "draws.wasm"), "--data-dir", dir, "--name", "latency"); status == 0 || !strings.Contains(errOut, "latency") {
		t.Errorf("a name that is taken: status %d, %q", status, errOut)
	}
	if status, _, errOut := inProcess("apps", "add", filepath.Join(modules, "ball.wasm"), "--data-dir", dir); status != 0 {
		t.Errorf("the same module again: %q", errOut)
	}
	if l := listApps(t, dir); len(l.Apps) != before+1 || len(l.Problems) != 0 {
		t.Errorf("listed %+v", l)
	}
	if status, out, _ := inProcess("apps", "list", "--data-dir", dir); status != 0 || !strings.Contains(out, added.ID[:12]) {
		t.Errorf("the table lacks it:\n%s", out)
	}

	if status, _, errOut := inProcess("apps", "remove", "latency", "--data-dir", dir); status == 0 || !strings.Contains(errOut, "builtin_apps") {
		t.Errorf("removing a built-in game: status %d, %q", status, errOut)
	}
	if status, _, errOut := inProcess("apps", "remove", added.ID[:10], "--data-dir", dir); status != 0 {
		t.Errorf("removing by the beginning of the hash: %q", errOut)
	}
	if l := listApps(t, dir); len(l.Apps) != before {
		t.Errorf("it is still there: %+v", l)
	}
}

func TestAppsAddTakesTheManifest(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, "app.toml")
	if err := os.WriteFile(manifest, []byte("name = \"my-ball\"\ntitle = \"My Ball\"\nlicense = \"MIT\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ball := filepath.Join(modules, "ball.wasm")
	if status, _, errOut := inProcess("apps", "add", ball, "--manifest", manifest, "--data-dir", dir); status != 0 {
		t.Fatal(errOut)
	}
	if status, _, errOut := inProcess("apps", "add", ball, "--manifest", manifest, "--name", "other", "--data-dir", dir); status == 0 || !strings.Contains(errOut, "--manifest") {
		t.Errorf("both at once: status %d, %q", status, errOut)
	}
	if err := os.WriteFile(manifest, []byte("name = \"my-ball\"\nprize = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errOut := inProcess("apps", "add", ball, "--manifest", manifest, "--data-dir", dir); status == 0 || !strings.Contains(errOut, "prize") {
		t.Errorf("an unknown key: status %d, %q", status, errOut)
	}
}

func TestBadModulesAreRefusedWithTheReason(t *testing.T) {
	dir := t.TempDir()
	before := len(listApps(t, dir).Apps)
	empty := filepath.Join(t.TempDir(), "empty.wasm")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ file, want string }{
		"loops":        {wasm(t, 0x03, 0x40, 0x0c, 0x00, 0x0b), "loop that does not end"},
		"traps":        {wasm(t, 0x00), "trapped: unreachable"},
		"empty":        {empty, "not a WebAssembly module"},
		"imports":      {filepath.Join(modules, "bad", "import.wasm"), `"env"."system"`},
		"memory":       {filepath.Join(modules, "bad", "memory-over-limit.wasm"), "out of memory"},
		"threads":      {filepath.Join(modules, "bad", "atomics.wasm"), "threads"},
		"command":      {filepath.Join(modules, "bad", "command.wasm"), "_start"},
		"traps early":  {filepath.Join(modules, "bad", "trap-in-init.wasm"), "fm_init"},
		"size of 17":   {filepath.Join(modules, "bad", "bad-width.wasm"), "width 17"},
		"folder":       {modules, "is a folder"},
		"not there":    {filepath.Join(dir, "none.wasm"), "no such file"},
		"endless file": {"/dev/zero", "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "endless file" {
				if _, err := os.Stat(tc.file); err != nil {
					t.Skip("there is no /dev/zero here")
				}
			}
			status, out, errOut := inProcess("apps", "add", tc.file, "--data-dir", dir, "--name", "bad")
			if status != 1 || out != "" || !strings.Contains(errOut, tc.want) {
				t.Errorf("status %d, said %q, want %q", status, errOut, tc.want)
			}
			if !strings.Contains(errOut, "\n  try: ") {
				t.Errorf("it does not say what to try: %q", errOut)
			}
		})
	}
	t.Cleanup(func() { // after the parallel ones
		if l := listApps(t, dir); len(l.Apps) != before || len(l.Problems) != 0 {
			t.Errorf("something of the refused was kept: %+v", l)
		}
	})
}

func TestShortNames(t *testing.T) {
	for path, want := range map[string]string{
		"/a/My Cart_2.wasm": "my-cart-2", "x.wasm": "x", "...wasm": "",
		strings.Repeat("l", 100) + ".wasm": strings.Repeat("l", store.MaxName),
	} {
		if got := shortName(path); got != want {
			t.Errorf("%q gives %q, want %q", path, got, want)
		}
	}
}
