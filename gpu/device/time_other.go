//go:build !linux

package device

import "time"

var began = time.Now()

// processorTime is the clock's time where that of a thread is not told.
func processorTime() time.Duration { return time.Since(began) }
