// Command framemesh is the whole of framemesh in one binary: a demo mesh on one
// machine, one node of a real mesh, and the tools around them.
package main

import (
	"fmt"
	"os"

	"github.com/framemesh/framemesh/node"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(work(os.Args[2:]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// work is the life of a process that the binary starts of itself: what nodes need, and
// doctor's trial of the encoders.
func work(args []string) int {
	if len(args) == 0 || args[0] != "probe" {
		return node.Worker(args)
	}
	if err := serveProbe(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
