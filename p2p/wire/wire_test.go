package wire_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// The version of protoc is in the generated header; another release of it gives the
// same code.
var protocVersion = regexp.MustCompile(`(?m)^//\s+protoc\s+v.*$`)

// The committed Go is what the .proto files generate.
func TestGeneratedCodeIsFresh(t *testing.T) {
	protoc, err := exec.LookPath("protoc")
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") == "true" {
			t.Fatal("protoc is not installed; install protobuf-compiler")
		}
		t.Skip("protoc is not installed; install protobuf-compiler to run this test")
	}
	protos, err := filepath.Glob("*.proto")
	if err != nil || len(protos) == 0 {
		t.Fatalf("no .proto files: %v", err)
	}
	out := t.TempDir()
	args := []string{"-I", "../..", "--plugin=protoc-gen-go=./protoc-gen-go.sh", "--go_out=" + out, "--go_opt=paths=source_relative"}
	for _, name := range protos {
		args = append(args, "p2p/wire/"+name)
	}
	if msg, err := exec.Command(protoc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	for _, name := range protos {
		name = name[:len(name)-len(".proto")] + ".pb.go"
		want, err := os.ReadFile(filepath.Join(out, "p2p", "wire", name))
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(protocVersion.ReplaceAll(have, nil), protocVersion.ReplaceAll(want, nil)) {
			t.Errorf("%s is stale; run: go generate ./p2p/wire", name)
		}
	}
}

// Every message that comes from a stranger. None may panic or change on a second
// round trip, whatever bytes it came from.
var messages = []proto.Message{
	&wire.NodeRecord{}, &wire.Ad{}, &wire.MatchRequest{}, &wire.Certificate{}, &wire.MatchResponse{},
	&wire.MatchRefusal{}, &wire.ReserveRequest{}, &wire.ReserveResponse{}, &wire.SignalRequest{},
	&wire.SignalResponse{}, &wire.AnswerProof{}, &wire.AdRequest{}, &wire.AdResponse{}, &wire.AppRequest{},
	&wire.AppResponse{}, &wire.StatusRequest{}, &wire.StatusResponse{}, &wire.Response{},
}

func FuzzMessages(f *testing.F) {
	ad, err := proto.Marshal(&wire.Ad{Seq: 1, Region: "eu-west", Apps: []*wire.AppOffer{{Name: "latency"}}, CoordinateUs: []int32{-1, 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ad)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range messages {
			msg := kind.ProtoReflect().New().Interface()
			if proto.Unmarshal(data, msg) != nil {
				continue
			}
			b, err := proto.Marshal(msg)
			if err != nil {
				t.Fatalf("%T: %v", msg, err)
			}
			again := kind.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(b, again); err != nil || !proto.Equal(msg, again) {
				t.Fatalf("%T does not survive a round trip: %v", msg, err)
			}
		}
	})
}
