package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/container/segments"
)

// An operator sees how its sessions were from what the container wrote, without any network.
func TestSessionQuality(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "framemesh.toml")
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(config, "network = \"home\"\ndata_dir = \"data\"\n")
	ask := func(args ...string) (code int, out, said string) {
		return inProcess(append(append([]string{"session", "quality"}, args...), "--config", config)...)
	}
	if code, out, _ := ask(); code != 0 || !strings.Contains(out, "no session of this machine") {
		t.Errorf("of none: %d, %s", code, out)
	}
	if code, out, _ := ask("--json"); code != 0 || !strings.Contains(out, `"sessions": []`) {
		t.Errorf("of none: %d, %s", code, out)
	}
	kept := filepath.Join(dir, "data", "segments", "quality")
	began := time.Date(2030, 5, 1, 10, 0, 0, 0, time.UTC)
	for i, name := range []string{strings.Repeat("a1", 16), strings.Repeat("b2", 16)} {
		q := segments.Quality{Session: name, App: strings.Repeat("0", 64), Began: began, Ended: began.Add(90 * time.Second), LaunchMS: 80, FirstFrameMS: 312,
			AskedFPS: 60, FPSMilli: 59_870, P50MS: 21, P95MS: 44, Stalls: 2, LostPPM: 12_345, Receipts: uint32(88 * i), Played: 90, Exit: "the player left"}
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(kept, name+".json")
		put(file, string(b))
		at := time.Now().Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(kept, strings.Repeat("c3", 16)+".json"), "half a")

	code, out, _ := ask()
	a, b := strings.Index(out, "a1a1"), strings.Index(out, "b2b2")
	if code != 0 || b < 0 || a < b {
		t.Errorf("not the newest first (%d):\n%s", code, out)
	}
	for _, want := range []string{"1m30s", "312 ms", "59.8 of 60", "– of 60", "21/44 ms", "1.23 %", "the player left"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	code, out, said := ask("--last", "1")
	if code != 0 || strings.Contains(out, "a1a1") || !strings.Contains(said, "the newest 1 of 3") {
		t.Errorf("--last 1 (%d): %s%s", code, out, said)
	}
	_, out, _ = ask(strings.Repeat("B2", 16))
	for _, want := range []string{"2030-05-01T10:01:30Z", "80 ms", "88; 0 with a picture"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var q segments.Quality
	if _, out, _ = ask(strings.Repeat("b2", 16), "--json"); json.Unmarshal([]byte(out), &q) != nil || q.Receipts != 88 {
		t.Errorf("as JSON: %s", out)
	}
	for _, bad := range [][]string{{strings.Repeat("d4", 16)}, {"../../framemesh.toml"}, {strings.Repeat("c3", 16)}, {"--last", "0"}, {"a1", "b2"}} {
		if code, _, said := ask(bad...); code == 0 || !strings.Contains(said, "try") {
			t.Errorf("%v: %d, %s", slices.Clone(bad), code, said)
		}
	}
}
