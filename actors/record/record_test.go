package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/actors/record"
)

func TestAFileIsReplacedWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "place")
	path := filepath.Join(dir, "vote")
	if _, err := record.Read(path, 10); !record.Missing(err) {
		t.Fatalf("a file that is not there: %v", err)
	}
	for _, text := range []string{"first", "2nd", ""} {
		if err := record.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := record.Read(path, 5); err != nil || string(b) != text {
			t.Errorf("%q, %v; want %q", b, err, text)
		}
	}
	if err := record.Write(path, []byte("too long")); err != nil {
		t.Fatal(err)
	}
	if _, err := record.Read(path, 7); !errors.Is(err, record.ErrLarge) {
		t.Errorf("a large file: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if err := record.Write(filepath.Join(path, "below"), nil); err == nil {
		t.Error("a file below a file was written")
	}
}

// TestWhatACrashLeftIsSwept: and nothing else, not even what is hidden.
func TestWhatACrashLeftIsSwept(t *testing.T) {
	dir := t.TempDir()
	if err := record.Sweep(filepath.Join(dir, "not there")); err != nil {
		t.Error(err)
	}
	if err := record.Write(filepath.Join(dir, "vote"), []byte("whole")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".unfinished-1", ".unfinished-vote", ".hidden", "unfinished-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := record.Sweep(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 || left[0].Name() != ".hidden" || left[1].Name() != "unfinished-1" || left[2].Name() != "vote" {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := record.Sweep(filepath.Join(dir, "vote")); err == nil {
		t.Error("a file was swept as a directory")
	}
}

// TestNothingHalfWrittenStays: a file that cannot have its name leaves none of its bytes.
func TestNothingHalfWrittenStays(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := record.Write(taken, []byte("x")); err == nil {
		t.Error("a file took the name of a directory")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
