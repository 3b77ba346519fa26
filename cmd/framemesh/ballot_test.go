package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/why"
)

// The votes that a checker keeps do not crowd the list of what it can prove; they are listed,
// shown and counted by the name that the ledger has for their result.
func TestKeptBallotsAreListedAndCounted(t *testing.T) {
	t.Chdir(t.TempDir())
	data := t.TempDir()
	var v struct {
		Ballots []struct {
			File string `json:"file"`
		} `json:"ballots"`
	}
	readVectors(t, "judge.json", &v)
	raw, err := hex.DecodeString(v.Ballots[0].File)
	if err != nil {
		t.Fatal(err)
	}
	f, err := proof.ParseFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(f.GetBallot().GetResult())
	result := hex.EncodeToString(sum[:])
	path := filepath.Join(node.ProofsDir(data), result+checker.BallotSuffix)
	writeProof(t, node.ProofsDir(data), twoCommits(t, testKey('a'), "net"))
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	list := func(args ...string) (p proofTable) {
		status, out, errOut := inProcess(append([]string{"proof", "list", "--json", "--data-dir", data}, args...)...)
		if err := json.Unmarshal([]byte(out), &p); err != nil || status != 0 {
			t.Fatalf("status %d, %v: %s", status, err, errOut)
		}
		return p
	}
	if p := list(); len(p.Files) != 1 || p.Files[0].Kind != why.KindFraud || p.Ballots != 1 {
		t.Errorf("%+v", p)
	}
	if p := list("--ballots"); len(p.Files) != 1 || p.Files[0].Kind != why.KindBallot || p.Files[0].Report != result || p.Ballots != 1 {
		t.Errorf("%+v", p)
	}
	for args, want := range map[string]string{"proof list": "--ballots", "proof list --ballots": "batch ", "proof show " + result: "proof verify " + path, "proof show " + result[:10]: result, "why " + result: result} {
		if status, out, errOut := inProcess(append(strings.Fields(args), "--data-dir", data)...); status != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, %s%s, want %q", args, status, out, errOut, want)
		}
	}
	if p := verifyProof(t, 0, path, "--offline"); !p.Proven || p.Report != result {
		t.Errorf("%+v", p)
	}
	for args, want := range map[string]string{"proof verify 7/0 --offline": "proof show 7/0 --out", "proof show 99999999999999999999/0": "120/0", "proof verify 1/4294967296": "120/0", "proof verify 7/0": "ledger.genesis"} {
		if status, out, errOut := inProcess(append(strings.Fields(args), "--data-dir", data)...); status != 1 || out != "" || !strings.Contains(errOut, want) {
			t.Errorf("%s: status %d, %s%s, want %q", args, status, out, errOut, want)
		}
	}
}

// A ballot that says other than the ledger is found out by each part.
func TestWhatABallotSaysIsComparedWithTheLedger(t *testing.T) {
	p := judge.Params{N: 2, K: 48, CheckPPM: 7, DurMS: 100, GraceMS: 10, Reference: 9}
	good := func() *proof.Ballot {
		return &proof.Ballot{N: 2, Openings: 48, CheckPpm: 7, DurMs: 100, GraceMs: 10, RpReference: 9, Result: []byte("r")}
	}
	if how := differs(good(), p); how != "" {
		t.Error(how)
	}
	for name, spoil := range map[string]func(*proof.Ballot){
		"proof_n":         func(b *proof.Ballot) { b.N = 1 },
		"proof_openings":  func(b *proof.Ballot) { b.Openings = 1 },
		"proof_check_ppm": func(b *proof.Ballot) { b.CheckPpm = 1 },
		"the window":      func(b *proof.Ballot) { b.DurMs = 1 },
		"the grace":       func(b *proof.Ballot) { b.GraceMs = 1 },
		"rp_reference":    func(b *proof.Ballot) { b.RpReference = 1 },
	} {
		b := good()
		spoil(b)
		if how := differs(b, p); !strings.HasPrefix(how, name) {
			t.Errorf("%s: %q", name, how)
		}
	}
	rec := state.Certificate{Result: sha256.Sum256([]byte("r"))}
	if why, none := attested(rec, true, good()); why != "" || none {
		t.Error(why, none)
	}
	if _, none := attested(state.Certificate{}, false, good()); !none {
		t.Error("a certificate that is not there")
	}
	rec.Result[0] ^= 1
	if why, _ := attested(rec, true, good()); why == "" {
		t.Error("another result")
	}
}
