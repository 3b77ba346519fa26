// Command framemesh is the whole of framemesh in one binary: a demo mesh on one
// machine, one node of a real mesh, and the tools around them.
package main

import (
	"fmt"
	"os"

	"github.com/framemesh/framemesh/actors/checker/replay"
	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/kernel/apart"
	"github.com/framemesh/framemesh/gpu/worker"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(work(os.Args[2:]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// work is the life of a process that the binary starts of itself: a session's worker,
// the start benchmark, the proof kernel's, its renderer, an audit's, or doctor's trial of the encoders.
func work(args []string) int {
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
	case "probe":
		err = serveProbe(os.Stdout)
	default:
		fmt.Fprintln(os.Stderr, "framemesh worker is started by a node, not by hand; try `framemesh demo`")
		return 2
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
