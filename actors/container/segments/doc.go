// Package segments keeps the proof of a container's sessions: for each second of play a
// signed commitment to what was rendered, what the players signed of it, and at the end
// the session from request to exit. It answers audits from that (docs/spec/work.md).
//
// A [Log] is one session's. It has a goroutine of its own: signing and writing hold up
// neither pictures nor inputs, and what comes faster than the disk takes it is left out
// and counted, never waited for.
package segments

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/ledger/key"
)

// Errors of a Store.
var (
	ErrOptions = errors.New("segments: options")
	// ErrGone: what is asked for is not kept, or not any more.
	ErrGone = errors.New("segments: not kept; windows are kept for five minutes, commitments for a day")
	// ErrBroken: a file that was not written by this version, or was changed since.
	ErrBroken = errors.New("segments: a file of segments is broken")
)

// Bounds of what is kept unless Options say otherwise.
const (
	KeepFor      = 24 * time.Hour
	MaxBytes     = 512 << 20 // of all sessions; those that have ended give way
	MaxQualities = 1000      // sessions whose quality is kept
	// KeepStates is how long the states of a session that has ended can still be audited.
	KeepStates = 5 * time.Minute
)

// shareOf one session in MaxBytes, twice: once for what is signed, once for what is
// replayed.
const shareOf = 8

// Options of a Store.
type Options struct {
	Dir   string             // made when there is none; mode 0700
	Chain string             // network whose domain everything is signed under
	Key   ed25519.PrivateKey // the node's
	// Keep, MaxBytes and MaxQualities bound what is on the disk; 0 takes the defaults.
	Keep         time.Duration
	MaxBytes     int64
	MaxQualities int
	Now          func() time.Time // nil = time.Now
	Log          *slog.Logger     // nil = silent
	// Double makes every session of this container cheat: for tests and demonstrations.
	Double Double
}

// Store is the proof of all sessions of a container. Its methods may be called from any
// goroutine.
type Store struct {
	o    Options
	node key.Node

	mu      sync.Mutex
	live    map[[16]byte]*Log
	pruning sync.Mutex
	wg      sync.WaitGroup
	abandon sync.Once
	gone    chan struct{} // closed by Abandon
}

// Open takes over a directory. What an earlier run left there can still be audited.
func Open(o Options) (*Store, error) {
	if o.Dir == "" || o.Chain == "" || len(o.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: Dir, Chain and Key are needed", ErrOptions)
	}
	if o.Keep == 0 {
		o.Keep = KeepFor
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = MaxBytes
	}
	if o.MaxQualities == 0 {
		o.MaxQualities = MaxQualities
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []string{o.Dir, filepath.Join(o.Dir, qualityDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("segments: %w; name a directory that can be written", err)
		}
	}
	if err := record.Sweep(filepath.Join(o.Dir, qualityDir)); err != nil {
		return nil, fmt.Errorf("segments: %w", err)
	}
	s := &Store{o: o, node: key.Node(o.Key[ed25519.SeedSize:]), live: map[[16]byte]*Log{}, gone: make(chan struct{})}
	s.prune()
	return s, nil
}

// Node is the key that signs.
func (s *Store) Node() key.Node { return s.node }

// Dir is where it keeps them.
func (s *Store) Dir() string { return s.o.Dir }

// Double is how this container cheats; Honest for all but tests and demonstrations.
func (s *Store) Double() Double { return s.o.Double }

// Abandon ends all logs as a power cut would: what is not on the disk yet never will be.
func (s *Store) Abandon() { s.abandon.Do(func() { close(s.gone) }) }

// Close waits until the logs of all sessions that have ended are on the disk. No session
// may be begun after it.
func (s *Store) Close() { s.wg.Wait() }
