//go:build unix

package main

import (
	"os"
	"syscall"
)

// crashSignal is the signal on which the demo pulls a container's plug.
func crashSignal() os.Signal { return syscall.SIGUSR1 }
