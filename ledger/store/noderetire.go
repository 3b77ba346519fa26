package store

import "encoding/binary"

// replaced marks, of what is remembered, the nodes that version before has and version after
// has not: those that lie between the nodes which after made anew and those which it took
// over. Nobody but readers of earlier versions asks for them again. iavl tells of no node that
// it replaces, so the new nodes are gone through from the root, then the replaced ones; both
// have just been in use. What is not remembered, or not understood, is left out: then less is
// marked.
func (c *nodeCache) replaced(before, after int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := make(map[nodeKey]bool)
	c.walk(rootKey(after), 0, func(k nodeKey, _, _ int) bool {
		if k.version() == uint64(after) {
			return true
		}
		taken[k] = true
		return false
	})
	if len(taken) == 0 {
		return // all is new, or nothing
	}
	c.walk(rootKey(before), 0, func(k nodeKey, at, offset int) bool {
		if taken[k] {
			return false
		}
		if at >= 0 {
			c.retire(at, offset)
		}
		return true
	})
}

// highest is more than a tree of iavl's can be high.
const highest = 128

// walk calls fn with a node and, where that returns true, with its children, as far as they
// are remembered: at is the entry's segment, -1 for a node that is not remembered. fn must not
// write to the cache.
func (c *nodeCache) walk(k nodeKey, depth int, fn func(k nodeKey, at, offset int) bool) {
	i, ok := c.find(k)
	if !ok {
		fn(k, -1, 0)
		return
	}
	at, offset := c.index.at(i)
	if !fn(k, at, offset) || depth > highest {
		return
	}
	node, _ := c.entry(at, offset)
	if to, ok := nodeKeyOf(node); ok { // a version without changes names another's root
		c.walk(to, depth+1, fn)
		return
	}
	if left, right, ok := childrenOf(node); ok {
		c.walk(left, depth+1, fn)
		c.walk(right, depth+1, fn)
	}
}

func rootKey(version int64) (k nodeKey) {
	binary.BigEndian.PutUint64(k[:], uint64(version))
	binary.BigEndian.PutUint32(k[8:], 1)
	return k
}

func (k nodeKey) version() uint64 { return binary.BigEndian.Uint64(k[:]) }

// childrenOf reads the names of a coded inner node's children; ok is false for a leaf. iavl
// writes: height, size, key, hash, mode (0: children are named by node keys), version and
// number of the left child, of the right one. Numbers are varints, key and hash have their
// length before them.
func childrenOf(node []byte) (left, right nodeKey, ok bool) {
	ok = true
	number := func() int64 {
		v, n := binary.Varint(node)
		if n <= 0 {
			ok, node = false, nil
			return 0
		}
		node = node[n:]
		return v
	}
	skip := func() {
		size, n := binary.Uvarint(node)
		if n <= 0 || size > uint64(len(node)-n) {
			ok, node = false, nil
			return
		}
		node = node[n+int(size):]
	}
	name := func() (k nodeKey) {
		binary.BigEndian.PutUint64(k[:], uint64(number()))
		binary.BigEndian.PutUint32(k[8:], uint32(number()))
		return k
	}
	if height := number(); height <= 0 {
		return left, right, false
	}
	number()
	skip()
	skip()
	if number() != 0 {
		return left, right, false
	}
	left, right = name(), name()
	return left, right, ok
}
