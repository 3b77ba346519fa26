package checker

import "golang.org/x/sys/unix"

// threadSeconds is the processor time that the calling thread has used.
func threadSeconds() float64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &ru) != nil {
		return 0
	}
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}
