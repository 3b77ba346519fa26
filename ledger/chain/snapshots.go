package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/framemesh/framemesh/ledger/store"
)

// snapshotFormat is the version of the layout that ledger/store writes.
const snapshotFormat = 1

// snapshots makes snapshots of the state for others to start from, beside the chain, and
// holds the one that this node itself starts from while it comes in.
type snapshots struct {
	every   uint64
	keep    int
	tree    *store.Tree
	files   *store.Snapshots
	log     *slog.Logger
	metrics *metrics

	// in
	due  chan int64
	done chan struct{}
	wait sync.WaitGroup

	lowest atomic.Uint64 // of those that are kept, 0 = none

	coming *store.Import // snapshot line only
}

func openSnapshots(c Config, db *store.DB, tree *store.Tree, m *metrics) (*snapshots, error) {
	s := &snapshots{every: c.SnapshotEvery, keep: c.KeepSnapshots, tree: tree, files: db.Snapshots(), log: c.Log,
		metrics: m, due: make(chan int64, 1), done: make(chan struct{})}
	if err := s.count(); err != nil {
		return nil, err
	}
	s.wait.Go(s.run)
	return s, nil
}

// run makes one snapshot after the other. One that falls due while another is made is left
// out: the next comes.
func (s *snapshots) run() {
	for {
		select {
		case <-s.done:
			return
		case version := <-s.due:
			if err := s.make(version); err != nil {
				s.log.Warn("no snapshot was made; others cannot start from this node until the next", "height", version, "err", err)
			}
		}
	}
}

func (s *snapshots) make(version int64) error {
	if _, err := s.files.Create(s.tree, version); err != nil {
		return err
	}
	return errors.Join(s.files.Retain(s.keep), s.count())
}

func (s *snapshots) count() error {
	have, err := s.files.List()
	if err != nil {
		return err
	}
	lowest := uint64(0)
	if len(have) > 0 {
		lowest = uint64(have[len(have)-1])
	}
	s.lowest.Store(lowest)
	s.metrics.snapshots.Set(float64(len(have)))
	return nil
}

// after is told each committed height.
func (s *snapshots) after(height uint64) {
	if s.every == 0 || height%s.every != 0 {
		return
	}
	select {
	case s.due <- int64(height):
	default:
	}
}

// oldest is the lowest height of the snapshots, 0 when there is none.
func (s *snapshots) oldest() uint64 { return s.lowest.Load() }

// stop waits for a snapshot under way.
func (s *snapshots) stop() {
	close(s.done)
	s.wait.Wait()
}

// ListSnapshots tells other nodes what they can start from.
func (a *application) ListSnapshots(context.Context, *abci.RequestListSnapshots) (*abci.ResponseListSnapshots, error) {
	res := &abci.ResponseListSnapshots{}
	have, err := a.snaps.files.List()
	if err != nil {
		a.log.Warn("snapshots cannot be read", "err", err)
		return res, nil
	}
	for _, version := range have {
		m, err := a.snaps.files.Manifest(version)
		if err != nil {
			continue // deleted in this instant
		}
		hash := m.Hash()
		res.Snapshots = append(res.Snapshots, &abci.Snapshot{
			Height: uint64(version), Format: snapshotFormat, Chunks: uint32(len(m.Chunks)), Hash: hash[:], Metadata: m.Marshal(),
		})
	}
	return res, nil
}

// LoadSnapshotChunk reads a chunk for another node; empty when it is not there.
func (a *application) LoadSnapshotChunk(_ context.Context, req *abci.RequestLoadSnapshotChunk) (*abci.ResponseLoadSnapshotChunk, error) {
	if req.Format != snapshotFormat {
		return &abci.ResponseLoadSnapshotChunk{}, nil
	}
	chunk, err := a.snaps.files.Chunk(int64(req.Height), int(req.Chunk))
	if err != nil {
		a.log.Debug("a snapshot's chunk was asked for that is not there", "height", req.Height, "chunk", req.Chunk, "err", err)
		return &abci.ResponseLoadSnapshotChunk{}, nil
	}
	return &abci.ResponseLoadSnapshotChunk{Chunk: chunk}, nil
}

// OfferSnapshot looks at a snapshot that a peer has: its root must be the one that a
// verified header commits to.
func (a *application) OfferSnapshot(_ context.Context, req *abci.RequestOfferSnapshot) (*abci.ResponseOfferSnapshot, error) {
	answer := func(r abci.ResponseOfferSnapshot_Result) (*abci.ResponseOfferSnapshot, error) {
		return &abci.ResponseOfferSnapshot{Result: r}, nil
	}
	s := req.Snapshot
	if s == nil || s.Format != snapshotFormat {
		return answer(abci.ResponseOfferSnapshot_REJECT_FORMAT)
	}
	m, err := store.ParseManifest(s.Metadata)
	if err != nil {
		a.log.Warn("a peer offers a broken snapshot", "height", s.Height, "err", err)
		return answer(abci.ResponseOfferSnapshot_REJECT_SENDER)
	}
	hash := m.Hash()
	if !bytes.Equal(hash[:], s.Hash) || uint64(m.Version) != s.Height || len(m.Chunks) != int(s.Chunks) {
		return answer(abci.ResponseOfferSnapshot_REJECT_SENDER)
	}
	if !bytes.Equal(m.Root[:], req.AppHash) {
		a.log.Warn("a peer offers a snapshot of another state", "height", s.Height)
		return answer(abci.ResponseOfferSnapshot_REJECT)
	}
	if err := a.dropComing(); err != nil {
		return nil, err
	}
	if a.snaps.coming, err = a.tree.Import(m); err != nil {
		return nil, fmt.Errorf("chain: snapshot of block %d: %w", s.Height, err)
	}
	return answer(abci.ResponseOfferSnapshot_ACCEPT)
}

func (a *application) dropComing() error {
	if a.snaps.coming == nil {
		return nil
	}
	err := a.snaps.coming.Abort()
	a.snaps.coming = nil
	if err != nil {
		return fmt.Errorf("chain: dropping an unfinished snapshot: %w", err)
	}
	return nil
}

// ApplySnapshotChunk takes the next chunk; the last makes the snapshot this node's state.
func (a *application) ApplySnapshotChunk(_ context.Context, req *abci.RequestApplySnapshotChunk) (*abci.ResponseApplySnapshotChunk, error) {
	in := a.snaps.coming
	if in == nil {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT}, nil
	}
	err := in.Add(req.Chunk)
	if errors.Is(err, store.ErrSnapshot) {
		a.log.Warn("a peer sent a wrong chunk of a snapshot", "chunk", req.Index, "peer", req.Sender, "err", err)
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_RETRY,
			RefetchChunks: []uint32{req.Index}, RejectSenders: []string{req.Sender}}, nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("chain: snapshot: %w", err), a.dropComing())
	}
	if in.Missing() > 0 {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ACCEPT}, nil
	}
	a.snaps.coming = nil
	err = in.Commit()
	if errors.Is(err, store.ErrSnapshot) {
		a.log.Warn("a snapshot does not hold what it says", "err", err)
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("chain: snapshot: %w", err)
	}
	return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ACCEPT}, a.adopt()
}

// adopt goes on from an imported state.
func (a *application) adopt() error {
	if err := a.openMachine(); err != nil {
		return err
	}
	h := a.machine.Head()
	return a.publish(Head{Height: h.Height, TimeMS: h.TimeMS, Epoch: h.Epoch, AppHash: [32]byte(a.tree.Root())})
}
