package node

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/replay"
	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/blob"
	"github.com/framemesh/framemesh/p2p/check"
)

// maxHeldEvidence is how many files of other checkers are kept; the oldest give way.
const maxHeldEvidence = 16

// evidence is where a checker has files that others may ask for by their SHA-256: what it
// can prove, what it got of others for an appeal, and the apps that these are about; and the
// ballots of batches that it judged, by the SHA-256 of the result.
type evidence struct {
	own                   *store.Store
	proofs, held, modules string // folders
}

var _ blob.Named = evidence{}

// path finds a file; fs.ErrNotExist where there is none.
func (e evidence) path(sha [32]byte) (string, error) {
	name := hex.EncodeToString(sha[:])
	for _, p := range []string{
		filepath.Join(e.proofs, name+checker.ProofSuffix), filepath.Join(e.proofs, name+checker.AnswerSuffix),
		filepath.Join(e.proofs, name+checker.BallotSuffix), filepath.Join(e.held, name), filepath.Join(e.modules, name),
	} {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p, nil
		}
	}
	return e.own.Path(sha)
}

// Size implements blob.Source.
func (e evidence) Size(sha [32]byte) (int64, error) {
	p, err := e.path(sha)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(p)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// ReadAt implements blob.Source.
func (e evidence) ReadAt(sha [32]byte, b []byte, off int64) (n int, err error) {
	p, err := e.path(sha)
	if err != nil {
		return 0, err
	}
	f, err := os.Open(p)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err = f.ReadAt(b, off)
	if n == len(b) && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Manifest implements blob.Source; evidence has none.
func (evidence) Manifest([32]byte) ([]byte, error) { return nil, nil }

// Picture implements blob.Source; evidence has none.
func (evidence) Picture([32]byte) ([]byte, error) { return nil, fs.ErrNotExist }

// Whole implements blob.Named for what this checker can prove and what it got.
func (e evidence) Whole(name [blob.NameSize]byte) (sha [32]byte, err error) {
	prefix := hex.EncodeToString(name[:])
	for _, dir := range []string{e.proofs, e.held} {
		list, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sha, err
		}
		for _, f := range list {
			id := strings.TrimSuffix(strings.TrimSuffix(f.Name(), checker.ProofSuffix), checker.AnswerSuffix)
			if b, err := hex.DecodeString(id); err == nil && len(b) == len(sha) && strings.HasPrefix(id, prefix) {
				return [32]byte(b), nil
			}
		}
	}
	return sha, fs.ErrNotExist
}

// named returns a piece of evidence by its name, from this machine or from a peer.
func (e evidence) named(ctx context.Context, c blob.Caller, name proof.Name, from []peer.ID) ([]byte, error) {
	if sha, err := e.Whole(name); err == nil {
		return e.get(ctx, c, sha, from, e.held, proof.MaxFile)
	}
	f := blob.Fetcher{Caller: c, Protocol: check.EvidenceName, Dir: e.held, Max: proof.MaxFile}
	p, err := f.FetchNamed(ctx, from, name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(p)
}

// get returns a file by its SHA-256, from this machine or from a peer.
func (e evidence) get(ctx context.Context, c blob.Caller, sha [32]byte, from []peer.ID, dir string, limit int64) ([]byte, error) {
	p, err := e.path(sha)
	if errors.Is(err, fs.ErrNotExist) {
		f := blob.Fetcher{Caller: c, Protocol: check.EvidenceName, Dir: dir, Max: limit}
		p, err = f.Fetch(ctx, from, sha)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(p)
}

// startAppeals lets a checker answer appeals, and gives others the evidence that it has.
func (n *Node) startAppeals(ctx context.Context, b book, k ed25519.PrivateKey, votes checker.Votes) (*checker.Appeals, error) {
	st, err := OpenStore(n.dir, true)
	if err != nil {
		return nil, err
	}
	compiled := filepath.Join(n.o.CacheDir, "compiled")
	if err := os.MkdirAll(compiled, 0o700); err != nil {
		return nil, fmt.Errorf("node: %w; name a cache directory that can be written", err)
	}
	m := modules{n, st, filepath.Join(n.dir, "modules")}
	e := evidence{own: st, proofs: ProofsDir(n.dir), held: filepath.Join(n.dir, "evidence"), modules: m.dir}
	blob.ServeAs(n.server, check.EvidenceName, e)
	process := replay.Process{CacheDir: compiled}
	a, err := checker.NewAppeals(checker.AppealOptions{System: n.system, Key: k, Book: b, Votes: votes, Calls: check.NewClient(n.client),
		Evidence: func(ctx context.Context, name proof.Name, from []peer.ID) ([]byte, error) {
			n.meetAll(ctx, from)
			e.makeRoom()
			return e.named(ctx, n.client, name, from)
		},
		Module: func(ctx context.Context, sha [32]byte, from []peer.ID) ([]byte, error) {
			m.makeRoom()
			code, err := e.get(ctx, n.client, sha, from, m.dir, maxFetch)
			if err == nil {
				return code, nil
			}
			// The container itself serves its apps under the name of apps.
			path, also := blob.Fetch(ctx, n.client, from, sha, m.dir, maxFetch, nil)
			if also != nil {
				return nil, errors.Join(err, also)
			}
			return os.ReadFile(path)
		},
		Verify: process.Verify, Judge: process.Audit, Dir: filepath.Join(n.dir, "rounds"),
		Now: n.o.Now, Log: n.log, Registerer: n.reg})
	if err != nil {
		return nil, err
	}
	return a, a.Start(ctx)
}

// makeRoom removes the evidence that was got first, until one more file fits.
func (e evidence) makeRoom() {
	list, err := os.ReadDir(e.held)
	if err != nil || len(list) < maxHeldEvidence {
		return // or there is none yet
	}
	age := func(d fs.DirEntry) int64 {
		info, err := d.Info()
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return int(min(max(age(a)-age(b), -1), 1)) })
	for _, d := range list[:len(list)-maxHeldEvidence+1] {
		_ = os.Remove(filepath.Join(e.held, d.Name())) // the next one makes room, too
	}
}
