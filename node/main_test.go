package node

import (
	"fmt"
	"os"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/replay"
	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/kernel/apart"
	"github.com/framemesh/framemesh/gpu/worker"
)

// TestMain lets the test binary be its own worker, as the real binary is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(work(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// work is the life of such a process.
func work(args []string) int {
	var err error
	switch {
	case len(args) == 0:
		return worker.Main()
	case args[0] == "bench":
		err = device.Serve(os.Stdout)
	case args[0] == "audit":
		err = replay.Main(os.Stdin, os.Stdout)
	case args[0] == "watch":
		err = worker.ServeWatch(os.Stdin, os.Stdout)
	case args[0] == "prove":
		err = apart.Main(args[1:], os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
