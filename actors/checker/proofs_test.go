package checker

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The oldest proofs give way, never the one that was just written.
func TestProofFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	p := &proofs{dir: dir}
	first, err := p.keep([]byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, first+ProofSuffix), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	for i := range maxProofs - 1 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%064x%s", i, ProofSuffix)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "note"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	last, err := p.keep([]byte("last"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, last+ProofSuffix)); err != nil || string(b) != "last" {
		t.Error(b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, first+ProofSuffix)); !os.IsNotExist(err) {
		t.Errorf("the oldest is still there: %v", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != maxProofs+1 {
		t.Errorf("%d files, %v", len(list), err)
	}
}
