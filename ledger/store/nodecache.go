package store

import (
	"encoding/binary"
	"sync"
)

// nodeCache remembers coded nodes of the tree, which never change under their key, in a
// bounded piece of memory. Nodes lie one behind the other in segments. Once there are enough
// of these, the one is taken up again in which most has been replaced, by later writing or by
// a later version of the tree, and what counts in it stays; where nothing has been replaced,
// the oldest is emptied, so what nobody has asked for since goes first: who is asked for while
// it lies in the older half is written anew in front.
//
// Neither the segments, which are not the collector's at all, nor the index hold a pointer,
// so however many nodes there are the collector has nothing to follow and lets no garbage of
// the same size pile up beside them, and a node takes a quarter of what it takes in a list of
// the last used.
//
// Keys that are not a node's pass by. It may be used by many at once.
type nodeCache struct {
	mu       sync.Mutex
	most     int // segments; 0 once it is released
	segments []segment
	current  int // the one that is being filled
	turns    int // how often one was taken into use
	index    nodeIndex
	counts   NodeCounts
}

// segment holds entries: key (12), length of the coded node (2, the highest bit says that the
// version that had it is not the last any more), the node.
type segment struct {
	data []byte
	dead int // bytes of entries that were replaced
	turn int // when it was last taken into use
}

// NodeCounts is what a tree has read and written since it was opened, in nodes. Nodes that
// iavl holds decoded are not counted when they are looked at again.
type NodeCounts struct {
	Read    uint64 // decoded, from the cache or from the disk
	Missed  uint64 // of these, from the disk
	Written uint64 // new in a saved version
}

// nodeKey is iavl's name of a node: its version and its number in it.
type nodeKey [12]byte

const (
	segmentBytes = 256 << 10
	entryHeader  = len(nodeKey{}) + 2
	retired      = 1 << 15 // in the length: only earlier versions have the node
	// indexBytes is about what an entry takes in the index.
	indexBytes = 16
	// entryBytes is about what a node takes in all.
	entryBytes = 112
	// worthwhile is how much must have been replaced in a segment that is taken up again.
	worthwhile = segmentBytes / 8
)

// newNodeCache takes about size bytes once it is full; it grows to that as it fills.
func newNodeCache(size int) *nodeCache {
	c := &nodeCache{index: newNodeIndex()}
	c.grow(size)
	return c
}

// grow lets it take size bytes, or more if it was allowed more before: a state that shrinks a
// little grows again.
func (c *nodeCache) grow(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most = max(size/entryBytes*(entryBytes-indexBytes)/segmentBytes, 2, c.most)
}

// release gives the memory back. Afterwards the cache is empty and remembers nothing.
func (c *nodeCache) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.segments {
		freePages(s.data)
	}
	c.index.release()
	c.most, c.segments, c.index = 0, nil, newNodeIndex()
}

// nodeKeyOf is false for keys that are not a node's.
func nodeKeyOf(key []byte) (k nodeKey, ok bool) {
	if len(key) != 1+len(k) || key[0] != 's' {
		return k, false
	}
	return nodeKey(key[1:]), true
}

// get is a copy of what is remembered under key, nil when there is nothing.
func (c *nodeCache) get(key []byte) []byte {
	k, ok := nodeKeyOf(key)
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Read++
	i, ok := c.find(k)
	if !ok {
		c.counts.Missed++
		return nil
	}
	at, offset := c.index.at(i)
	node, old := c.entry(at, offset)
	value := append(make([]byte, 0, len(node)), node...)
	if !old && c.turns-c.segments[at].turn > c.most/2 {
		c.put(k, value)
	}
	return value
}

// add remembers value, which it copies.
func (c *nodeCache) add(key, value []byte) {
	k, ok := nodeKeyOf(key)
	if !ok || len(value) >= retired {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, value)
}

// wrote is add of a node that was not there before.
func (c *nodeCache) wrote(key, value []byte) {
	c.add(key, value)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Written++
}

// remove forgets key.
func (c *nodeCache) remove(key []byte) {
	k, ok := nodeKeyOf(key)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := c.find(k); ok {
		c.bury(c.index.at(i))
		c.index.delete(i, c.key)
	}
}

func (c *nodeCache) counted() NodeCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// find is where the index has a key. c.mu is held, here and below.
func (c *nodeCache) find(k nodeKey) (i int, ok bool) { return c.index.find(k, c.key) }

// key is the key of the entry at an offset of a segment.
func (c *nodeCache) key(at, offset int) nodeKey { return nodeKey(c.segments[at].data[offset:]) }

// entry is the node at an offset of a segment; old says whether it is retired.
func (c *nodeCache) entry(at, offset int) (node []byte, old bool) {
	e := c.segments[at].data[offset:]
	n := binary.LittleEndian.Uint16(e[len(nodeKey{}):])
	return e[entryHeader:][:n&^retired], n&retired != 0
}

// bury counts an entry as replaced.
func (c *nodeCache) bury(at, offset int) {
	if node, old := c.entry(at, offset); !old {
		c.segments[at].dead += entryHeader + len(node)
	}
}

// retire says that only earlier versions have the node of an entry. It can still be read.
func (c *nodeCache) retire(at, offset int) {
	c.bury(at, offset)
	c.segments[at].data[offset+entryHeader-1] |= retired >> 8
}

// put writes an entry in front.
func (c *nodeCache) put(k nodeKey, value []byte) {
	if c.most == 0 {
		return
	}
	for len(c.segments) == 0 || len(c.segments[c.current].data)+entryHeader+len(value) > segmentBytes {
		c.begin()
	}
	s := &c.segments[c.current]
	offset := len(s.data)
	s.data = append(s.data, k[:]...)
	s.data = binary.LittleEndian.AppendUint16(s.data, uint16(len(value)))
	s.data = append(s.data, value...)
	if i, ok := c.find(k); ok {
		c.bury(c.index.at(i))
		c.index.move(i, c.current, offset)
	} else {
		c.index.insert(k, c.current, offset, c.key)
	}
}

// begin takes another segment into use.
func (c *nodeCache) begin() {
	if len(c.segments) < c.most {
		c.segments = append(c.segments, segment{data: newPages(segmentBytes)[:0]})
		c.current = len(c.segments) - 1
	} else {
		best, oldest := 0, 0
		for i, s := range c.segments {
			if s.dead > c.segments[best].dead {
				best = i
			}
			if s.turn < c.segments[oldest].turn {
				oldest = i
			}
		}
		keep := c.segments[best].dead >= worthwhile
		if c.current = oldest; keep {
			c.current = best
		}
		c.sweep(c.current, keep)
	}
	c.turns++
	c.segments[c.current].turn = c.turns
}

// sweep takes out of a segment what was replaced, or everything.
func (c *nodeCache) sweep(at int, keep bool) {
	s := &c.segments[at]
	to := 0
	for offset := 0; offset < len(s.data); {
		node, old := c.entry(at, offset)
		n := entryHeader + len(node)
		i, ok := c.find(c.key(at, offset))
		if ok {
			a, o := c.index.at(i)
			ok = a == at && o == offset // it may have been written anew elsewhere
		}
		switch {
		case ok && keep && !old:
			copy(s.data[to:], s.data[offset:offset+n])
			c.index.move(i, at, to)
			to += n
		case ok:
			c.index.delete(i, c.key)
		}
		offset += n
	}
	s.data, s.dead = s.data[:to], 0
}
