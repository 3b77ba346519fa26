package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/why"
	"github.com/framemesh/framemesh/p2p"
)

// wrongTile is the proof that somebody committed to a frame that it invented: all its tiles
// are wrong. With right, it is one of a frame that was rendered.
func wrongTile(t *testing.T, k ed25519.PrivateKey, chain string, epoch uint64, seed [32]byte, right bool) []byte {
	t.Helper()
	kern := recompute.New()
	tiles, _, _ := kern.Shape(0)
	leaves := make([][32]byte, tiles)
	for i := range leaves {
		leaves[i] = sha256.Sum256([]byte{byte(i)})
		if right {
			var err error
			if leaves[i], err = kern.Leaf(proof.Task(chain, epoch, seed), [32]byte(k[ed25519.SeedSize:]), 0, nil, proof.Pick{Tile: uint32(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tree := kernel.NewTree(leaves)
	roots := [][32]byte{tree.Root()}
	digest := kern.RootsRoot(roots)
	commit, err := proof.Sign(chain, k, &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{Epoch: epoch, Frames: 1, Roots: digest[:], Kernel: proof.KernelRP1}}})
	if err != nil {
		t.Fatal(err)
	}
	o := &proof.Opening{Tile: 3}
	leaf := tree.Leaf(3)
	o.Leaf = leaf[:]
	for _, s := range tree.Path(3) {
		o.Siblings = append(o.Siblings, s[:])
	}
	f, err := proof.TileFraud(commit, roots, o)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proof.EncodeFile(proof.FraudFile(chain, epoch, seed, f))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// twoCommits is the proof that somebody committed twice, for which no seed is needed.
func twoCommits(t *testing.T, k ed25519.PrivateKey, chain string) []byte {
	t.Helper()
	sign := func(b byte) *proof.Opened {
		roots := sha256.Sum256([]byte{b})
		o, err := proof.Sign(chain, k, &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{Epoch: 7, Frames: 1, Roots: roots[:], Kernel: proof.KernelRP1}}})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	f, err := proof.PairFraud(sign(1), sign(2))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proof.EncodeFile(proof.FraudFile(chain, 7, [32]byte{}, f))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func testKey(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(b)), ed25519.SeedSize)))
}

func writeProof(t *testing.T, dir string, raw []byte) string {
	t.Helper()
	sum := sha256.Sum256(raw)
	path := filepath.Join(dir, hex.EncodeToString(sum[:])+checker.ProofSuffix)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// verifyProof runs proof verify and reads its JSON.
func verifyProof(t *testing.T, want int, args ...string) (p proven) {
	t.Helper()
	status, out, errOut := inProcess(append([]string{"proof", "verify", "--json"}, args...)...)
	if status != want {
		t.Fatalf("verify %v: status %d, want %d: %s %s", args, status, want, out, errOut)
	}
	if want != exitUnreadable {
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatalf("%v in %q", err, out)
		}
	}
	return p
}

func TestProofsAreRerunOffline(t *testing.T) {
	t.Chdir(t.TempDir())
	k, seed := testKey('a'), [32]byte{5}
	wrong := writeProof(t, ".", wrongTile(t, k, "net", 7, seed, false))
	right := writeProof(t, ".", wrongTile(t, k, "net", 7, seed, true))

	p := verifyProof(t, 0, wrong)
	if !p.Proven || p.Code != "wrong_tile" || p.SeedFrom != seedFile || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "invented seed") || p.Epoch != 7 || p.Next == "" {
		t.Errorf("%+v", p)
	}
	if p := verifyProof(t, 0, wrong, "--seed", hex.EncodeToString(seed[:])); !p.Proven || p.SeedFrom != seedGiven || len(p.Warnings) != 0 {
		t.Errorf("with the seed: %+v", p)
	}
	other := [32]byte{6}
	if p := verifyProof(t, 1, wrong, "--seed", hex.EncodeToString(other[:])); p.Proven || !strings.Contains(p.Why, "another seed") {
		t.Errorf("with another seed: %+v", p)
	}
	if p := verifyProof(t, 1, right, "--offline"); p.Proven || !strings.Contains(p.Why, "recomputes") {
		t.Errorf("of an honest container: %+v", p)
	}
	if p := verifyProof(t, 0, writeProof(t, ".", twoCommits(t, k, "net"))); !p.Proven || p.Code != "two_commits" || p.SeedFrom != seedNone || len(p.Warnings) != 0 {
		t.Errorf("two commits: %+v", p)
	}
	status, out, errOut := inProcess("proof", "verify", wrong)
	if status != 0 || !strings.HasPrefix(out, "PROVEN: ") || !strings.Contains(errOut, "warning: ") || !strings.Contains(out, "tile 3 of frame 0") {
		t.Errorf("status %d: %s %s", status, out, errOut)
	}
	status, out, _ = inProcess("proof", "verify", right)
	if status != 1 || !strings.HasPrefix(out, "NOT PROVEN: ") {
		t.Errorf("status %d: %s", status, out)
	}
	status, out, _ = inProcess("proof", "verify", right, wrong) // as a shell writes *.proof
	if status != 1 || strings.Count(out, "PROVEN: ") != 2 || !strings.Contains(out, "\nPROVEN: ") {
		t.Errorf("both: status %d: %s", status, out)
	}
	status, out, errOut = inProcess("proof", "verify", wrong, "nowhere", right)
	if status != exitUnreadable || strings.Count(out, "PROVEN: ") != 1 || !strings.Contains(errOut, "nowhere") {
		t.Errorf("with one that is not there: status %d: %s %s", status, out, errOut)
	}
}

