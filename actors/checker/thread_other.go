//go:build !linux

package checker

func lowestPriority() {}

func threadSeconds() float64 { return 0 }
