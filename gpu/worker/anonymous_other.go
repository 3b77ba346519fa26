//go:build !linux

package worker

import "os"

// anonymousFile is a temporary file without a name.
func anonymousFile() (*os.File, error) {
	f, err := os.CreateTemp("", "framemesh-snapshot-*")
	if err != nil {
		return nil, err
	}
	// Where an open file cannot be unlinked it stays until the system cleans up.
	_ = os.Remove(f.Name())
	return f, nil
}
