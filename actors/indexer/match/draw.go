package match

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Beacon gives the randomness in force: 32 bytes that nobody could choose.
type Beacon interface {
	Beacon(ctx context.Context) ([32]byte, error)
}

// Lottery is a Beacon that also knows which draws count now.
type Lottery interface {
	Beacon
	// Accepts says whether somebody may have drawn with that beacon a moment ago. It may
	// wait for a block before it refuses.
	Accepts(ctx context.Context, beacon [32]byte) bool
	// Drawable says whether an indexer may be drawn: everybody where nothing lists them.
	Drawable(ctx context.Context, indexer peer.ID) (bool, error)
}

// CheckDraw says whether a certificate was drawn by the rules that hold now: its signer and
// all that it names as drawn may be drawn, and its beacon is in force. That those drawn
// follow from the beacon is part of Verify. The error is ErrIndexer, ErrBeacon, or the
// lottery's when that does not know.
//
// Whether the signer was the first in rank that was awake cannot be seen from here.
func CheckDraw(ctx context.Context, l Lottery, c *wire.Certificate) error {
	// The indexers first: that is answered from memory, and strangers cost nothing more.
	for _, raw := range append([][]byte{c.GetIndexer()}, c.GetDrawn()...) {
		ok, err := l.Drawable(ctx, peer.ID(raw))
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: %s", ErrIndexer, peer.ID(raw))
		}
	}
	if len(c.GetBeacon()) != sha256.Size || !l.Accepts(ctx, [32]byte(c.GetBeacon())) {
		return fmt.Errorf("%w: %.8x", ErrBeacon, c.GetBeacon())
	}
	return nil
}

// Eligible are those of the indexers that may be drawn, in their order.
func Eligible(ctx context.Context, l Lottery, indexers []peer.ID) ([]peer.ID, error) {
	out := make([]peer.ID, 0, len(indexers))
	for _, id := range indexers {
		ok, err := l.Drawable(ctx, id)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, id)
		}
	}
	return out, nil
}

// Genesis is the beacon of a network that has no ledger yet: its genesis seed, the
// same for ever. It is not unpredictable; it only keeps a single request from
// choosing its indexers freely, as far as its random id is honest.
type Genesis [32]byte

var _ Lottery = Genesis{}

// GenesisOf derives the genesis beacon of a network from its name.
func GenesisOf(network string) Genesis {
	return sha256.Sum256([]byte("framemesh/genesis-beacon/1\x00" + network))
}

// Beacon returns the seed.
func (g Genesis) Beacon(context.Context) ([32]byte, error) { return g, nil }

// Accepts implements Lottery: there is one beacon for ever.
func (g Genesis) Accepts(_ context.Context, beacon [32]byte) bool { return beacon == g }

// Drawable implements Lottery: nothing says who is an indexer.
func (Genesis) Drawable(context.Context, peer.ID) (bool, error) { return true, nil }

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
