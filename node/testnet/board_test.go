package testnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/container/segments/segmentstest"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/node/why"
)

// What a verdict names as evidence is found on the checker that has it: by the digest of the
// answer that a container signed as by the hash of the file.
func TestEvidenceOfAnAuditIsFound(t *testing.T) {
	root := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	k, session := segmentstest.PlayerKey(7), bytes.Repeat([]byte{1}, 16)
	second, err := proof.Sign("demo", k, &proof.Statement{Says: &proof.Statement_Segment{Segment: &proof.SegCommit{Session: session, State: root(2),
		Inputs: root(3), Frames: root(4), Audio: root(5), App: root(6)}}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := proof.Sign("demo", k, &proof.Statement{Says: &proof.Statement_Audit{Audit: &proof.AuditData{Session: session, Segments: []*proof.Signed{second.Signed}}}})
	if err != nil {
		t.Fatal(err)
	}
	n := &Net{o: Options{Dir: t.TempDir()}, peers: []*Peer{{Name: "checker-1"}, {Name: "checker-2"}}}
	dir := node.ProofsDir(filepath.Join(n.o.Dir, "checker-2"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(o.Raw)
	path := filepath.Join(dir, hex.EncodeToString(sum[:])+checker.AnswerSuffix)
	if err := os.WriteFile(path, o.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	named := proof.NameOf(sum[:])
	for _, id := range []string{hex.EncodeToString(o.Digest[:]), hex.EncodeToString(sum[:]), named.String()} {
		got, err := (&board{n: n}).Evidence(t.Context(), id)
		if f, ok := got.(why.File); err != nil || !ok || f.Kind != why.KindAnswer || f.Report != hex.EncodeToString(o.Digest[:]) {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
		if _, at, ok, err := n.Evidence(id); err != nil || !ok || at != path {
			t.Errorf("%s is at %q, %t, %v", id, at, ok, err)
		}
	}
	for _, id := range []string{"", named.String()[:39], strings.Repeat("0", 64), strings.Repeat("0", 40)} {
		if got, err := (&board{n: n}).Evidence(t.Context(), id); got != nil || err != nil {
			t.Errorf("%q is %+v, %v", id, got, err)
		}
	}
}
