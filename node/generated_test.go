package node

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The version of protoc is in the generated header; another release of it gives the
// same code.
var protocVersion = regexp.MustCompile(`(?m)^//\s+protoc\s+v.*$`)

// The committed Go is what the .proto files generate, wherever there are some.
func TestGeneratedMessagesAreFresh(t *testing.T) {
	protoc, err := exec.LookPath("protoc")
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") == "true" {
			t.Fatal("protoc is not installed; install protobuf-compiler")
		}
		t.Skip("protoc is not installed; install protobuf-compiler to run this test")
	}
	var protos []string
	err = filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".proto") {
			rel, err := filepath.Rel("..", p)
			protos = append(protos, filepath.ToSlash(rel))
			return err
		}
		return err
	})
	if err != nil || !slices.Contains(protos, "p2p/wire/play.proto") || !slices.Contains(protos, "ledger/tx/tx.proto") {
		t.Fatalf("found %v: %v", protos, err)
	}
	out := t.TempDir()
	args := append([]string{"-I", "..", "--plugin=protoc-gen-go=../p2p/wire/protoc-gen-go.sh", "--go_out=" + out, "--go_opt=paths=source_relative"}, protos...)
	if msg, err := exec.Command(protoc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	for _, p := range protos {
		name := strings.TrimSuffix(p, ".proto") + ".pb.go"
		want, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(protocVersion.ReplaceAll(have, nil), protocVersion.ReplaceAll(want, nil)) {
			t.Errorf("%s is stale; run: go generate ./%s", name, filepath.Dir(p))
		}
	}
}
