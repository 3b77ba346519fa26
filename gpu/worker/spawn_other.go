//go:build !unix

package worker

import (
	"os"
	"os/exec"
)

func writeNow(f *os.File, frame []byte) { _, _ = f.Write(frame) }

func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = cmd.Process.Kill()
	}
}

func exitOf(cmd *exec.Cmd, err error) exit {
	if cmd.ProcessState == nil {
		return exit{waitFail: err}
	}
	return exit{code: cmd.ProcessState.ExitCode()}
}
