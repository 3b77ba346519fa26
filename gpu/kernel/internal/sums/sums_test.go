package sums

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// need skips the test for want of a tool, and fails it where every tool must be there.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v: apt-get install qemu-user-static", err)
	}
	t.Skipf("%v: apt-get install qemu-user-static", err)
	return ""
}

const vectors = "../../../../docs/spec/vectors/rp-1.json"

func TestARM64HasTheSameBits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("user-mode emulation runs on Linux only")
	}
	file, err := os.ReadFile(vectors)
	if err != nil {
		t.Fatal(err)
	}
	emulator := need(t, "qemu-aarch64-static")
	program := filepath.Join(t.TempDir(), "rp1sums")
	build := exec.Command("go", "build", "-o", program, "./rp1sums")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for arm64: %v\n%s", err, out)
	}
	var native bytes.Buffer
	if err := Write(&native, file); err != nil {
		t.Fatal(err)
	}
	var foreign, trouble bytes.Buffer
	run := exec.Command(emulator, program, vectors)
	run.Stdout, run.Stderr = &foreign, &trouble
	if err := run.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &trouble)
	}
	got, want := strings.Fields(foreign.String()), strings.Fields(native.String())
	if len(want) <= Seeds || len(got) != len(want) {
		t.Fatalf("%d roots of arm64, %d here", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("frame %d: %s on arm64, %s on %s", i, got[i], want[i], runtime.GOARCH)
		}
	}
}
