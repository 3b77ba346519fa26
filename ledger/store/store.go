package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Errors of this package.
var (
	ErrForeign  = errors.New("store: the data directory belongs to another network")
	ErrLocked   = errors.New("store: the data directory is in use by another process")
	ErrDiskFull = errors.New("store: the disk is full")
	ErrClosed   = errors.New("store: closed")
	ErrVersion  = errors.New("store: no such version")
	ErrUnsaved  = errors.New("store: the last save failed")
	ErrSnapshot = errors.New("store: snapshot does not hold")
)

// What Badger is given. Small values stay in its sorted tables; larger ones (parts of
// blocks, answers to blocks) go to its value log, where they count little towards the size
// of one transaction.
const (
	memTable       = 8 << 20  // bytes of a memory table; sets the largest transaction, 15 % of it
	valueThreshold = 4 << 10  // bytes from which a value goes to the value log
	valueLog       = 64 << 20 // bytes of one file of the value log
	collectEvery   = 10 * time.Minute
	closeWait      = 5 * time.Second
)

// Keys of this package's own records; views use the prefixes of view.go.
var identityKey = []byte("!identity")

// Options of Open.
type Options struct {
	// Sync waits for the disk in every write, so that even a power cut loses nothing that
	// was acknowledged. Without it a killed process still loses nothing, a power cut may.
	Sync bool
	// CacheMiB bounds the tree's caches of nodes, which grow to it as they fill. 0 lets them
	// grow with the state: 32 MiB up to 100,000 keys, then a third of a MiB for each thousand,
	// up to 512 MiB or an eighth of the memory.
	CacheMiB int
	// Chain and Genesis (its hash) name the network. They are recorded at the first Open;
	// another one gets ErrForeign. An empty Chain asks nothing and records nothing.
	Chain   string
	Genesis [32]byte
	// Reserve is how many bytes of the disk stay free: under it every write returns
	// ErrDiskFull. Badger writes through memory maps, where a really full disk kills the
	// process instead of returning an error. 0 takes 64 MiB.
	Reserve uint64
	// Log gets what Badger and iavl have to say; nil discards it.
	Log *slog.Logger

	// free reports the free bytes of the disk of a directory; tests set it.
	free func(dir string) (uint64, error)
}

// DB is one open data directory. All its methods may be called at once.
type DB struct {
	dir  string
	opts Options
	bad  *badger.DB

	memory uint64 // of the machine, bytes; 0 = not known

	mu        sync.RWMutex // held for reading by each operation, for writing by Close
	closed    bool
	iterators atomic.Int64

	journal sync.Mutex // one batch larger than a transaction at a time
	pending bool       // the journal holds a batch that is not applied yet; under journal

	tree struct {
		sync.Mutex
		open *Tree
	}
	stop chan struct{}
	done sync.WaitGroup
}

// Open opens or makes the data directory, finishes what a crash interrupted and checks
// whose it is. It returns ErrLocked, ErrForeign, ErrDiskFull, or what the disk says.
func Open(dir string, o Options) (*DB, error) {
	if o.Reserve == 0 {
		o.Reserve = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.free == nil {
		o.free = freeBytes
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: making the data directory: %w; name one that this user may write", err)
	}
	d := &DB{dir: dir, opts: o, memory: machineMemory(), stop: make(chan struct{})}
	if err := d.room(); err != nil {
		return nil, err
	}
	b := badger.DefaultOptions(dir).
		WithSyncWrites(o.Sync).
		WithLogger(badgerLog{o.Log}).
		WithMemTableSize(memTable).
		WithNumMemtables(2).
		WithBlockCacheSize(0). // only compressed blocks need one
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(valueLog).
		WithCompression(options.None). // hashes do not compress
		WithNumCompactors(2).
		WithNumGoroutines(2).
		WithDetectConflicts(false).
		WithMetricsEnabled(false)
	// Tables are built in buffers of twice their size, which are kept for the next ones: the
	// deeper levels have no larger tables than the others.
	b.TableSizeMultiplier = 1
	if err := d.tablesFit(); err != nil {
		return nil, err
	}
	var err error
	if d.bad, err = badger.Open(b); err != nil {
		return nil, d.opening(err)
	}
	if err := errors.Join(d.redo(), d.identify()); err != nil {
		return nil, errors.Join(err, d.bad.Close())
	}
	d.done.Add(1)
	go d.collect()
	return d, nil
}

// tablesFit refuses memory tables that a killed process left and that were larger than ours
// are: Badger would end the process when it reads them.
func (d *DB) tablesFit() error {
	left, err := filepath.Glob(filepath.Join(d.dir, "*.mem"))
	if err != nil {
		return fmt.Errorf("store: looking into %s: %w", d.dir, err)
	}
	for _, file := range left {
		if i, err := os.Stat(file); err == nil && i.Size() > 2*memTable {
			return fmt.Errorf("store: %s was written by another version that was killed; start that version once more and end it, or move %s away and let the node fetch the ledger again", file, d.dir)
		}
	}
	return nil
}

// opening turns Badger's refusal into one of ours.
func (d *DB) opening(err error) error {
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		who := "another process"
		if pid, e := os.ReadFile(filepath.Join(d.dir, "LOCK")); e == nil && len(pid) < 16 {
			who = "process " + strings.TrimSpace(string(pid))
		}
		return fmt.Errorf("%w: %s, by %s; stop that one, or give this node its own data directory", ErrLocked, d.dir, who)
	}
	return fmt.Errorf("store: opening %s: %w; if the disk failed, move the directory away and let the node fetch the ledger again", d.dir, err)
}

