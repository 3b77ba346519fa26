package store

import (
	"encoding/binary"
	"sync"
)

// nodeCache remembers coded nodes of the tree, which never change under their key, in a
// bounded piece of memory. Nodes lie one behind the other in segments; when all are in use
// the oldest is emptied, so what nobody has asked for since goes first: who is asked for
// while it lies in the older half is written anew in front. There is no pointer in it, so
// however many nodes it holds the garbage collector has nothing to follow, and a node takes
// a third of what it takes in a list of the last used.
//
// Keys that are not a node's pass by. It may be used by many at once.
type nodeCache struct {
	most int // segments

	mu       sync.Mutex
	segments [][]byte           // in turn; the one at next-1 is being filled
	next     int                // segments begun so far
	at       map[nodeKey]uint64 // where an entry begins: turn of its segment ‖ offset
}

// nodeKey is iavl's name of a node: its version and its number in it.
type nodeKey [12]byte

const (
	segmentBytes = 256 << 10
	entryHeader  = len(nodeKey{}) + 2 // the key and the length of the coded node
	// indexBytes is about what an entry takes in the index.
	indexBytes = 32
	// entryBytes is about what a node takes in all.
	entryBytes = 120
)

// newNodeCache takes about size bytes once it is full; it grows to that as it fills.
func newNodeCache(size int) *nodeCache {
	return &nodeCache{most: max(size/entryBytes*(entryBytes-indexBytes)/segmentBytes, 2), at: map[nodeKey]uint64{}}
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
	at, ok := c.at[k]
	if !ok {
		return nil
	}
	entry := c.segments[int(at>>32)%c.most][uint32(at):]
	n := entryHeader + int(binary.LittleEndian.Uint16(entry[len(k):]))
	value := append(make([]byte, 0, n-entryHeader), entry[entryHeader:n]...)
	if c.next-int(at>>32) > c.most/2+1 {
		c.put(k, value)
	}
	return value
}

// add remembers value, which it copies.
func (c *nodeCache) add(key, value []byte) {
	k, ok := nodeKeyOf(key)
	if !ok || len(value) > 1<<16-1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, value)
}

// remove forgets key.
func (c *nodeCache) remove(key []byte) {
	if k, ok := nodeKeyOf(key); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.at, k)
	}
}

// put writes an entry in front. c.mu is held.
func (c *nodeCache) put(k nodeKey, value []byte) {
	if c.next == 0 || len(c.segments[(c.next-1)%c.most])+entryHeader+len(value) > segmentBytes {
		c.begin()
	}
	i := (c.next - 1) % c.most
	s := c.segments[i]
	c.at[k] = uint64(c.next-1)<<32 | uint64(len(s))
	s = append(s, k[:]...)
	s = binary.LittleEndian.AppendUint16(s, uint16(len(value)))
	c.segments[i] = append(s, value...)
}

// begin takes the next segment into use, the oldest one once there are no more.
func (c *nodeCache) begin() {
	i := c.next % c.most
	if c.next < c.most {
		c.segments = append(c.segments, make([]byte, 0, segmentBytes))
	} else {
		s := c.segments[i]
		turn := uint64(c.next-c.most) << 32
		for off := 0; off < len(s); {
			k := nodeKey(s[off:])
			if c.at[k] == turn|uint64(off) { // it may have been written anew, or removed
				delete(c.at, k)
			}
			off += entryHeader + int(binary.LittleEndian.Uint16(s[off+len(k):]))
		}
		c.segments[i] = s[:0]
	}
	c.next++
}
