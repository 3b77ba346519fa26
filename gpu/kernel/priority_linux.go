package kernel

import "golang.org/x/sys/unix"

// lowestPriority puts the calling thread behind all others. Where the system refuses,
// it stays as it was: a courtesy, not a condition.
func lowestPriority() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19) }
