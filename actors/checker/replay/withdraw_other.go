//go:build !unix

package replay

// withdraw does nothing where the system has no priorities that a process may lower.
func withdraw(uint64) {}
