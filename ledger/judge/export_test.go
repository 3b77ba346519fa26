package judge

// Unfair is how many of the 2^64 numbers a draw below n throws away.
func Unfair(n uint64) uint64 { return unfair(n) }

// Numbers draws so many below n.
func Numbers(domain string, n uint64, count int) (all []uint64) {
	s := newStream(domain)
	for range count {
		all = append(all, s.below(n))
	}
	return all
}
