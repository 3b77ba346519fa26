package blob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// errHash: all bytes came and they are not the module.
var errHash = errors.New("blob: SHA-256 differs")

// Patience with a busy peer.
const (
	maxBusy = 8               // BUSY answers to one chunk before the peer is given up
	maxWait = 5 * time.Second // between two tries, whatever the peer asks for
)

// download is one attempt with one group of peers.
type download struct {
	fetcher *Fetcher
	sha     [32]byte
	part    *partial
	total   int64 // bytes of the module; 0 until the first answer

	mu       sync.Mutex // guards the rest, which the chunks in flight share
	alive    []peer.ID
	causes   []error
	disputed []dispute
}

// dispute is a peer that contradicts the size that another one gave: one of the two
// lies, and only the hash can say which.
type dispute struct {
	id    peer.ID
	cause error
}

// chunk is a piece of the module that came, or why it did not.
type chunk struct {
	data []byte
	err  error
}

// run brings the partial file to its end and checks its hash. It returns errHash,
// ErrNoSource, ErrTooLarge, ctx's error or one of the disk.
func (d *download) run(ctx context.Context) error {
	if err := d.learnSize(ctx); err != nil {
		return err
	}
	// Chunks are asked for ahead, four in flight, and written in order: the partial
	// file stays a prefix at every instant.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	defer cancel() // before the wait
	var queue []chan chunk
	next := d.part.size
	for d.part.size < d.total {
		for len(queue) < maxInFlight && next < d.total {
			off, n := next, min(MaxChunk, d.total-next)
			next += n
			got := make(chan chunk, 1)
			queue = append(queue, got)
			inFlight.Go(func() {
				data, err := d.fetchChunk(ctx, off, n)
				got <- chunk{data, err}
			})
		}
		c := <-queue[0]
		queue = queue[1:]
		if c.err != nil {
			return c.err
		}
		if err := d.part.append(c.data); err != nil {
			return err
		}
		if d.fetcher.Progress != nil {
			d.fetcher.Progress(d.part.size, d.total)
		}
	}
	sum, err := d.part.hash()
	if err != nil {
		return err
	}
	if sum != d.sha {
		return errHash
	}
	for _, other := range d.disputed { // the size was right, so they lied
		d.causes = append(d.causes, d.fetcher.drop(other.id, other.cause))
	}
	return nil
}

// learnSize asks the group for one byte and takes the first size that fits. A size
// is a claim like the bytes: when it was a lie, the hash will not fit.
func (d *download) learnSize(ctx context.Context) error {
	var tooLarge error
	for {
		from, ok := d.pick(0)
		if !ok {
			if tooLarge != nil {
				return tooLarge
			}
			return ErrNoSource
		}
		resp, err := d.ask(ctx, from, 0, 1)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.dropPeer(from, err)
			continue
		}
		size := resp.GetSize()
		if size > uint64(d.fetcher.Max) {
			tooLarge = fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, d.fetcher.Max)
			d.dropPeer(from, tooLarge)
			continue
		}
		if size == 0 || len(resp.GetData()) != 1 {
			d.dropPeer(from, fmt.Errorf("%w: %d bytes where 1 was asked for", ErrWrongData, len(resp.GetData())))
			continue
		}
		d.total = int64(size)
		if d.part.size > d.total { // what lies there is not of this module
			return d.part.reset()
		}
		return nil
	}
}

// fetchChunk gets one chunk from whichever peer of the group gives it.
func (d *download) fetchChunk(ctx context.Context, off, n int64) ([]byte, error) {
	for {
		from, ok := d.pick(int(off / MaxChunk))
		if !ok {
			return nil, ErrNoSource
		}
		resp, err := d.ask(ctx, from, off, n)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, rpc.ErrInvalid): // an offset beyond what the peer takes for the end
			d.disputePeer(from, err)
		case err != nil:
			d.dropPeer(from, err)
		case resp.GetSize() != uint64(d.total):
			d.disputePeer(from, fmt.Errorf("%w: size %d, another peer says %d", ErrWrongData, resp.GetSize(), d.total))
		case int64(len(resp.GetData())) != n:
			d.dropPeer(from, fmt.Errorf("%w: %d bytes where %d were asked for", ErrWrongData, len(resp.GetData()), n))
		default:
			return resp.GetData(), nil
		}
	}
}

// ask asks one peer for a piece and waits while it is busy.
func (d *download) ask(ctx context.Context, from peer.ID, off, n int64) (*wire.AppResponse, error) {
	for tries := 1; ; tries++ {
		var resp wire.AppResponse
		req := &wire.AppRequest{Sha256: d.sha[:], Offset: uint64(off), Length: uint32(n)}
		err := d.fetcher.Caller.Call(ctx, from, d.fetcher.Protocol, req, &resp)
		if err == nil {
			return &resp, nil
		}
		var refused *rpc.Error
		if tries == maxBusy || !errors.As(err, &refused) || refused.Code != wire.Code_BUSY {
			return nil, err
		}
		pause := time.NewTimer(min(max(refused.RetryAfter, time.Millisecond), maxWait))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		}
	}
}

// pick returns the n-th living peer, round the group.
func (d *download) pick(n int) (peer.ID, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.alive) == 0 {
		return "", false
	}
	return d.alive[n%len(d.alive)], true
}

// dropPeer takes a peer out of the group and reports it.
func (d *download) dropPeer(id peer.ID, cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.remove(id) {
		d.causes = append(d.causes, d.fetcher.drop(id, cause))
	}
}

// disputePeer takes a peer out of the group without blame.
func (d *download) disputePeer(id peer.ID, cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.remove(id) {
		d.disputed = append(d.disputed, dispute{id, cause})
	}
}

// remove reports whether the peer was still there: several chunks may find the same
// fault. The caller holds mu.
func (d *download) remove(id peer.ID) bool {
	i := slices.Index(d.alive, id)
	if i < 0 {
		return false
	}
	d.alive = slices.Delete(slices.Clone(d.alive), i, i+1)
	return true
}
