//go:build unix && !linux

package worker

import (
	"os"
	"syscall"
)

// childAttr puts the child in its own process group. It notices the parent's end by
// the end of its stdin.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func widenPipe(*os.File) {}