// vectors are found from where the tests were started, before any changes its folder.
var vectors, _ = filepath.Abs("../../docs/spec/vectors")

// The ballots among the vectors come to what they say, and one with another result does not.
func TestBallotsAreJudgedAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	var v struct {
		Ballots []struct {
			File string `json:"file"`
		} `json:"ballots"`
	}
	readVectors(t, "judge.json", &v)
	if len(v.Ballots) == 0 {
		t.Fatal("no ballots")
	}
	for i, b := range v.Ballots {
		raw, err := hex.DecodeString(b.File)
		if err != nil {
			t.Fatal(err)
		}
		path := writeProof(t, ".", raw)
		if p := verifyProof(t, 0, path); !p.Proven || p.Kind != why.KindBallot || p.SeedFrom != seedFile {
			t.Errorf("ballot %d: %+v", i, p)
		}
		f, err := proof.ParseFile(raw)
		if err != nil {
			t.Fatal(err)
		}
		f.GetBallot().Votes = f.GetBallot().GetVotes()[:1]
		if raw, err = proof.EncodeFile(f); err != nil {
			t.Fatal(err)
		}
		if p := verifyProof(t, 1, writeProof(t, ".", raw)); p.Proven || !strings.Contains(p.Why, "do not come to") {
			t.Errorf("ballot %d without its votes: %+v", i, p)
		}
	}
}

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectors, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func TestUnreadableProofsAreStatusTwo(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("hello"), "cut": []byte("framemesh proof 1\n\x0a"), "magic": []byte("framemesh proof 1\n")} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"proof", "verify", name}, {"proof", "show", "./" + name}, {"why", "./" + name}} {
			status, out, errOut := inProcess(args...)
			if status != exitUnreadable || out != "" || !strings.Contains(errOut, "try: ") {
				t.Errorf("%v: status %d, %q %q", args, status, out, errOut)
			}
		}
	}
	if status, _, errOut := inProcess("proof", "verify", "nowhere"); status != exitUnreadable || !strings.Contains(errOut, "try: ") {
		t.Errorf("a file that is not there: status %d, %q", status, errOut)
	}
	for _, args := range [][]string{{"proof", "verify"}, {"proof", "verify", "empty", "--seed", "zz"}, {"proof", "show", "x"}, {"proof", "show", "0123456789ab"},
		{"proof", "list", "--epochs", "0"}, {"proof", "list", "--epochs", "9-3"}, {"proof", "list", "--epochs", "-"}, {"proof", "lst"}, {"proof", "list", "--node", "me"},
		{"why", "a", "b"}, {"why", "12D3"}, {"why", "99999999999999999999/0"}, {"why"}, {"appeal"}, {"appeal", "12"}} {
		status, out, errOut := inProcess(append(args, "--data-dir", t.TempDir())...)
		if status != 1 || !strings.Contains(errOut, "try: ") && !strings.Contains(errOut, ";") {
			t.Errorf("%v: status %d, %q %q", args, status, out, errOut)
		}
	}
}

func TestKeptProofsAreListedAndShown(t *testing.T) {
	t.Chdir(t.TempDir())
	data := t.TempDir()
	if status, out, _ := inProcess("proof", "list", "--data-dir", data); status != 0 || !strings.Contains(out, "no proof is kept") {
		t.Errorf("an empty folder: status %d, %q", status, out)
	}
	dir := node.ProofsDir(data)
	k := testKey('b')
	a := writeProof(t, dir, wrongTile(t, k, "net", 7, [32]byte{5}, false))
	writeProof(t, dir, wrongTile(t, k, "net", 9, [32]byte{5}, false))
	if err := os.WriteFile(filepath.Join(dir, "spoilt"+checker.ProofSuffix), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := func(args ...string) proofTable {
		status, out, errOut := inProcess(append([]string{"proof", "list", "--json", "--data-dir", data}, args...)...)
		var got proofTable
		if err := json.Unmarshal([]byte(out), &got); status != 0 || err != nil {
			t.Fatalf("status %d, %v: %s", status, err, errOut)
		}
		return got
	}
	if got := list(); len(got.Files) != 3 || got.Files[0].Epoch != 9 || got.Files[1].Epoch != 7 || got.Files[2].Kind != "unreadable" {
		t.Errorf("%+v", got)
	}
	if got := list("--epochs", "7-8"); len(got.Files) != 1 || got.Files[0].Epoch != 7 {
		t.Errorf("7-8: %+v", got)
	}
	if got := list("--epochs", "2"); len(got.Files) != 1 || got.Files[0].Epoch != 9 {
		t.Errorf("the last two: %+v", got)
	}
	id := filepath.Base(a)[:12]
	status, out, errOut := inProcess("proof", "show", id, "--json", "--out", "copy.proof", "--data-dir", data)
	var f why.File
	if err := json.Unmarshal([]byte(out), &f); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, errOut)
	}
	if !strings.HasPrefix(f.ID, id) || f.Fraud != proof.FraudTile || f.Detail != "tile 3 of frame 0, of 1 frames" || !f.NeedsSeed || f.Epoch != 7 {
		t.Errorf("%+v", f)
	}
	if p := verifyProof(t, 0, "copy.proof"); !p.Proven || p.ID != f.ID {
		t.Errorf("the copy: %+v", p)
	}
	if status, out, _ := inProcess("why", f.ID, "--data-dir", data); status != 0 || !strings.Contains(out, "renders differently") {
		t.Errorf("status %d, %q", status, out)
	}
	if status, out, _ := inProcess("proof", "show", f.Report, "--data-dir", data); status != 0 || !strings.Contains(out, f.ID) {
		t.Errorf("by its name on the ledger: status %d, %q", status, out)
	}
}

