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
