package device

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what this thread has used so far.
func processorTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
