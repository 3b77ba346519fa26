package worker

import (
	"os"

	"golang.org/x/sys/unix"
)

// anonymousFile is memory behind a file descriptor.
func anonymousFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("framemesh-snapshot", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "snapshot"), nil
}
