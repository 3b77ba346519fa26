package kernel

// Resume returns the chain that was rendered before a restart, from its roots: whatever
// frame is asked for is rendered again on b, and compared with its root. size must be
// valid.
func Resume(b Backend, size Size, task, container [32]byte, roots [][32]byte) *Chain {
	return &Chain{backend: b, size: size, task: task, container: container, roots: roots, words: make([]uint32, size.Words())}
}
