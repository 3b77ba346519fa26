package chain

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// recordSize is the length of a run's record: name (16) ‖ height (8) ‖ entry (4), big-endian.
const recordSize = len(name{}) + 8 + 4

// encodeRun sorts transactions into records, cut by the first byte of their names, and says
// what the lowest height among them is.
func encodeRun(all map[name]place) (first uint64, pieces [256][]byte) {
	names := make([]name, 0, len(all))
	for n := range all { // sorted below
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b name) int { return bytes.Compare(a[:], b[:]) })
	first = math.MaxUint64
	records := make([]byte, 0, recordSize*len(all)) // the pieces are parts of it
	for from := 0; from < len(names); {
		begin, to := len(records), from
		for ; to < len(names) && names[to][0] == names[from][0]; to++ {
			at := all[names[to]]
			first = min(first, at.height)
			records = append(records, names[to][:]...)
			records = binary.BigEndian.AppendUint64(records, at.height)
			records = binary.BigEndian.AppendUint32(records, at.i)
		}
		pieces[names[from][0]] = records[begin:]
		from = to
	}
	return first, pieces
}

// findInPiece looks for a name among the records of a piece, which may be of any length and
// content: it comes from a disk.
func findInPiece(piece []byte, n name) (at place, ok bool) {
	count := len(piece) / recordSize
	record := func(i int) []byte { return piece[i*recordSize:][:recordSize] }
	i := sort.Search(count, func(i int) bool { return bytes.Compare(record(i)[:len(n)], n[:]) >= 0 })
	if i == count || name(record(i)) != n {
		return place{}, false
	}
	r := record(i)[len(n):]
	return place{binary.BigEndian.Uint64(r), binary.BigEndian.Uint32(r[8:])}, true
}
