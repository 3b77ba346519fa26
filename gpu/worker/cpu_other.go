//go:build !linux

package worker

import "time"

// cpuOf is not known here.
func cpuOf(int) (used time.Duration, known bool) { return 0, false }
