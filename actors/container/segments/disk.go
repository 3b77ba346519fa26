package segments

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/framemesh/framemesh/actors/record"
)

// Layout below the directory: <session in hex>/<minute>.seg with the frames that came
// while that minute of play ran, <session in hex>/play with what a replay needs
// (segment.Keeper), and quality/<session in hex>.json.
const (
	qualityDir = "quality"
	playDir    = "play"
	segSuffix  = ".seg"
	jsonSuffix = ".json"
)

func (s *Store) sessionDir(id [16]byte) string {
	return filepath.Join(s.o.Dir, hex.EncodeToString(id[:]))
}

func (s *Store) minuteFile(id [16]byte, minute uint32) string {
	return filepath.Join(s.sessionDir(id), fmt.Sprintf("%08d%s", minute, segSuffix))
}

// kept is a session on the disk.
type kept struct {
	dir  string
	size int64
	at   time.Time // of the newest write
}

// prune removes what is too old, and of what has ended the oldest until all is within
// the bounds. Sessions that run look after themselves.
func (s *Store) prune() {
	if !s.pruning.TryLock() {
		return
	}
	defer s.pruning.Unlock()
	now := s.o.Now()
	ended, total := s.ended()
	for _, k := range ended {
		if age := now.Sub(k.at); age > s.o.Keep || total > s.o.MaxBytes {
			s.discard(os.RemoveAll(k.dir))
			total -= k.size
		} else if age > KeepStates {
			s.discard(removeStates(filepath.Join(k.dir, playDir)))
		}
	}
	s.pruneQualities()
}

// ended lists the sessions that do not run, the oldest first, and how many bytes all
// sessions take.
func (s *Store) ended() (out []kept, total int64) {
	entries, err := os.ReadDir(s.o.Dir)
	s.discard(err)
	for _, e := range entries {
		raw, err := hex.DecodeString(e.Name())
		if err != nil || len(raw) != 16 || !e.IsDir() {
			continue
		}
		k := kept{dir: filepath.Join(s.o.Dir, e.Name())}
		_ = filepath.WalkDir(k.dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // gone since
			}
			if fi, err := d.Info(); err == nil {
				k.size += fi.Size()
				if fi.ModTime().After(k.at) {
					k.at = fi.ModTime()
				}
			}
			return nil
		})
		total += k.size
		if s.running([16]byte(raw)) == nil {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b kept) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.dir, b.dir)
	})
	return out, total
}

// removeStates removes what only a replay from a state needs; inputs stay.
func removeStates(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // there was never any
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "state-") || strings.HasPrefix(e.Name(), "base") {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func (s *Store) pruneQualities() {
	files := qualityFiles(s.o.Dir)
	for _, f := range files[:max(len(files)-s.o.MaxQualities, 0)] {
		s.discard(os.Remove(f.dir))
	}
}

// qualityFiles lists the qualities in a store's directory, the oldest first, without one that is
// just being written.
func qualityFiles(dir string) []kept {
	return slices.DeleteFunc(byAge(filepath.Join(dir, qualityDir)), func(f kept) bool {
		return strings.HasPrefix(filepath.Base(f.dir), ".") || !strings.HasSuffix(f.dir, jsonSuffix)
	})
}

// byAge lists the files of a directory, the oldest first.
func byAge(dir string) (out []kept) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if fi, err := e.Info(); err == nil && fi.Mode().IsRegular() {
			out = append(out, kept{filepath.Join(dir, e.Name()), fi.Size(), fi.ModTime()})
		}
	}
	slices.SortFunc(out, func(a, b kept) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.dir, b.dir)
	})
	return out
}

func (s *Store) discard(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.o.Log.Warn("old segments cannot be removed; look at the directory's rights", "dir", s.o.Dir, "err", err)
	}
}

// minutes lists the minutes of a session that are on the disk, rising.
func (s *Store) minutes(id [16]byte) (out []uint32) {
	entries, err := os.ReadDir(s.sessionDir(id))
	if err != nil {
		return nil
	}
	for _, e := range entries { // by name, so by number
		if name, ok := strings.CutSuffix(e.Name(), segSuffix); ok {
			if n, err := strconv.ParseUint(name, 10, 32); err == nil {
				out = append(out, uint32(n))
			}
		}
	}
	return out
}

// read returns a minute's frames.
func (s *Store) read(id [16]byte, minute uint32) ([]byte, error) {
	b, err := record.Read(s.minuteFile(id, minute), maxFile)
	switch {
	case errors.Is(err, record.ErrLarge):
		return nil, fmt.Errorf("%w: minute %d has more than %d bytes", ErrBroken, minute, maxFile)
	case record.Missing(err):
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	case err != nil:
		return nil, fmt.Errorf("segments: %w", err)
	}
	return b, nil
}
