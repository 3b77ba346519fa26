//go:build unix

package replay

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceness puts a replay behind games and the node, and before what renders for a round: that
// takes whatever is left for minutes, and a replay that is not done when its epoch ends was for
// nothing. One runs at a time, for a second or two of an epoch.
const niceness = 10

// withdraw puts this process behind others, and lets the system end it after so many
// seconds of processor time. Where the system refuses, it stays as it was: the node that
// started it kills it in time.
func withdraw(seconds uint64) {
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
	if threads, err := os.ReadDir("/proc/self/task"); err == nil { // Linux has priorities by thread
		for _, t := range threads {
			if id, err := strconv.Atoi(t.Name()); err == nil {
				_ = unix.Setpriority(unix.PRIO_PROCESS, id, niceness)
			}
		}
	}
	if seconds > 0 {
		_ = unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds})
	}
}
