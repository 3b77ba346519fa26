//go:build !linux

package checker

func threadSeconds() float64 { return 0 }
