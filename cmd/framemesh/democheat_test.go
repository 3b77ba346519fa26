package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/node/demo"
)

func TestCheatsAreListed(t *testing.T) {
	status, out, errOut := inProcess("demo", "--cheat", "list")
	if status != 0 {
		t.Fatalf("status %d: %s", status, errOut)
	}
	for _, c := range cheat.All() {
		if !strings.Contains(out, c.Name) || strings.Contains(out, "%!") {
			t.Errorf("%s is not listed: %s", c.Name, out)
		}
	}
	status, out, _ = inProcess("demo", "--cheat", "list", "--json")
	var got struct{ Cheats []cheatRow }
	if err := json.Unmarshal([]byte(out), &got); status != 0 || err != nil || len(got.Cheats) != len(cheat.All()) {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
}

func TestCheatsThatCannotBeShownAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--cheat", "nothing"}, {"--cheat", "overclaim=0"}, {"--cheat", "overclaim=1000"}, {"--cheat", "late=2"}, {"--cheat", "overclaim=4", "--free"},
		{"--cheat", "overclaim=4", "--epoch", "5s"}, {"--cheat", "overclaim=4", "--containers", "1"}, {"--cheat", "lazy", "--checkers", "3"}, {"--cheat", "sybil=64", "--containers", "4"}} {
		status, out, errOut := inProcess(append([]string{"demo", "--for", "1s"}, args...)...)
		if status != 1 || out != "" || !strings.Contains(errOut, "try: ") {
			t.Errorf("%v: status %d, %q %q", args, status, out, errOut)
		}
	}
}

// Every cheat has somebody who plays it, and somebody honest beside.
func TestCheatsAreCast(t *testing.T) {
	for _, info := range cheat.All() {
		c, err := cheat.Parse(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		cast, err := demo.NewCast(c, 2, 3, 5)
		if err != nil {
			t.Errorf("%s: %v", c, err)
			continue
		}
		if len(cast.Peers) == 0 || len(cast.Honest) == 0 || cast.Announce() == "" {
			t.Errorf("%s: %+v", c, cast)
		}
		for _, p := range cast.Peers {
			if want := map[string]string{cheat.Checker: "checker-", cheat.Indexer: "indexer-"}[info.Who]; want != "" && !strings.HasPrefix(p, want) || want == "" && !strings.HasPrefix(p, "container-") {
				t.Errorf("%s is played by %s", c, p)
			}
			if p == "checker-1" || p == "indexer-1" {
				t.Errorf("%s is played by %s, which the others need", c, p)
			}
		}
		if session := info.Who == cheat.Session; cast.Avoid("container-1") != session {
			t.Errorf("%s: a game on an honest container: %v", c, !cast.Avoid("container-1"))
		}
	}
}

// A container that claims four times what it rendered is convicted on a live network, by a
// proof that this command reruns; nobody else is harmed.
func TestDemoCatchesACheat(t *testing.T) {
	if testing.Short() {
		t.Skip("an epoch takes 15 s")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	var dir string
	var out, errOut bytes.Buffer
	var r struct {
		Cheat  demo.Caught `json:"cheat"`
		Errors []string    `json:"errors"`
	}
	for _, play := range []string{"35s", "95s", "215s"} { // a machine that is busy may miss rounds; what to try then is more time
		dir = t.TempDir()
		out.Reset()
		errOut.Reset()
		c := command(ctx, t, "demo", "--json", "--listen", "127.0.0.1:0", "--cheat", "overclaim=4", "--epoch", "15s", "--containers", "2", "--for", play, "--dir", dir)
		c.Stdout, c.Stderr = &out, &errOut
		runErr := c.Run()
		r.Cheat, r.Errors = demo.Caught{}, nil
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v, %v\n%s\n%s", runErr, err, out.String(), errOut.String())
		}
		if r.Cheat.Caught || r.Cheat.Harmed {
			break
		}
		t.Logf("not caught within %s: %v", play, r.Errors)
	}
	x := r.Cheat
	if !x.Caught || x.Cheater != "container-2" || x.Code != "wrong_tile" || x.Lost == 0 || x.Harmed || len(x.Evidence) != 64 || x.By == "" {
		t.Fatalf("%+v, errors %v\n%s", x, r.Errors, errOut.String())
	}
	if !strings.HasPrefix(x.File, dir) {
		t.Fatalf("the proof is at %q", x.File)
	}
	if p := verifyProof(t, 0, x.File, "--offline"); !p.Proven || p.ID != x.Evidence || p.Code != x.Code {
		t.Errorf("%+v", p)
	}
	if status, list, _ := inProcess("proof", "list", "--data-dir", filepath.Dir(filepath.Dir(x.File))); status != 0 || !strings.Contains(list, x.Evidence[:16]) {
		t.Errorf("status %d: %s", status, list)
	}
	if !strings.Contains(errOut.String(), "container-2 (cheats): ") {
		t.Errorf("nothing was said as it happened: %s", errOut.String())
	}
}
