package store

import (
	"os"
	"strconv"
	"strings"
)

// How large the caches of a tree are when nobody says it. They grow with the state: a block
// costs the least while the nodes it goes through are remembered, and a small ledger needs
// few.
const (
	leastCache = 32 << 20  // bytes
	mostCache  = 512 << 20 // bytes, unless an eighth of the machine's memory is less
	// leafBytes is what caches take for each key: its leaf and an inner node, as they stand
	// and in their former versions, which lie between them until their turn comes.
	leafBytes = 3 * entryBytes
)

// cacheBytes is the size of the caches for a state of so many keys.
func (d *DB) cacheBytes(keys int64) int {
	if d.opts.CacheMiB > 0 {
		return d.opts.CacheMiB << 20
	}
	most := mostCache
	if d.memory > 0 {
		most = int(min(uint64(most), d.memory/8))
	}
	return max(leastCache, min(most, int(min(keys, mostCache))*leafBytes))
}

// machineMemory is the memory that this process may use at all, in bytes: the machine's, or
// what its group of processes is held to. 0 where the system does not say.
func machineMemory() uint64 {
	var all uint64
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for l := range strings.Lines(string(b)) {
			if f := strings.Fields(l); len(f) >= 2 && f[0] == "MemTotal:" {
				kib, _ := strconv.ParseUint(f[1], 10, 54)
				all = kib << 10
			}
		}
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if held, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil && held > 0 && (all == 0 || held < all) {
			all = held
		}
	}
	return all
}
