//go:build unix

package replay

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// withdraw puts this process behind all others, and lets the system end it after so many
// seconds of processor time. Where the system refuses, it stays as it was: the node that
// started it kills it in time.
func withdraw(seconds uint64) {
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19)
	if threads, err := os.ReadDir("/proc/self/task"); err == nil { // Linux has priorities by thread
		for _, t := range threads {
			if id, err := strconv.Atoi(t.Name()); err == nil {
				_ = unix.Setpriority(unix.PRIO_PROCESS, id, 19)
			}
		}
	}
	if seconds > 0 {
		_ = unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds})
	}
}
