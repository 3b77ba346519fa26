package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/ledger/proof"
)

// A checker finds what it can prove, and what it got for an appeal, by the name that a
// certificate has; files that lie there for something else have none.
func TestEvidenceIsFoundByItsName(t *testing.T) {
	dir := t.TempDir()
	e := evidence{proofs: filepath.Join(dir, "proofs"), held: filepath.Join(dir, "held"), modules: filepath.Join(dir, "modules")}
	for _, d := range []string{e.proofs, e.modules} { // nothing was held yet
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put := func(dir, content, suffix string) proof.Name {
		t.Helper()
		sum := sha256.Sum256([]byte(content))
		if err := os.WriteFile(filepath.Join(dir, hex.EncodeToString(sum[:])+suffix), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return proof.NameOf(sum[:])
	}
	for content, name := range map[string]proof.Name{
		"a proof": put(e.proofs, "a proof", checker.ProofSuffix), "an answer": put(e.proofs, "an answer", checker.AnswerSuffix),
	} {
		got, err := e.named(t.Context(), nil, name, nil)
		if err != nil || string(got) != content {
			t.Errorf("%s: %q, %v", content, got, err)
		}
		if sha, err := e.Whole(name); err != nil || !name.Names(sha) {
			t.Errorf("%s is %x, %v", content, sha, err)
		}
	}
	others := map[string]proof.Name{"a ballot": put(e.proofs, "a ballot", checker.BallotSuffix), "a module": put(e.modules, "a module", ""), "nothing": {}}
	if err := os.Mkdir(e.held, 0o700); err != nil {
		t.Fatal(err)
	}
	others["what is half fetched"] = put(e.held, "half", ".part")
	for what, name := range others {
		if sha, err := e.Whole(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is %x, %v", what, sha, err)
		}
	}
	if got, err := e.named(context.Background(), nil, put(e.held, "from another", ""), nil); err != nil || string(got) != "from another" {
		t.Errorf("held: %q, %v", got, err)
	}
}
