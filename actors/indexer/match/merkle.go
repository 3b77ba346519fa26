package match

import "crypto/sha256"

// hash is a node of a Merkle tree.
type hash = [sha256.Size]byte

// Domain separation: a leaf can never be taken for a node.
const (
	leafPrefix = 0
	nodePrefix = 1
	// measuredPrefix begins a leaf with what the ledger measured.
	measuredPrefix = 2
)

// leafHash is SHA-256(0x00 ‖ sealed ad).
func leafHash(sealed []byte) hash {
	h := sha256.New()
	h.Write([]byte{leafPrefix})
	h.Write(sealed)
	return hash(h.Sum(nil))
}

// nodeHash is SHA-256(0x01 ‖ left ‖ right).
func nodeHash(left, right *hash) hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = nodePrefix
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// tree is a Merkle tree over a list, in the shape of RFC 6962: nodes pair up from the
// left and an odd last one moves up as it is. Changing a leaf costs log₂ n hashes.
type tree struct {
	levels [][]hash // levels[0] are the leaves, the last level is the root
}

// newTree builds the tree over leaves, which it keeps.
func newTree(leaves []hash) *tree {
	t := &tree{levels: [][]hash{leaves}}
	for level := leaves; len(level) > 1; {
		next := make([]hash, (len(level)+1)/2)
		for i := range next {
			next[i] = parent(level, i)
		}
		t.levels = append(t.levels, next)
		level = next
	}
	return t
}

// parent computes node i of the level above.
func parent(level []hash, i int) hash {
	if 2*i+1 == len(level) {
		return level[2*i]
	}
	return nodeHash(&level[2*i], &level[2*i+1])
}

// set changes leaf i.
func (t *tree) set(i int, leaf hash) {
	t.levels[0][i] = leaf
	for l := 1; l < len(t.levels); l++ {
		i /= 2
		t.levels[l][i] = parent(t.levels[l-1], i)
	}
}

// root is the hash of all leaves; of none it is the SHA-256 of nothing.
func (t *tree) root() hash {
	top := t.levels[len(t.levels)-1]
	if len(top) == 0 {
		return sha256.Sum256(nil)
	}
	return top[0]
}

// path returns the siblings from leaf i to the root.
func (t *tree) path(i int) [][]byte {
	var out [][]byte
	for _, level := range t.levels[:len(t.levels)-1] {
		if sibling := i ^ 1; sibling < len(level) {
			out = append(out, level[sibling][:])
		}
		i /= 2
	}
	return cloneAll(out)
}

// cloneAll copies, because the tree changes under its paths.
func cloneAll(in [][]byte) [][]byte {
	out := make([][]byte, len(in))
	for i, b := range in {
		out[i] = append([]byte(nil), b...)
	}
	return out
}

// holdsLeaf says whether a path leads from leaf i of n to root.
func holdsLeaf(root, leaf hash, i, n uint32, path [][]byte) bool {
	if i >= n {
		return false
	}
	for ; n > 1; i, n = i/2, n/2+n%2 {
		if i^1 >= n { // the odd last one moves up as it is
			continue
		}
		if len(path) == 0 || len(path[0]) != sha256.Size {
			return false
		}
		sibling := hash(path[0])
		path = path[1:]
		if i%2 == 0 {
			leaf = nodeHash(&leaf, &sibling)
		} else {
			leaf = nodeHash(&sibling, &leaf)
		}
	}
	return len(path) == 0 && leaf == root
}
