package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

func coded(i int) (key, value []byte) {
	key = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{'s'}, uint64(i/100)), uint32(i%100))
	return key, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 20+i%50)
}

// The cache says of a node what was written or nothing, keeps to its size, keeps what is
// asked for again and again, and forgets the rest, the oldest first.
func TestNodeCacheKeepsWhatIsAskedFor(t *testing.T) {
	c := newNodeCache(4 << 20)
	const all, hot = 200_000, 500
	for i := range all {
		key, value := coded(i)
		c.add(key, value)
		clear(value) // it is a copy
		if i%7 == 0 {
			key, want := coded(i / 7 % hot)
			if got := c.get(key); !bytes.Equal(got, want) {
				t.Fatalf("after %d, number %d: %x", i, i/7%hot, got)
			}
		}
	}
	kept, bytesKept := 0, 0
	for i := hot; i < all; i++ {
		key, want := coded(i)
		if got := c.get(key); got != nil {
			kept++
			if !bytes.Equal(got, want) {
				t.Fatalf("number %d: %x", i, got)
			}
			if i < all/2 {
				t.Fatalf("number %d is there still", i)
			}
		}
	}
	for _, s := range c.segments {
		bytesKept += cap(s.data)
	}
	if kept < 15_000 || bytesKept > 4<<20 || c.index.used > kept+hot+1 {
		t.Errorf("%d of the others are there, %d in the index, %d bytes", kept, c.index.used, bytesKept)
	}
}

func TestNodeCacheForgets(t *testing.T) {
	c := newNodeCache(1 << 20)
	key, value := coded(1)
	c.add(key, value)
	c.remove(key)
	if got := c.get(key); got != nil {
		t.Errorf("removed: %x", got)
	}
	c.add(key, value)
	other := bytes.Clone(value[:10])
	c.add(key, other)
	if got := c.get(key); !bytes.Equal(got, other) {
		t.Errorf("the last one counts: %x", got)
	}
	if got := c.get(key); &got[0] == &c.get(key)[0] {
		t.Error("two who ask share one slice")
	}
	for _, k := range []string{"", "s", "mstorage_version", "snothing of a node"} {
		c.add([]byte(k), value)
		c.remove([]byte(k))
		if got := c.get([]byte(k)); got != nil {
			t.Errorf("%q: %x", k, got)
		}
	}
	large, _ := coded(2)
	c.add(large, make([]byte, 1<<16))
	if c.get(large) != nil {
		t.Error("one that is too large was taken")
	}
}

// A cache that may take more takes it, and one that was released remembers nothing and holds no memory.
func TestNodeCacheKeepsToItsLimit(t *testing.T) {
	c := newNodeCache(1 << 20)
	t.Cleanup(c.release)
	there := func(all int) (n int) {
		for i := range all {
			key, want := coded(i)
			if got := c.get(key); bytes.Equal(got, want) {
				n++
			} else if got != nil {
				t.Fatalf("number %d: %x", i, got)
			}
		}
		return n
	}
	fill := func(all int) {
		for i := range all {
			c.add(coded(i))
		}
	}
	fill(60_000)
	if n := there(60_000); n > 20_000 {
		t.Errorf("%d nodes in a MiB", n)
	}
	c.grow(16 << 20)
	fill(60_000)
	if n := there(60_000); n != 60_000 {
		t.Errorf("%d of 60000 nodes in 16 MiB", n)
	}
	c.release()
	fill(100)
	if n := there(100); n != 0 || c.segments != nil {
		t.Errorf("%d nodes after the release", n)
	}
}

// The index says what a map says, whatever is written, written anew and removed.
func TestNodeIndexIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, want := newNodeIndex(), map[nodeKey]int{}
	defer x.release()
	var entries []nodeKey // by offset
	key := func(_, offset int) nodeKey { return entries[offset] }
	named := func(i int) nodeKey {
		raw, _ := coded(i)
		return nodeKey(raw[1:])
	}
	for range 100_000 {
		k := named(r.IntN(5000))
		if r.IntN(3) > 0 {
			entries = append(entries, k)
			if i, ok := x.find(k, key); ok {
				x.move(i, len(entries)>>10, len(entries)-1)
			} else {
				x.insert(k, len(entries)>>10, len(entries)-1, key)
			}
			want[k] = len(entries) - 1
			continue
		}
		if i, ok := x.find(k, key); ok {
			x.delete(i, key)
		}
		delete(want, k)
	}
	for i := range 5000 {
		k := named(i)
		offset, known := want[k]
		slot, ok := x.find(k, key)
		if ok != known {
			t.Fatalf("number %d: there %t, not %t", i, ok, known)
		}
		if _, got := x.at(slot); ok && got != offset {
			t.Fatalf("number %d at %d, not %d", i, got, offset)
		}
	}
	if x.used != len(want) || x.used > len(x.slots)/4*3 {
		t.Errorf("%d places of %d for %d keys", x.used, len(x.slots), len(want))
	}
}

