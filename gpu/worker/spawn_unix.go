//go:build unix

package worker

import (
	"os"
	"os/exec"
	"syscall"
)

// writeNow writes a frame of at most PIPE_BUF bytes whole or not at all.
func writeNow(f *os.File, frame []byte) {
	raw, err := f.SyscallConn()
	if err != nil {
		return // closed: the worker is gone
	}
	_ = raw.Write(func(fd uintptr) bool {
		_, _ = syscall.Write(int(fd), frame)
		return true
	})
}

// killGroup kills the child with everything it may have started.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

func exitOf(cmd *exec.Cmd, err error) exit {
	if cmd.ProcessState == nil {
		return exit{waitFail: err}
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return exit{code: -1, signal: ws.Signal().String(), signo: int(ws.Signal())}
	}
	return exit{code: cmd.ProcessState.ExitCode()}
}
