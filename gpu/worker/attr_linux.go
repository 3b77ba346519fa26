package worker

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttr puts the child in its own process group, away from the terminal's
// Ctrl-C, and ties its life to the parent's.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// widenPipe lets a pipe hold a whole key frame, so that writing one does not wait
// for the parent to be scheduled. Refused beyond the user's pipe budget: no harm.
func widenPipe(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 512<<10) })
}
