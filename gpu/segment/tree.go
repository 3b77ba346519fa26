package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// PageSize is how much memory one leaf of the state's tree stands for, in bytes.
const PageSize = 4096

// First bytes of what is hashed in the tree of memory.
const (
	tagPage = 0x02
	tagNode = 0x03
)

// treeDepth is the number of levels above the leaves, whatever memory a module has:
// growing changes no path. 2^17 pages are 512 MiB, the most an app may have.
const treeDepth = 17

// emptyNodes[l] is the node l levels above leaves that are all zero pages.
var emptyNodes = func() (n [treeDepth + 1][32]byte) {
	n[0] = sha256.Sum256([]byte("framemesh/segment/zero/1\x00"))
	for l := range treeDepth {
		n[l+1] = node(tagNode, &n[l], &n[l])
	}
	return n
}()

var zeroPage [PageSize]byte

// tree is the Merkle tree over memory, with the copy of memory that it stands for.
// Pages beyond the end of memory count as zero pages.
type tree struct {
	mem   []byte       // as of the last mark
	nodes [][][32]byte // by level, leaves first; only over the pages there are
	dirty []uint32     // pages whose leaf is not hashed yet, in order
	next  int          // index into dirty
	h     hash.Hash
}

// mark compares memory with the copy, brings that up to date and notes what changed.
// All that was marked before must have been hashed.
func (t *tree) mark(mem []byte) {
	if n := len(mem); n < len(t.mem) {
		*t = tree{h: t.h} // memory only shrinks when another state was restored
	}
	if grown := len(mem) - len(t.mem); grown > 0 {
		t.mem = append(t.mem, make([]byte, grown)...)
		t.grow()
	}
	t.dirty, t.next = t.dirty[:0], 0
	for lo := 0; lo < len(mem); lo += PageSize {
		if now, was := mem[lo:lo+PageSize], t.mem[lo:lo+PageSize]; !bytes.Equal(now, was) {
			copy(was, now)
			t.dirty = append(t.dirty, uint32(lo/PageSize))
		}
	}
}

// grow adds the nodes of new memory, which is zero.
func (t *tree) grow() {
	if t.nodes == nil {
		t.nodes = make([][][32]byte, treeDepth+1)
	}
	n := len(t.mem) / PageSize
	for l := range t.nodes {
		for len(t.nodes[l]) < n {
			t.nodes[l] = append(t.nodes[l], emptyNodes[l])
		}
		n = (n + 1) / 2
	}
}

// work hashes at most n pages of those marked and says whether all are done.
func (t *tree) work(n int) bool {
	if t.h == nil {
		t.h = sha256.New()
	}
	var head [5]byte
	head[0] = tagPage
	for ; n > 0 && t.next < len(t.dirty); n-- {
		i := t.dirty[t.next]
		page, leaf := t.mem[int(i)*PageSize:][:PageSize], &t.nodes[0][i]
		if bytes.Equal(page, zeroPage[:]) {
			*leaf = emptyNodes[0]
		} else {
			binary.LittleEndian.PutUint32(head[1:], i)
			t.h.Reset()
			t.h.Write(head[:])
			t.h.Write(page)
			t.h.Sum(leaf[:0])
		}
		t.next++
	}
	return t.next == len(t.dirty)
}

// root hashes the nodes above the marked pages, all of which must be done.
func (t *tree) root() [32]byte {
	if len(t.mem) == 0 {
		return emptyNodes[treeDepth]
	}
	for l := range treeDepth {
		below, level := t.nodes[l], t.nodes[l+1]
		n := 0
		for k, i := range t.dirty {
			up := i / 2
			if k > 0 && n > 0 && t.dirty[n-1] == up {
				continue
			}
			right := &emptyNodes[l]
			if r := int(up)*2 + 1; r < len(below) {
				right = &below[r]
			}
			level[up] = node(tagNode, &below[up*2], right)
			t.dirty[n] = up
			n++
		}
		t.dirty = t.dirty[:n]
	}
	t.dirty, t.next = t.dirty[:0], 0
	return t.nodes[treeDepth][0]
}
