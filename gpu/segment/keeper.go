package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// How much a Keeper keeps, and how often a state should be handed to it.
const (
	StateEvery    = 10    // seconds of play between two states
	KeepStates    = 31    // the newest states: 5 minutes of them, and the one they began with
	KeepSeconds   = 86400 // of inputs: a day
	DefaultBudget = 256 << 20
)

// Keeper holds on the disk what an audit of one session may ask for: states of the
// last five minutes and what was played for a day, within a number of bytes. All of
// it outlives the process: a Keeper opened on the same folder goes on. It is for one
// goroutine.
type Keeper struct {
	dir    string
	budget int64
	states []uint32 // numbers of the seconds that kept states begin
	logs   []logFile
	open   *os.File // the newest log, if it takes more
	next   uint32   // number of the first second that is not there yet
	any    bool
}

const (
	baseName    = "base"
	statePrefix = "state-"
	logPrefix   = "seconds-"
	packedExt   = ".zst"
)

// OpenKeeper opens a session's folder, or makes it (mode 0700). Budget is the most
// bytes of inputs, 0 for DefaultBudget; the oldest go first. What a kill left half
// written is dropped.
func OpenKeeper(dir string, budget int64) (*Keeper, error) {
	if budget <= 0 {
		budget = DefaultBudget
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("segment: keep: %w", err)
	}
	k := &Keeper{dir: dir, budget: budget}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("segment: keep: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		switch n, kind := parseName(name); kind {
		case statePrefix:
			k.states = append(k.states, n)
		case logPrefix:
			info, err := e.Info()
			if err != nil {
				return nil, fmt.Errorf("segment: keep: %w", err)
			}
			l := logFile{first: n, packed: strings.HasSuffix(name, packedExt), size: info.Size()}
			if i := len(k.logs) - 1; i >= 0 && k.logs[i].first == n {
				// Killed between writing the packed one and removing the other.
				if err := os.Remove(k.path(logFile{first: n}.name())); err != nil {
					return nil, fmt.Errorf("segment: keep: %w", err)
				}
				k.logs[i] = l // names sort the packed one second
				continue
			}
			k.logs = append(k.logs, l)
		default:
			if strings.HasSuffix(name, tempExt) {
				_ = os.Remove(k.path(name))
			}
		}
	}
	slices.Sort(k.states)
	slices.SortFunc(k.logs, func(a, b logFile) int { return int(int64(a.first) - int64(b.first)) })
	if n := len(k.logs); n > 0 {
		seconds, whole, err := k.read(k.logs[n-1])
		if err != nil {
			return nil, err
		}
		if l := &k.logs[n-1]; !l.packed {
			if err := os.Truncate(k.path(l.name()), whole); err != nil {
				return nil, fmt.Errorf("segment: keep: %w", err)
			}
			l.size = whole
		}
		if len(seconds) > 0 {
			k.next, k.any = seconds[len(seconds)-1].Number+1, true
		} else {
			k.next, k.any = k.logs[n-1].first, true
		}
	}
	return k, nil
}

// parseName reads the name of a file: its kind and the number in it.
func parseName(name string) (uint32, string) {
	for _, prefix := range []string{statePrefix, logPrefix} {
		if rest, ok := strings.CutPrefix(strings.TrimSuffix(name, packedExt), prefix); ok {
			if n, err := strconv.ParseUint(rest, 10, 32); err == nil {
				return uint32(n), prefix
			}
		}
	}
	return 0, ""
}

func (k *Keeper) path(name string) string { return filepath.Join(k.dir, name) }

func stateName(number uint32) string { return fmt.Sprintf("%s%010d%s", statePrefix, number, packedExt) }

// Next is the number that the next second must at least have.
func (k *Keeper) Next() uint32 { return k.next }

