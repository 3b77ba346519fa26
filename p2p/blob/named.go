package blob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// FetchNamed is Fetch for a file of which the first NameSize bytes of its SHA-256 are known.
// Peers are asked for the rest, four at a time; of what they say, the first in the order of
// peers that has the name and under which the file can be had counts. Two files of one name
// take 2^80 tries to make, so who asks orders the peers by how far it believes them. Errors are
// Fetch's.
func (f *Fetcher) FetchNamed(ctx context.Context, peers []peer.ID, name [NameSize]byte) (string, error) {
	peers = distinct(peers)
	tried := make(map[[32]byte]bool)
	causes := []error{ErrNoSource}
	for some := range slices.Chunk(peers, maxInFlight) {
		for i, said := range f.wholes(ctx, some, name) {
			switch {
			case ctx.Err() != nil:
				return "", fmt.Errorf("blob: fetch %x: %w", name[:4], ctx.Err())
			case said.err != nil:
				causes = append(causes, fmt.Errorf("peer %s: %w", some[i], said.err))
				continue
			case tried[said.sha]:
				continue
			}
			tried[said.sha] = true
			path, err := f.Fetch(ctx, peers, said.sha)
			if err == nil || !errors.Is(err, ErrNoSource) {
				return path, err
			}
			causes = append(causes, err)
		}
	}
	return "", errors.Join(causes...)
}

// said is what a peer says that a name is the beginning of.
type said struct {
	sha [32]byte
	err error
}

// wholes asks some peers at once; the answers have the order of the peers.
func (f *Fetcher) wholes(ctx context.Context, some []peer.ID, name [NameSize]byte) []said {
	all := make([]said, len(some))
	var calls sync.WaitGroup
	for i, from := range some {
		calls.Go(func() { all[i].sha, all[i].err = f.whole(ctx, from, name) })
	}
	calls.Wait()
	return all
}

// whole asks one peer for the SHA-256 that a name is the beginning of.
func (f *Fetcher) whole(ctx context.Context, from peer.ID, name [NameSize]byte) (sha [32]byte, err error) {
	protocol := f.Protocol
	if protocol == "" {
		protocol = Protocol
	}
	var resp wire.AppResponse
	if err := f.Caller.Call(ctx, from, protocol, &wire.AppRequest{Sha256: name[:]}, &resp); err != nil {
		return sha, err
	}
	if len(resp.GetSha256()) != len(sha) || [NameSize]byte(resp.GetSha256()[:NameSize]) != name {
		return sha, fmt.Errorf("%w: a hash of another name", ErrWrongData)
	}
	return [32]byte(resp.GetSha256()), nil
}