// Caches grow with the state, within bounds, unless somebody has said how large they are.
func TestCachesGrowWithTheState(t *testing.T) {
	for _, c := range []struct {
		mib    int
		memory uint64
		keys   int64
		want   int
	}{
		{0, 64 << 30, 0, 32 << 20},
		{0, 64 << 30, 50_000, 32 << 20},
		{0, 64 << 30, 1_000_000, 336_000_000},
		{0, 64 << 30, math.MaxInt64, 512 << 20},
		{0, 0, math.MaxInt64, 512 << 20},
		{0, 2 << 30, 1_000_000, 256 << 20},
		{0, 100 << 20, 1_000_000, 32 << 20},
		{48, 100 << 20, 1_000_000, 48 << 20},
	} {
		d := &DB{opts: Options{CacheMiB: c.mib}, memory: c.memory}
		if got := d.cacheBytes(c.keys); got != c.want {
			t.Errorf("%d MiB asked for, %d keys, memory %d: %d bytes, want %d", c.mib, c.keys, c.memory, got, c.want)
		}
	}
}

// After a save the cache knows exactly which of its nodes the last version has: those count
// as long as there is anything else to throw out.
func TestNodeCacheKnowsWhatWasReplaced(t *testing.T) {
	d := opened(t, t.TempDir(), Options{CacheMiB: 32})
	s := tree(t, d)
	c := s.space.nodes
	r := rand.New(rand.NewPCG(3, 4))
	for version := range 30 {
		for range []int{400, 7, 0, 60}[version%4] {
			key := account(r.IntN(600))
			if r.IntN(5) == 0 {
				must(t, s.Delete(key))
			} else {
				must(t, s.Set(key, binary.BigEndian.AppendUint64(nil, r.Uint64())))
			}
		}
		save(t, s)
		live := map[nodeKey]bool{}
		c.walk(rootKey(s.Version()), 0, func(k nodeKey, at, _ int) bool {
			if at < 0 {
				t.Fatalf("version %d: node %x is not there", s.Version(), k)
			}
			live[k] = true
			return true
		})
		if want := 2*s.Len() - 1; s.Len() > 0 && int64(len(live)) < want {
			t.Fatalf("version %d: %d nodes of %d were found", s.Version(), len(live), want)
		}
		for at, seg := range c.segments {
			dead := 0
			for offset := 0; offset < len(seg.data); {
				node, old := c.entry(at, offset)
				if k := c.key(at, offset); live[k] == old {
					t.Fatalf("version %d: node %x replaced: %t, in the last version: %t", s.Version(), k, old, live[k])
				}
				if old {
					dead += entryHeader + len(node)
				}
				offset += entryHeader + len(node)
			}
			if dead != seg.dead {
				t.Fatalf("version %d: %d dead bytes, counted %d", s.Version(), dead, seg.dead)
			}
		}
	}
}

// While what the last version has fits, nothing of it is thrown out, however much was written.
func TestNodeCacheHoldsTheLastVersion(t *testing.T) {
	d := opened(t, t.TempDir(), Options{CacheMiB: 4})
	s := tree(t, d)
	r := rand.New(rand.NewPCG(5, 6))
	const keys = 8000 // 16,000 nodes, half of what fits
	for i := range keys {
		must(t, s.Set(account(i), binary.BigEndian.AppendUint64(nil, r.Uint64())))
	}
	save(t, s)
	for range 150 {
		for range 100 {
			must(t, s.Set(account(r.IntN(keys)), binary.BigEndian.AppendUint64(nil, r.Uint64())))
		}
		save(t, s)
	}
	if n := s.Nodes(); n.Missed > 10 || n.Written < 100_000 {
		t.Errorf("%+v", n)
	}
}
