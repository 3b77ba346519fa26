package node

import (
	"os"
	"testing"

	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/worker"
)

// TestMain lets the test binary be its own worker, as the real binary is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		if len(os.Args) > 2 && os.Args[2] == "bench" {
			if device.Serve(os.Stdout) != nil {
				os.Exit(1)
			}
			os.Exit(0)
		}
		os.Exit(worker.Main())
	}
	os.Exit(m.Run())
}
