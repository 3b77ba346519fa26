package node

import (
	"os"
	"testing"
)

// TestMain lets the test binary be its own worker, as the real binary is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(Worker(os.Args[2:]))
	}
	os.Exit(m.Run())
}
