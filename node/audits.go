package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/replay"
	"github.com/framemesh/framemesh/actors/container"
	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/blob"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Modules that a checker fetched for audits and keeps for the next ones.
const (
	maxModules     = 32
	maxModuleBytes = 512 << 20
)

// askAuditTime bounds one question: an answer of some megabytes through a home's upload.
const askAuditTime = 30 * time.Second

var errNotDrawn = errors.New("node: this checker is not drawn for this container in that epoch; compare the assignment")

// mayAudit says why a checker may not audit a session of this node's container: it must be
// drawn for its batch in an epoch that runs, or in the one before.
func (n *Node) mayAudit(ctx context.Context, by key.Node, epoch uint64, _ [16]byte) error {
	l := n.Ledger()
	if l == nil {
		return errNotDrawn
	}
	now := l.EpochAt(uint64(max(n.o.Now().UnixMilli(), 0)))
	if epoch > now+1 || epoch+1 < now {
		return fmt.Errorf("%w (it is epoch %d here, and not %d)", errNotDrawn, now, epoch)
	}
	r, err := l.Roll(ctx, epoch)
	if err != nil {
		return err
	}
	self, err := key.NodeOf(n.ID())
	if err != nil {
		return err
	}
	at, _, ok := r.Assignment.Of(self)
	if !ok {
		return errNotDrawn
	}
	b := &r.Assignment.Batches[at]
	if !slices.Contains(b.Committee, by) && !slices.Contains(b.Reserve, by) {
		return errNotDrawn
	}
	return nil
}

// newestSegment is the newest second of a session that this node's container has signed.
func (n *Node) newestSegment(session [16]byte) *proof.Signed {
	s := n.kept.Load()
	if s == nil {
		return nil
	}
	o := s.Latest(session)
	if o == nil {
		return nil
	}
	return o.Signed
}

// auditing is how this node's checker audits sessions: in a process of its own, with modules
// from its own apps or from the container that it audits.
func (n *Node) auditing(b book) (*checker.AuditOptions, error) {
	st, err := OpenStore(n.dir, true)
	if err != nil {
		return nil, err
	}
	compiled := filepath.Join(n.o.CacheDir, "compiled")
	if err := os.MkdirAll(compiled, 0o700); err != nil {
		return nil, fmt.Errorf("node: %w; name a cache directory that can be written", err)
	}
	m := modules{n, st, filepath.Join(n.dir, "modules")}
	return &checker.AuditOptions{
		Ask: func(ctx context.Context, to peer.ID, req *wire.AuditRequest) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, askAuditTime)
			defer cancel()
			resp := new(wire.AuditResponse)
			if err := n.client.Reading(proof.MaxAudit).Call(ctx, to, container.AuditProtocol, req, resp); err != nil {
				return nil, err
			}
			return resp.GetStatement(), nil
		},
		Session: func(ctx context.Context, of key.Node, session [16]byte) (s checker.AuditSession, ok bool, err error) {
			on, ok, err := b.Session(ctx, of, session)
			return checker.AuditSession{Player: on.Player, OpenedMS: on.OpenedMS}, ok, err
		},
		Module: m.get,
		Judge:  replay.Process{CacheDir: compiled}.Audit,
	}, nil
}

// modules finds the modules of apps.
type modules struct {
	n   *Node
	own *store.Store
	dir string
}

// get returns a module by its SHA-256, from this machine or from the container itself, which
// has to have it and can name no other: the hash is checked.
func (m modules) get(ctx context.Context, sha [32]byte, container peer.ID) ([]byte, error) {
	code, err := m.own.Module(sha)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return code, err
	}
	m.makeRoom()
	path, err := blob.Fetch(ctx, m.n.client, []peer.ID{container}, sha, m.dir, maxFetch, nil)
	if err != nil {
		return nil, err
	}
	now := m.n.o.Now()
	_ = os.Chtimes(path, now, now) // those that are not used for long give way first
	return os.ReadFile(path)
}

// makeRoom removes the modules that were not used for longest, until one more fits.
func (m modules) makeRoom() {
	list, err := os.ReadDir(m.dir)
	if err != nil {
		return // there is none yet
	}
	var files []fs.FileInfo
	total := int64(maxFetch)
	for _, e := range list {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for i, f := range files {
		if len(files)-i < maxModules && total <= maxModuleBytes {
			return
		}
		if os.Remove(filepath.Join(m.dir, f.Name())) == nil {
			total -= f.Size()
		}
	}
}
