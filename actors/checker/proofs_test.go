package checker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// Ballots have limits of their own: however many there are, no proof gives way to them.
func TestBallotsNeverPushOutProofs(t *testing.T) {
	dir := t.TempDir()
	p := &proofs{dir: dir}
	old, err := p.keep([]byte("proof"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, old+ProofSuffix), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	for i := range maxBallots {
		path := filepath.Join(dir, fmt.Sprintf("%064x%s", i, BallotSuffix))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(int64(100+i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.keepBallot([32]byte{0xff}, []byte("votes")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, old+ProofSuffix)); err != nil || string(b) != "proof" {
		t.Error(b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "ff"+strings.Repeat("00", 31)+BallotSuffix)); err != nil || string(b) != "votes" {
		t.Error(b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%064x%s", 0, BallotSuffix))); !os.IsNotExist(err) {
		t.Errorf("the oldest ballot is still there: %v", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != maxBallots+1 {
		t.Errorf("%d files, %v", len(list), err)
	}
}
