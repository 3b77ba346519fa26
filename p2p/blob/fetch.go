package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Errors of a fetch.
var (
	// ErrNoSource: every peer failed, lacks the module or was dropped. What had come
	// by then is kept; fetching again goes on from there.
	ErrNoSource = errors.New("blob: no peer left to fetch from; try again when other peers offer the app")
	// ErrTooLarge: the module is larger than the limit.
	ErrTooLarge = errors.New("blob: module is larger than the limit; raise the limit to fetch it")
	// ErrWrongData: a peer sent bytes that are not the module.
	ErrWrongData = errors.New("blob: peer served wrong data")
	// ErrInProgress: this process is fetching the same module into the same folder.
	ErrInProgress = errors.New("blob: module is being fetched already; wait for that to end")
)

// maxInFlight is how many chunks are asked for at once.
const maxInFlight = 4

// Caller calls an RPC of a peer; *rpc.Client does.
type Caller interface {
	Call(ctx context.Context, to peer.ID, name string, req, resp proto.Message) error
}

// Fetcher fetches modules into a folder.
type Fetcher struct {
	Caller   Caller
	Protocol string                          // that peers serve it under; "" = Protocol
	Dir      string                          // made when missing
	Max      int64                           // bytes of the largest module taken
	Progress func(done, total int64)         // called after each chunk, in order; nil = not
	Dropped  func(from peer.ID, cause error) // a peer is asked no more for this module; nil = not
}

// Fetch fetches the module with the given SHA-256 from peers into dir and returns
// its path, dir/<64 hex digits>. See Fetcher.Fetch.
func Fetch(ctx context.Context, c Caller, peers []peer.ID, sha [32]byte, dir string, limit int64, progress func(done, total int64)) (string, error) {
	f := Fetcher{Caller: c, Dir: dir, Max: limit, Progress: progress}
	return f.Fetch(ctx, peers, sha)
}

// Fetch fetches a module: chunks of MaxChunk, four in flight, spread over the peers.
// The file gets its name, Dir/<64 hex digits>, only when all of it is there and its
// hash is right; until then it is Dir/<hex>.part, from which a later Fetch goes on.
// Dir must belong to the caller alone.
//
// When the hash is wrong, what came is thrown away and the peers are tried one by
// one, so that the one that lies is known: it is reported to Dropped and named in the
// error. Errors are ErrNoSource, ErrTooLarge, ErrInProgress (all with their causes)
// or ctx's own.
func (f *Fetcher) Fetch(ctx context.Context, peers []peer.ID, sha [32]byte) (string, error) {
	path := filepath.Join(f.Dir, hex.EncodeToString(sha[:]))
	if f.Protocol == "" {
		g := *f
		g.Protocol, f = Protocol, &g
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return "", fmt.Errorf("blob: %w", err)
	}
	if _, busy := inProgress.LoadOrStore(path, struct{}{}); busy {
		return "", ErrInProgress
	}
	defer inProgress.Delete(path)
	if have, err := hashFile(path); err == nil && have == sha {
		return path, nil
	}

	part, err := openPartial(path + ".part")
	if err != nil {
		return "", err
	}
	defer part.close()
	peers = distinct(peers)
	var causes []error
	// All together first. Where they contradict each other or the hash is wrong, one
	// by one, each from the start, so that no peer answers for the bytes of another.
	groups := [][]peer.ID{peers}
	for len(groups) > 0 {
		group := groups[0]
		groups = groups[1:]
		resumed := part.size > 0
		d := &download{fetcher: f, sha: sha, part: part, alive: group}
		err := d.run(ctx)
		causes = append(causes, d.causes...)
		wrong := errors.Is(err, errHash)
		switch {
		case err == nil:
			return path, part.commit(path)
		case ctx.Err() != nil:
			return "", fmt.Errorf("blob: fetch %x: %w", sha[:4], ctx.Err())
		case len(group) > 1 && (wrong || len(d.disputed) > 0), wrong && resumed:
			for _, id := range group {
				groups = append(groups, []peer.ID{id})
			}
		case wrong:
			causes = append(causes, f.drop(group[0], ErrWrongData))
		case len(d.disputed) > 0: // alone, it contradicts itself
			causes = append(causes, f.drop(group[0], d.disputed[0].cause))
		case errors.Is(err, ErrNoSource), errors.Is(err, ErrTooLarge) && len(groups) > 0:
			// The causes say why; the next peer may do better.
		default:
			return "", errors.Join(append([]error{err}, causes...)...)
		}
		if wrong || len(groups) > 0 {
			if err := part.reset(); err != nil {
				return "", err
			}
		}
	}
	return "", errors.Join(append([]error{ErrNoSource}, causes...)...)
}

// inProgress holds the paths that this process is fetching to.
var inProgress sync.Map

// drop reports a peer and returns the cause with its name.
func (f *Fetcher) drop(id peer.ID, cause error) error {
	if f.Dropped != nil {
		f.Dropped(id, cause)
	}
	return fmt.Errorf("peer %s: %w", id, cause)
}

func distinct(peers []peer.ID) []peer.ID {
	seen := make(map[peer.ID]bool, len(peers))
	var out []peer.ID
	for _, id := range peers {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// Info is what a peer says of a module besides its bytes.
type Info struct {
	Size     int64
	Manifest []byte // app.toml, at most MaxManifest bytes, unchecked
	Picture  []byte // PNG, at most MaxPicture bytes, unchecked; nil when there is none
}

// Describe asks one peer for the size, manifest and picture of a module. Nothing of
// it is covered by the hash.
func Describe(ctx context.Context, c Caller, from peer.ID, sha [32]byte) (Info, error) {
	var resp wire.AppResponse
	if err := c.Call(ctx, from, Protocol, &wire.AppRequest{Sha256: sha[:]}, &resp); err != nil {
		return Info{}, err
	}
	if len(resp.GetManifest()) > MaxManifest || len(resp.GetPicture()) > MaxPicture || int64(resp.GetSize()) < 0 {
		return Info{}, fmt.Errorf("%w: description beyond the limits", ErrWrongData)
	}
	return Info{Size: int64(resp.GetSize()), Manifest: resp.GetManifest(), Picture: resp.GetPicture()}, nil
}

func hashFile(path string) (sum [32]byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return sum, err
	}
	return [32]byte(h.Sum(nil)), nil
}

// partial is the file that grows; it always holds a prefix of the module, so its
// size alone says where to go on.
type partial struct {
	file *os.File
	size int64
}

func openPartial(path string) (*partial, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("blob: %w", err)
	}
	return &partial{file: file, size: size}, nil
}

func (p *partial) append(b []byte) error {
	if _, err := p.file.WriteAt(b, p.size); err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	p.size += int64(len(b))
	return nil
}

func (p *partial) reset() error {
	p.size = 0
	if err := p.file.Truncate(0); err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	return nil
}

func (p *partial) hash() (sum [32]byte, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(p.file, 0, p.size)); err != nil {
		return sum, fmt.Errorf("blob: %w", err)
	}
	return [32]byte(h.Sum(nil)), nil
}

// commit gives the file its name, after its bytes are on the disk.
func (p *partial) commit(path string) error {
	if err := p.file.Sync(); err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	if err := os.Rename(p.file.Name(), path); err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil { // best effort: not every file system syncs folders
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}

// close leaves no empty file behind.
func (p *partial) close() {
	p.file.Close()
	if p.size == 0 {
		if err := os.Remove(p.file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // an empty file in the way costs nothing
		}
	}
}
