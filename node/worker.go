package node

import (
	"errors"
	"fmt"
	"os"

	"github.com/framemesh/framemesh/actors/checker/replay"
	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/kernel/apart"
	"github.com/framemesh/framemesh/gpu/worker"
)

// errByHand: somebody typed what only nodes start.
var errByHand = errors.New("framemesh worker is started by a node, not by hand; try `framemesh demo`")

// Worker is the life of a process that a node starts of its own binary, as `worker` and these
// arguments: a session's worker without any, the start benchmark, the kernel's, its renderer,
// an audit, or one that looks at pictures of strangers. It returns the exit status. Each
// program with nodes in it answers to `worker` by it, test binaries too.
func Worker(args []string) int {
	if len(args) == 0 {
		return worker.Main()
	}
	var err error
	switch args[0] {
	case "bench":
		err = device.Serve(os.Stdout)
	case "points":
		err = device.ServePoints(os.Stdout)
	case "watch":
		err = worker.ServeWatch(os.Stdin, os.Stdout)
	case "prove":
		err = apart.Main(args[1:], os.Stdin, os.Stdout)
	case "audit":
		err = replay.Main(os.Stdin, os.Stdout)
	default:
		err = errByHand
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errByHand):
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