// State keeps a state that a worker handed over, in its encoding. The first one of a
// session is what the later ones are kept as differences to.
func (k *Keeper) State(b []byte) error {
	s, err := ParseState(b)
	if err != nil {
		return err
	}
	base, err := k.base()
	if errors.Is(err, ErrGone) && s.Number == 0 {
		if err = k.write(baseName+packedExt, pack(s.App)); err == nil {
			base = s.App
		}
	} else if errors.Is(err, ErrGone) {
		base, err = nil, nil
	}
	if err != nil {
		return err
	}
	w := Window{Params: s.Params, Seats: s.Seats, Base: base != nil}
	if w.Packed, err = packState(base, s.App); err != nil {
		return err
	}
	if err := k.write(stateName(s.Number), w.Append(nil)); err != nil {
		return err
	}
	if i, found := slices.BinarySearch(k.states, s.Number); !found {
		k.states = slices.Insert(k.states, i, s.Number)
	}
	for len(k.states) > KeepStates {
		if err := os.Remove(k.path(stateName(k.states[0]))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("segment: keep: %w", err)
		}
		k.states = k.states[1:]
	}
	return nil
}

// base is the app's snapshot as it was when opened; ErrGone if the first state of the
// session never came here.
func (k *Keeper) base() ([]byte, error) {
	b, err := os.ReadFile(k.path(baseName + packedExt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the session's first state", ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("segment: keep: %w", err)
	}
	return unpack(b, deltaLimit(1<<29))
}

// Window gives a window that covers the n seconds from number from on. It begins with
// the newest state at or before them, so it may have some seconds more in front; a
// checker who asks for multiples of StateEvery gets what they asked for. ErrGone says
// what is missing: too old, not played yet, or lost in a crash.
func (k *Keeper) Window(from uint32, n int) (Window, error) {
	if n < 1 || n > MaxSeconds-StateEvery {
		return Window{}, fmt.Errorf("%w: %d seconds; ask for 1 to %d", ErrGone, n, MaxSeconds-StateEvery)
	}
	if from >= k.next || uint64(from)+uint64(n) > uint64(k.next) {
		return Window{}, fmt.Errorf("%w: seconds %d to %d; there are %d", ErrGone, from, uint64(from)+uint64(n)-1, k.next)
	}
	i, found := slices.BinarySearch(k.states, from)
	if !found {
		i--
	}
	if i < 0 {
		return Window{}, fmt.Errorf("%w: no state at or before second %d", ErrGone, from)
	}
	start := k.states[i]
	last := from + uint32(n) - 1
	if last-start >= MaxSeconds {
		return Window{}, fmt.Errorf("%w: the newest state before second %d is of second %d", ErrGone, from, start)
	}
	b, err := os.ReadFile(k.path(stateName(start)))
	if err != nil {
		return Window{}, fmt.Errorf("%w: the state of second %d: %w", ErrGone, start, err)
	}
	w, err := ParseWindow(b)
	if err != nil {
		return Window{}, err
	}
	if w.Seconds, err = k.seconds(start, last); err != nil {
		return Window{}, err
	}
	for i, s := range w.Seconds {
		if want := start + uint32(i); s.Number != want || i > 0 && s.Restored {
			return Window{}, fmt.Errorf("%w: the app was restored before second %d; ask from there or for less", ErrGone, want)
		}
	}
	if uint32(len(w.Seconds)) != last-start+1 {
		return Window{}, fmt.Errorf("%w: %d of the seconds %d to %d", ErrGone, len(w.Seconds), start, last)
	}
	return w, nil
}

// Close lets go of the files and leaves them.
func (k *Keeper) Close() error {
	if k.open == nil {
		return nil
	}
	err := k.open.Close()
	k.open = nil
	return err
}

// Remove closes the Keeper and deletes all that it kept.
func (k *Keeper) Remove() error {
	return errors.Join(k.Close(), os.RemoveAll(k.dir))
}

const tempExt = ".new"

// write makes a whole file, or none.
func (k *Keeper) write(name string, b []byte) error {
	temp := k.path(name + tempExt)
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		return fmt.Errorf("segment: keep: %w", err)
	}
	if err := os.Rename(temp, k.path(name)); err != nil {
		return fmt.Errorf("segment: keep: %w", err)
	}
	return nil
}