// identity is what identityKey holds, as JSON.
type identity struct {
	Format  int    `json:"format"`
	Chain   string `json:"chain"`
	Genesis string `json:"genesis"` // SHA-256, hex
}

func (d *DB) identify() error {
	if d.opts.Chain == "" {
		return nil
	}
	mine := identity{Format: 1, Chain: d.opts.Chain, Genesis: hex.EncodeToString(d.opts.Genesis[:])}
	raw, err := d.get(identityKey)
	if err != nil {
		return err
	}
	if raw == nil {
		if raw, err = json.Marshal(mine); err != nil {
			return err
		}
		return d.commit([]op{{key: identityKey, value: raw}}, false)
	}
	var theirs identity
	if err := json.Unmarshal(raw, &theirs); err != nil {
		return fmt.Errorf("store: %s does not say whose it is: %w; move it away and let the node fetch the ledger again", d.dir, err)
	}
	if theirs != mine {
		return fmt.Errorf("%w: %s holds chain %q with genesis %.16s…, this node was started for chain %q with genesis %.16s…; give it another directory, or the genesis file of %q",
			ErrForeign, d.dir, theirs.Chain, theirs.Genesis, mine.Chain, mine.Genesis, theirs.Chain)
	}
	return nil
}

// Dir is the data directory.
func (d *DB) Dir() string { return d.dir }

// Size is the bytes of the sorted tables and of the value log, some seconds old.
func (d *DB) Size() (tables, values int64) {
	if d.enter() != nil {
		return 0, 0
	}
	defer d.mu.RUnlock()
	return d.bad.Size()
}

// enter begins an operation; a nil error has to be followed by d.mu.RUnlock.
func (d *DB) enter() error {
	d.mu.RLock()
	if d.closed {
		d.mu.RUnlock()
		return ErrClosed
	}
	return nil
}

// room says whether a write may begin.
func (d *DB) room() error {
	free, err := d.opts.free(d.dir)
	if err != nil {
		return fmt.Errorf("store: looking for free space in %s: %w", d.dir, err)
	}
	if free < d.opts.Reserve {
		return fmt.Errorf("%w: the one of %s has %d MiB left of the %d MiB that are kept free; make room there or move the data directory, nothing that was saved is lost",
			ErrDiskFull, d.dir, free>>20, d.opts.Reserve>>20)
	}
	return nil
}

// collect reclaims the value log now and then until Close.
func (d *DB) collect() {
	defer d.done.Done()
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-tick.C:
			if err := d.Collect(); err != nil {
				d.opts.Log.Warn("ledger store: reclaiming space", "err", err)
			}
		}
	}
}

// Collect rewrites at most four files of the value log of which half is dead. It runs by
// itself every ten minutes.
func (d *DB) Collect() error {
	for range 4 {
		if err := d.room(); err != nil {
			return err // rewriting needs space first
		}
		if err := d.enter(); err != nil {
			return err
		}
		err := d.bad.RunValueLogGC(0.5)
		d.mu.RUnlock()
		if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("store: reclaiming space in %s: %w", d.dir, err)
		}
	}
	return nil
}

// Close waits for running operations and closes the files. Every later call returns
// ErrClosed. With an iterator still open after five seconds it gives up and says so: the
// files stay as after a kill, which loses nothing.
func (d *DB) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	close(d.stop)
	d.done.Wait()

	d.tree.Lock()
	t := d.tree.open
	d.tree.open = nil
	d.tree.Unlock()
	var err error
	if t != nil {
		err = t.close()
	}
	for end := time.Now().Add(closeWait); d.iterators.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return errors.Join(err, fmt.Errorf("store: %d iterators over %s are still open; the files were left as they are", d.iterators.Load(), d.dir))
		}
	}
	if e := d.bad.Close(); e != nil {
		err = errors.Join(err, fmt.Errorf("store: closing %s: %w", d.dir, e))
	}
	return err
}

// badgerLog hands Badger's lines on; what it calls information is detail here.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) line(format string, args []any) string {
	return "ledger store: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}
func (l badgerLog) Errorf(f string, a ...any)   { l.log.Error(l.line(f, a)) }
func (l badgerLog) Warningf(f string, a ...any) { l.log.Warn(l.line(f, a)) }
func (l badgerLog) Infof(f string, a ...any)    { l.log.Debug(l.line(f, a)) }
func (l badgerLog) Debugf(string, ...any)       {}
