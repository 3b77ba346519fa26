package segment

// Bisect finds the first of n seconds after which two chains of state roots differ,
// by asking each for at most ⌈log₂ n⌉ + 1 of its roots: the way to settle a dispute
// about a long session, of which then only that one second is replayed
// (VerifySecond). Both chains begin with the same state, and chains that have parted
// stay apart. Without a difference after the last second it returns n.
func Bisect(n uint32, a, b func(second uint32) ([32]byte, error)) (uint32, error) {
	differ := func(i uint32) (bool, error) {
		x, err := a(i)
		if err != nil {
			return false, err
		}
		y, err := b(i)
		return x != y, err
	}
	if n == 0 {
		return 0, nil
	}
	if d, err := differ(n - 1); err != nil || !d {
		return n, err
	}
	lo, hi := uint32(0), n-1 // they differ after hi
	for lo < hi {
		mid := lo + (hi-lo)/2
		d, err := differ(mid)
		if err != nil {
			return 0, err
		}
		if d {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, nil
}
