package kernel

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// lowThreads counts this process's threads of nice 19 but for its first one, and says whether
// that is one, too: it stays when the goroutine that was locked to it has ended.
func lowThreads(t *testing.T) (n int, first bool) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if fields := strings.Fields(rest); len(fields) < 17 || fields[16] != "19" { // the 19th of the line
			continue
		}
		if filepath.Base(filepath.Dir(f)) == strconv.Itoa(os.Getpid()) {
			first = true
		} else {
			n++
		}
	}
	return n, first
}

func TestIdleWorkersStandBehind(t *testing.T) {
	await := func(what string, ok func(n int, first bool) bool) (first bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			n, first := lowThreads(t)
			if ok(n, first) {
				return first
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d threads of lowest priority, and the first one: %v", what, n, first)
			}
		}
	}
	none := func(n int, _ bool) bool { return n == 0 }
	before := await("after other tests", none)
	b := CPU(3, Idle())
	await("three workers", func(n int, first bool) bool { return n == 3 || n == 2 && first && !before })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	await("after the end", none)
}
