//go:build !linux

package kernel

func lowestPriority() {}
