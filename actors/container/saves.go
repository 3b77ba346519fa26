package container

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/app"
)

// A save file is a header and what the app saved, at most 64 KiB:
//
//	0   magic "fmsave01"
//	8   SHA-256 of the app's module
//	40  the player's Ed25519 public key
//	72  SHA-256 of the bytes from 104 on
//	104 what the app saved
const (
	saveMagic  = "fmsave01"
	saveHeader = 8 + 3*32
	saveBlock  = 4096     // bytes that even a small file takes of a disk
	saveTotal  = 64 << 20 // bytes of all saves; beyond, the oldest go
)

var errSave = errors.New("container: not a save of this app and player")

// saveKey is whose save it is.
type saveKey struct{ app, player [32]byte }

// name is the file's. It is a hash, so that a listing names nobody.
func (k saveKey) name() string {
	sum := sha256.Sum256(append(k.app[:], k.player[:]...))
	return hex.EncodeToString(sum[:]) + ".save"
}

// encodeSave makes a save file's content.
func encodeSave(k saveKey, data []byte) []byte {
	sum := sha256.Sum256(data)
	b := append(make([]byte, 0, saveHeader+len(data)), saveMagic...)
	b = append(b, k.app[:]...)
	b = append(b, k.player[:]...)
	b = append(b, sum[:]...)
	return append(b, data...)
}

// decodeSave returns what the app saved, or errSave for anything that encodeSave did
// not make for this key.
func decodeSave(k saveKey, b []byte) ([]byte, error) {
	if len(b) < saveHeader || len(b) > saveHeader+app.MaxSave || string(b[:8]) != saveMagic ||
		!bytes.Equal(b[8:40], k.app[:]) || !bytes.Equal(b[40:72], k.player[:]) {
		return nil, errSave
	}
	data := b[saveHeader:]
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], b[72:104]) {
		return nil, errSave
	}
	return data, nil
}

// saves keeps what apps save for their players, in one directory. Writing happens on
// a goroutine of its own that lives while there is something to write; what waits for
// it can be read already.
type saves struct {
	dir   string
	limit int64
	log   *slog.Logger

	mu      sync.Mutex
	files   map[string]saveFile
	total   int64
	pending map[saveKey]*waitingSave
	idle    chan struct{} // closed when nothing waits any more; nil while nothing does
}

// waitingSave is one that is not on the disk yet.
type waitingSave struct{ data []byte }

// saveFile is what the store knows of a file.
type saveFile struct {
	size int64 // on the disk, bytes
	at   time.Time
}

// openSaves takes over a directory, which it makes when there is none. What a crash
// left half written is removed.
func openSaves(dir string, limit int64, log *slog.Logger) (*saves, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("container: directory of saves: %w; name one that can be written", err)
	}
	if err := record.Sweep(dir); err != nil {
		return nil, fmt.Errorf("container: directory of saves: %w", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("container: directory of saves: %w", err)
	}
	s := &saves{dir: dir, limit: limit, log: log, files: map[string]saveFile{}, pending: map[saveKey]*waitingSave{}}
	for _, e := range list {
		if fi, err := e.Info(); err == nil && fi.Mode().IsRegular() && strings.HasSuffix(e.Name(), ".save") {
			s.note(e.Name(), saveFile{onDisk(fi.Size()), fi.ModTime()})
		}
	}
	return s, nil
}

func onDisk(size int64) int64 { return (size + saveBlock - 1) / saveBlock * saveBlock }

// note counts a file in place of an older one of this name.
func (s *saves) note(name string, f saveFile) {
	s.total += f.size - s.files[name].size
	s.files[name] = f
}

// of is one player's save of one app.
func (s *saves) of(k saveKey) session.Save { return keptSave{s, k} }

type keptSave struct {
	s *saves
	k saveKey
}

// Load implements session.Save.
func (k keptSave) Load() []byte { return k.s.get(k.k) }

// Store implements session.Save.
func (k keptSave) Store(data []byte) { k.s.put(k.k, data) }

// get returns the newest save, nil when there is none. One that is broken counts as
// none: the player starts anew, and the next save replaces it.
func (s *saves) get(k saveKey) []byte {
	s.mu.Lock()
	w := s.pending[k]
	s.mu.Unlock()
	if w != nil {
		return w.data
	}
	f, err := os.Open(filepath.Join(s.dir, k.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var data []byte
	if err == nil {
		defer f.Close()
		var b []byte
		if b, err = io.ReadAll(io.LimitReader(f, saveHeader+app.MaxSave+1)); err == nil {
			data, err = decodeSave(k, b)
		}
	}
	if err != nil {
		s.log.Warn("a save cannot be read; its player starts anew", "file", k.name(), "err", err)
		return nil
	}
	return data
}

// put replaces a save. It does not wait for the disk; a newer save overtakes one that
// has not been written. The data is the store's from here on.
func (s *saves) put(k saveKey, data []byte) {
	if len(data) > app.MaxSave {
		return // no worker lets this happen
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[k] = &waitingSave{data}
	if s.idle == nil {
		s.idle = make(chan struct{})
		go s.work()
	}
}

// work writes until nothing waits.
func (s *saves) work() {
	for {
		k, w := s.next()
		if w == nil {
			return
		}
		if err := s.write(k, w.data); err != nil {
			s.log.Warn("a save is lost; make room on the disk or look at the directory's rights", "dir", s.dir, "err", err)
		}
		s.mu.Lock()
		if s.pending[k] == w {
			delete(s.pending, k)
		}
		s.mu.Unlock()
	}
}

func (s *saves) next() (saveKey, *waitingSave) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, w := range s.pending {
		return k, w
	}
	close(s.idle)
	s.idle = nil
	return saveKey{}, nil
}

// write puts a save on the disk, whole or not at all, and makes room for it.
func (s *saves) write(k saveKey, data []byte) error {
	b := encodeSave(k, data)
	if err := record.Write(filepath.Join(s.dir, k.name()), b); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(k.name(), saveFile{onDisk(int64(len(b))), time.Now()})
	s.makeRoom(k.name())
	return nil
}

// makeRoom removes the oldest saves until the rest is within the limit. The one that
// was just written stays.
func (s *saves) makeRoom(keep string) {
	for s.total > s.limit {
		oldest := ""
		for name, f := range s.files {
			if name != keep && (oldest == "" || f.at.Before(s.files[oldest].at)) {
				oldest = name
			}
		}
		if oldest == "" {
			return
		}
		if err := os.Remove(filepath.Join(s.dir, oldest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("an old save cannot be removed", "file", oldest, "err", err)
		}
		s.total -= s.files[oldest].size
		delete(s.files, oldest)
	}
}

// settled is closed when all that was put before is on the disk.
func (s *saves) settled() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil {
		return s.idle
	}
	done := make(chan struct{})
	close(done)
	return done
}
