//go:build unix && !linux

package worker

import "time"

// cpuOf is not known here.
func cpuOf(int) time.Duration { return 0 }
