package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/why"
)

// What a container signed in an audit that found it wrong is found by the name of its file and
// by the one that verdicts have, and convicts nobody by itself.
func TestAnswersOfAuditsAreListedAndShown(t *testing.T) {
	t.Chdir(t.TempDir())
	data := t.TempDir()
	dir := node.ProofsDir(data)
	k := testKey('b')
	root := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	session := bytes.Repeat([]byte{7}, 16)
	second, err := proof.Sign("net", k, &proof.Statement{Says: &proof.Statement_Segment{Segment: &proof.SegCommit{Session: session, Second: 20, Previous: root(1), State: root(2),
		Inputs: root(3), Frames: root(4), Audio: root(5), App: root(6), Ticks: 60}}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := proof.Sign("net", k, &proof.Statement{Says: &proof.Statement_Audit{Audit: &proof.AuditData{Session: session, From: 20, Window: []byte{1}, Segments: []*proof.Signed{second.Signed}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(o.Raw)
	id, named := hex.EncodeToString(sum[:]), hex.EncodeToString(o.Digest[:])
	path := filepath.Join(dir, id+checker.AnswerSuffix)
	if err := os.WriteFile(path, o.Raw, 0o600); err != nil {
		t.Fatal(err)
	}

	var list proofTable
	status, out, errOut := inProcess("proof", "list", "--json", "--data-dir", data)
	if err := json.Unmarshal([]byte(out), &list); err != nil || status != 0 || len(list.Files) != 1 {
		t.Fatalf("status %d, %s %s, %v", status, out, errOut, err)
	}
	f := list.Files[0]
	if f.Kind != why.KindAnswer || f.ID != id || f.Report != named || f.Session != hex.EncodeToString(session) || f.Second != 20 || f.App != hex.EncodeToString(root(6)) ||
		f.Accused != key.Node(k[ed25519.SeedSize:]).String() || f.Bytes != len(o.Raw) {
		t.Errorf("%+v", f)
	}
	if status, out, _ := inProcess("proof", "list", "--data-dir", data); status != 0 || !strings.Contains(out, id[:16]) {
		t.Errorf("status %d, %s", status, out)
	}
	for _, args := range [][]string{{"proof", "show", id[:12]}, {"proof", "show", named}, {"proof", "show", path}, {"proof", "show", id + checker.AnswerSuffix}, {"why", path}, {"why", named}, {"why", id}} {
		status, out, errOut := inProcess(append(args, "--data-dir", data)...)
		if status != 0 || !strings.Contains(out, id) || !strings.Contains(out, "audited") || strings.Contains(out, "proof verify") {
			t.Errorf("%v: status %d, %s %s", args, status, out, errOut)
		}
	}
	if status, out, errOut := inProcess("proof", "verify", path); status != 1 || out != "" || !strings.Contains(errOut, "convicts nobody") || !strings.Contains(errOut, "try: ") {
		t.Errorf("verify: status %d, %q %q", status, out, errOut)
	}
	if err := os.WriteFile("second.audit", second.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errOut := inProcess("proof", "show", "./second.audit"); status != exitUnreadable {
		t.Errorf("another statement: status %d, %q", status, errOut)
	}
}
