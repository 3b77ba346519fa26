package worker

import (
	"os"
	"syscall"
)

// childAttr keeps the child away from the console's Ctrl-C.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func widenPipe(*os.File) {}