// With a ledger at hand the seed is compared with it, and nodes are asked about.
func TestWhyAndProofByTheLedger(t *testing.T) {
	o := newOperator(t)
	if _, err := p2p.LoadOrCreateKey(filepath.Join(o.data, "node.key")); err != nil {
		t.Fatal(err)
	}
	r := do[why.Report](o, "why")
	if r.OK || r.Registered || len(r.Findings) != 2 || r.Findings[0].Code != "unregistered" || r.Findings[1].About != why.AboutMatch || r.Height == 0 {
		t.Errorf("a node that nobody registered: %+v", r)
	}
	id := o.net.Find("checker-1").ID().String()
	if r := do[why.Report](o, "why", id); !r.OK || !r.Registered || r.Owner == "" || len(r.Roles) != 1 || r.Roles[0] != "checker" {
		t.Errorf("checker-1: %+v", r)
	}
	if status, out, _ := inProcess("why", id, "--config", o.config); status != 0 || !strings.Contains(out, "Nothing keeps it from being paid") {
		t.Errorf("in words: status %d, %q", status, out)
	}
	if got := do[proofTable](o, "proof", "list", "--node", id, "--epochs", "10"); got.Node != id || len(got.Verdicts) != 0 || got.Height == 0 {
		t.Errorf("%+v", got)
	}
	if c := do[certificateWhy](o, "why", "1000000/0"); c.Certified || !strings.Contains(c.Text, "has not begun") {
		t.Errorf("%+v", c)
	}
	if s := do[sessionWhy](o, "why", id+"/"+strings.Repeat("ab", 16)); s.Open || !strings.Contains(s.Text, "No such session") {
		t.Errorf("%+v", s)
	}
	o.refuses("no proof and no accusation", "why", strings.Repeat("ab", 32))
	o.refuses("no fraud proof", "proof", "show", strings.Repeat("ab", 32))
	o.refuses("there is no key", "appeal", strings.Repeat("ab", 32), "--yes")

	seed := o.seed(0)
	invented := [32]byte{1}
	k := testKey('c')
	if p := verifyProof(t, 0, writeProof(t, o.data, wrongTile(t, k, "commands", 0, seed, false)), "--config", o.config); p.SeedFrom != seedLedger || len(p.Warnings) != 0 {
		t.Errorf("with the ledger's seed: %+v", p)
	}
	lie := writeProof(t, o.data, wrongTile(t, k, "commands", 0, invented, false))
	if p := verifyProof(t, 1, lie, "--config", o.config); p.Proven || !strings.Contains(p.Why, "another seed") {
		t.Errorf("with an invented seed: %+v", p)
	}
	if p := verifyProof(t, 0, lie, "--config", o.config, "--offline"); p.SeedFrom != seedFile || len(p.Warnings) != 1 {
		t.Errorf("with an invented seed and no network: %+v", p)
	}
	if p := verifyProof(t, 0, writeProof(t, o.data, wrongTile(t, k, "elsewhere", 0, invented, false)), "--config", o.config); p.SeedFrom != seedFile || len(p.Warnings) != 1 {
		t.Errorf("of another network: %+v", p)
	}
}

// seed is the chain's own word for the seed of an epoch.
func (o *operator) seed(epoch uint64) (seed [32]byte) {
	o.Helper()
	ctx, cancel := context.WithTimeout(o.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		err := o.net.Chain().View(func(r state.Reader) (err error) { seed, _, err = state.ReadSeed(r, epoch); return err })
		if err == nil && seed != ([32]byte{}) {
			return seed
		}
		time.Sleep(50 * time.Millisecond) // nothing tells of the first block
	}
	o.Fatal("no seed")
	return seed
}
