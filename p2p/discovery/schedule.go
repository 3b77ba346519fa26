package discovery

import "time"

// Retry delays. A network that just started has nobody to store anything at, so the
// first attempts come quickly; a network that is down is not hammered.
const (
	retryFirst = time.Second
	retryMax   = time.Minute
	youngFirst = 15 * time.Second
	youngTable = 20 // routing-table entries (one Kademlia bucket) up to which a network is young
)

// retryAfter is the delay after the n-th failure in a row (n ≥ 1), without jitter:
// 1 s, 2 s, 4 s … 1 min.
func retryAfter(n int) time.Duration { return doubled(retryFirst, n, retryMax) }

// repeatAfter is the delay after the n-th success in a row (n ≥ 1). A record stored
// while the network was young went to whoever was there, and those who join later
// and are closer to the key lack it, so it is repeated at 15 s, 30 s … until it
// comes at the regular 10 minutes.
func repeatAfter(n, table int) time.Duration {
	if table > youngTable {
		return readvertise
	}
	return doubled(youngFirst, n, readvertise)
}

func doubled(first time.Duration, n int, limit time.Duration) time.Duration {
	d := first
	for range n - 1 {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return d
}

// jittered spreads a delay over 90 to 110 percent; u is uniform in [0,1).
func jittered(d time.Duration, u float64) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*u))
}
