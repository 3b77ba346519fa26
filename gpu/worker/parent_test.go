//go:build unix

package worker

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// beParent starts a worker and waits to be killed. It tells the worker's pid.
func beParent(module string) int {
	code, err := os.ReadFile(module)
	if err != nil {
		return 1
	}
	a := newAudience()
	p, err := Start(Spec{Module: module, SHA256: sha256.Sum256(code), Command: []string{selfPath(), "puppet"}}, a)
	if err != nil {
		return 1
	}
	fmt.Println(p.PID())
	p.Run()
	<-p.Done()
	return 0
}

func TestWorkerDiesWithItsParent(t *testing.T) {
	needEncoder(t)
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	for _, script := range []string{"", "at 3 loop;"} {
		module := filepath.Join(t.TempDir(), "puppet")
		if err := os.WriteFile(module, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		parent := exec.Command(selfPath(), "parent", module)
		out, err := parent.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		var b [32]byte
		n, err := out.Read(b[:])
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
		if err != nil {
			t.Fatal(err)
		}
		_ = parent.Process.Kill()
		_ = parent.Wait()
		deadline := time.Now().Add(time.Minute)
		for alive(pid) {
			if time.Now().After(deadline) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				t.Fatalf("script %q: the worker outlived its parent", script)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// alive tells whether a process runs; a zombie that init has not reaped does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
