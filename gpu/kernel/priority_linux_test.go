package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lowThreads counts this process's threads of nice 19.
func lowThreads(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if fields := strings.Fields(rest); len(fields) > 16 && fields[16] == "19" { // the 19th of the line
			n++
		}
	}
	return n
}

func TestIdleWorkersStandBehind(t *testing.T) {
	before := lowThreads(t)
	b := CPU(3, Idle())
	if n := lowThreads(t) - before; n != 3 {
		t.Errorf("%d threads of lowest priority, not 3", n)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
