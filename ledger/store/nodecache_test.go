package store

import (
	"bytes"
	"encoding/binary"
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
		bytesKept += cap(s)
	}
	if kept < 15_000 || bytesKept > 4<<20 || len(c.at) > kept+hot+1 {
		t.Errorf("%d of the others are there, %d in the index, %d bytes", kept, len(c.at), bytesKept)
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
