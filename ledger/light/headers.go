package light

import (
	"slices"
	"sync"

	"github.com/cometbft/cometbft/light/store"
	"github.com/cometbft/cometbft/types"
)

// Bounds on what a client remembers.
const (
	maxHeaders     = 1000
	maxHeaderBytes = 4 << 20 // estimated, so that large validator sets do not make homes pay
)

// headers are the verified light blocks, in memory, by rising height. The oldest is the
// root of trust and stays: from it every height of the trusting period can be reached
// again. Validator sets that are equal are held once.
type headers struct {
	mu     sync.RWMutex
	blocks []*types.LightBlock
	bytes  int
}

var _ store.Store = (*headers)(nil)

// SaveLightBlock implements store.Store. A height that is there already is replaced.
func (h *headers) SaveLightBlock(b *types.LightBlock) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, found := h.find(b.Height)
	if found {
		h.bytes -= weight(h.blocks[i])
		h.blocks[i] = b
	} else {
		h.blocks = slices.Insert(h.blocks, i, b)
	}
	for _, j := range []int{i - 1, i + 1} {
		if j >= 0 && j < len(h.blocks) && string(h.blocks[j].ValidatorsHash) == string(b.ValidatorsHash) {
			b.ValidatorSet = h.blocks[j].ValidatorSet // its hash was checked against the header
		}
	}
	h.bytes += weight(b)
	h.prune(maxHeaders)
	return nil
}

// weight estimates the memory of a block in bytes, its validators counted in full.
func weight(b *types.LightBlock) int { return 1500 + 250*len(b.Commit.Signatures) }

// prune forgets the oldest but the root.
func (h *headers) prune(most int) {
	for len(h.blocks) > 2 && (len(h.blocks) > most || h.bytes > maxHeaderBytes) {
		h.bytes -= weight(h.blocks[1])
		h.blocks = slices.Delete(h.blocks, 1, 2)
	}
}

// find is where a height is, or belongs.
func (h *headers) find(height int64) (int, bool) {
	return slices.BinarySearchFunc(h.blocks, height, func(b *types.LightBlock, at int64) int {
		return int(max(min(b.Height-at, 1), -1))
	})
}

// DeleteLightBlock implements store.Store.
func (h *headers) DeleteLightBlock(height int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i, found := h.find(height); found {
		h.bytes -= weight(h.blocks[i])
		h.blocks = slices.Delete(h.blocks, i, i+1)
	}
	return nil
}

// LightBlock implements store.Store.
func (h *headers) LightBlock(height int64) (*types.LightBlock, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if i, found := h.find(height); found {
		return h.blocks[i], nil
	}
	return nil, store.ErrLightBlockNotFound
}

// LastLightBlockHeight implements store.Store: -1 when empty.
func (h *headers) LastLightBlockHeight() (int64, error) {
	if b := h.newest(); b != nil {
		return b.Height, nil
	}
	return -1, nil
}

// FirstLightBlockHeight implements store.Store: -1 when empty.
func (h *headers) FirstLightBlockHeight() (int64, error) {
	if b := h.root(); b != nil {
		return b.Height, nil
	}
	return -1, nil
}

// LightBlockBefore implements store.Store.
func (h *headers) LightBlockBefore(height int64) (*types.LightBlock, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if i, _ := h.find(height); i > 0 {
		return h.blocks[i-1], nil
	}
	return nil, store.ErrLightBlockNotFound
}

// Prune implements store.Store; a size of 0 forgets everything, the root too.
func (h *headers) Prune(size uint16) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if size == 0 {
		h.blocks, h.bytes = nil, 0
		return nil
	}
	h.prune(max(int(size), 2))
	return nil
}

// Size implements store.Store.
func (h *headers) Size() uint16 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return uint16(len(h.blocks))
}

// newest is the highest block, nil when there is none.
func (h *headers) newest() *types.LightBlock {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if len(h.blocks) == 0 {
		return nil
	}
	return h.blocks[len(h.blocks)-1]
}

// root is the lowest block, nil when there is none.
func (h *headers) root() *types.LightBlock {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if len(h.blocks) == 0 {
		return nil
	}
	return h.blocks[0]
}
