package store

import (
	"encoding/binary"
	"unsafe"
)

// nodeIndex says where the entries of a nodeCache begin. It is a table with open addressing
// that holds no keys: they stand at the entries, where keyed reads them. A place takes eight
// bytes, and three in eight to three in four are in use. Like the segments it is not the
// collector's.
type nodeIndex struct {
	slots []uint64 // lie in pages
	pages []byte
	used  int
}

// A slot is 0 where it is free, otherwise from the top: the segment (32 bits), a
// one, 13 bits of the key's hash so that few others' keys are looked at, the offset (18).
const (
	slotTag    = 13
	slotOffset = 18
	slotUsed   = 1 << (slotTag + slotOffset)
)

// keyed reads the key of the entry at an offset of a segment.
type keyed func(at, offset int) nodeKey

func newNodeIndex() nodeIndex {
	x := nodeIndex{}
	x.take(1 << 10)
	return x
}

// take gives it empty places.
func (x *nodeIndex) take(n int) {
	x.pages = newPages(8 * n)
	x.slots = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(x.pages))), n)
}

// release gives the memory back; the index must not be used any more.
func (x *nodeIndex) release() {
	freePages(x.pages)
	*x = nodeIndex{}
}

// hash spreads keys: versions and numbers, which both count up.
func (k nodeKey) hash() uint64 {
	h := binary.BigEndian.Uint64(k[:])*0x9e3779b97f4a7c15 ^ uint64(binary.BigEndian.Uint32(k[8:]))*0xc2b2ae3d27d4eb4f
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// slotOf is a slot for a key whose entry lies at an offset of a segment.
func slotOf(hash uint64, at, offset int) uint64 {
	return uint64(at)<<32 | slotUsed | hash>>(64-slotTag)<<slotOffset | uint64(offset)
}

// at is where the entry of slot i begins.
func (x *nodeIndex) at(i int) (at, offset int) { return place(x.slots[i]) }

func place(slot uint64) (at, offset int) {
	return int(slot >> 32), int(slot & (1<<slotOffset - 1))
}

// find is the slot of a key, or the free one where it would go.
func (x *nodeIndex) find(k nodeKey, key keyed) (i int, ok bool) {
	hash, mask := k.hash(), len(x.slots)-1
	tag := slotOf(hash, 0, 0)
	for i = int(hash) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		if x.slots[i]&(1<<32-1)&^(1<<slotOffset-1) == tag && key(place(x.slots[i])) == k {
			return i, true
		}
	}
	return i, false
}

// insert adds a key that is not there, with its entry at an offset of a segment.
func (x *nodeIndex) insert(k nodeKey, at, offset int, key keyed) {
	if x.used++; x.used > len(x.slots)/4*3 {
		x.grow(key)
	}
	i, _ := x.find(k, key)
	x.slots[i] = slotOf(k.hash(), at, offset)
}

// move says that the entry of slot i is at an offset of a segment now.
func (x *nodeIndex) move(i, at, offset int) {
	const tag = slotUsed<<1 - 1<<slotOffset
	x.slots[i] = uint64(at)<<32 | x.slots[i]&tag | uint64(offset)
}

// grow doubles the table.
func (x *nodeIndex) grow(key keyed) {
	old, pages := x.slots, x.pages
	x.take(2 * len(old))
	mask := len(x.slots) - 1
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := int(key(place(s)).hash()) & mask
		for x.slots[i] != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = s
	}
	freePages(pages)
}

// delete frees slot i and closes the gap, so that no search ends at it too early.
func (x *nodeIndex) delete(i int, key keyed) {
	mask := len(x.slots) - 1
	for j := (i + 1) & mask; x.slots[j] != 0; j = (j + 1) & mask {
		home := int(key(place(x.slots[j])).hash()) & mask
		if (j-home)&mask >= (j-i)&mask { // it may stand at i
			x.slots[i], i = x.slots[j], j
		}
	}
	x.slots[i] = 0
	x.used--
}
