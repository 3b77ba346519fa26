package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// Snapshots keeps exported versions as files, to be served to nodes that join:
// <dir>/<version>/manifest and <dir>/<version>/<chunk>.
type Snapshots struct {
	dir string
	mu  sync.Mutex // one Create or Retain at a time
}

// Snapshots are kept beside the database's own files.
func (d *DB) Snapshots() *Snapshots { return &Snapshots{dir: filepath.Join(d.dir, "snapshots")} }

const unfinished = ".unfinished"

// Create exports a version, whole or not at all. One that is there already is kept.
func (s *Snapshots) Create(t *Tree, version int64) (m *Manifest, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, err := s.Manifest(version); err == nil {
		return m, nil
	}
	tmp := filepath.Join(s.dir, unfinished)
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o700)); err != nil {
		return nil, fmt.Errorf("store: making a snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	n := 0
	m, err = t.Export(version, func(chunk []byte) error {
		if err := t.db.room(); err != nil {
			return err
		}
		n++
		return write(filepath.Join(tmp, strconv.Itoa(n-1)), chunk)
	})
	if err != nil {
		return nil, err
	}
	if err := write(filepath.Join(tmp, "manifest"), m.Marshal()); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, s.path(version)); err != nil {
		return nil, fmt.Errorf("store: making a snapshot: %w", err)
	}
	return m, nil
}

func write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(data)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("store: making a snapshot: %w", err)
	}
	return nil
}

func (s *Snapshots) path(version int64) string {
	return filepath.Join(s.dir, strconv.FormatInt(version, 10))
}

// List names the versions there are, newest first.
func (s *Snapshots) List() ([]int64, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: listing the snapshots: %w", err)
	}
	var all []int64
	for _, e := range entries {
		if v, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && v > 0 && strconv.FormatInt(v, 10) == e.Name() {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all, nil
}

// Manifest reads the one of a version. It wraps fs.ErrNotExist when there is none.
func (s *Snapshots) Manifest(version int64) (*Manifest, error) {
	raw, err := load(filepath.Join(s.path(version), "manifest"), MaxManifest)
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(raw)
	if err == nil && m.Version != version {
		err = fmt.Errorf("%w: the one of version %d is of version %d", ErrSnapshot, version, m.Version)
	}
	return m, err
}

// Chunk reads one chunk. It wraps ErrSnapshot when the file is damaged, and fs.ErrNotExist
// when there is none.
func (s *Snapshots) Chunk(version int64, index int) ([]byte, error) {
	m, err := s.Manifest(version)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(m.Chunks) {
		return nil, fmt.Errorf("store: chunk %d of %d: %w", index, len(m.Chunks), fs.ErrNotExist)
	}
	chunk, err := load(filepath.Join(s.path(version), strconv.Itoa(index)), MaxChunk)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(chunk) != m.Chunks[index] {
		return nil, fmt.Errorf("%w: chunk %d of version %d is damaged on this disk", ErrSnapshot, index, version)
	}
	return chunk, nil
}

func load(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("store: reading a snapshot: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("store: reading a snapshot: %w", err)
	}
	if len(raw) > limit {
		return nil, fmt.Errorf("%w: %s is over %d bytes", ErrSnapshot, path, limit)
	}
	return raw, nil
}

// Retain deletes all but the newest keep.
func (s *Snapshots) Retain(keep int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.List()
	if err != nil {
		return err
	}
	for _, v := range all[min(max(keep, 0), len(all)):] {
		if err := os.RemoveAll(s.path(v)); err != nil {
			return fmt.Errorf("store: deleting a snapshot: %w", err)
		}
	}
	return nil
}
