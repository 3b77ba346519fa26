package match

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Beacon gives the randomness in force: 32 bytes that nobody could choose.
type Beacon interface {
	Beacon(ctx context.Context) ([32]byte, error)
}

// Genesis is the beacon of a network that has no ledger yet: its genesis seed, the
// same for ever. It is not unpredictable; it only keeps a single request from
// choosing its indexers freely, as far as its random id is honest.
type Genesis [32]byte

var _ Beacon = Genesis{}

// GenesisOf derives the genesis beacon of a network from its name.
func GenesisOf(network string) Genesis {
	return sha256.Sum256([]byte("framemesh/genesis-beacon/1\x00" + network))
}

// Beacon returns the seed.
func (g Genesis) Beacon(context.Context) ([32]byte, error) { return g, nil }

// Draw returns the n indexers that the beacon draws for a request, best rank first.
// The rank of an indexer is SHA-256(beacon ‖ request id ‖ indexer); less is better.
// The order of indexers does not matter, and one that is named twice counts once.
func Draw(beacon [32]byte, requestID []byte, indexers []peer.ID, n int) []peer.ID {
	type drawn struct {
		rank [32]byte
		id   peer.ID
	}
	all := make([]drawn, len(indexers))
	for i, id := range indexers {
		all[i] = drawn{drawRank(beacon, requestID, id), id}
	}
	slices.SortFunc(all, func(a, b drawn) int { return bytes.Compare(a.rank[:], b.rank[:]) })
	all = slices.CompactFunc(all, func(a, b drawn) bool { return a.id == b.id })
	out := make([]peer.ID, 0, min(max(n, 0), len(all)))
	for _, d := range all[:cap(out)] {
		out = append(out, d.id)
	}
	return out
}

func drawRank(beacon [32]byte, requestID []byte, id peer.ID) [32]byte {
	h := sha256.New()
	h.Write(beacon[:])
	h.Write(requestID)
	h.Write([]byte(id))
	return [32]byte(h.Sum(nil))
}
