package testnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
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
	for _, id := range [][32]byte{o.Digest, sum} {
		got, err := (&board{n: n}).Evidence(t.Context(), id)
		if f, ok := got.(why.File); err != nil || !ok || f.Kind != why.KindAnswer || f.Report != hex.EncodeToString(o.Digest[:]) {
			t.Errorf("%x: %+v, %v", id[:4], got, err)
		}
		if _, at, ok, err := n.Evidence(id); err != nil || !ok || at != path {
			t.Errorf("%x is at %q, %t, %v", id[:4], at, ok, err)
		}
	}
	if got, err := (&board{n: n}).Evidence(t.Context(), [32]byte{9}); got != nil || err != nil {
		t.Errorf("nothing is %+v, %v", got, err)
	}
}
