//go:build linux && !amd64 && !arm64

package worker

import "errors"

func filterSyscalls() error {
	return errors.New("worker: no system call filter for this architecture")
}
