package worker

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// restrictEarly takes from the process what it never needs, before a byte of the
// game is read, and lists what worked. All of it is best effort: a system that
// refuses one part still runs the game, with one wall less, and doctor tells.
func restrictEarly() (done []string) {
	for _, l := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"no core dumps", unix.RLIMIT_CORE, 0},
		{"64 open files", unix.RLIMIT_NOFILE, 64},
		{"files of at most 3 GiB", unix.RLIMIT_FSIZE, fileSize},
	} {
		if unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}) == nil {
			done = append(done, l.name)
		}
	}
	// When memory runs out on the machine, the game goes and not the node.
	if os.WriteFile("/proc/self/oom_score_adj", []byte("800"), 0) == nil {
		done = append(done, "first to go when memory runs out")
	}
	return done
}

// processMemory is what the process may take beyond its game: the runtime, the
// encoder, compiled code and, at start, the compiler.
const processMemory = 1 << 30

// limitMemory bounds the data of the whole process. The game's own memory is
// bounded by its runtime; this is for all the rest.
func limitMemory(game uint32) {
	if game == 0 {
		game = 64 << 20
	}
	if raceDetector {
		return // its shadow memory counts as data
	}
	n := uint64(game)*2 + processMemory
	_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: n, Max: n})
}

// restrictLate shuts the process in once the game is loaded: from here on it opens
// no file, no socket and starts no program.
func restrictLate() []string {
	if err := filterSyscalls(); err != nil {
		return nil
	}
	return []string{"no new privileges", "no files, sockets or programs (seccomp)"}
}

// finestTimer asks the kernel not to stretch this thread's sleeps, which it does by
// 50 µs to save wake-ups.
func finestTimer() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }

// sleepUntil blocks the thread until d after start. A plain sleep of the thread
// wakes 0.1 ms after its time, a timer of the Go scheduler 0.65 ms, since it has to
// find this thread first (two busy cores, medians).
func sleepUntil(start time.Time, d time.Duration) {
	for {
		left := d - time.Since(start)
		if left <= 0 {
			return
		}
		ts := unix.NsecToTimespec(int64(left))
		if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil); err != nil && err != unix.EINTR {
			time.Sleep(left)
		}
	}
}

// unreadBytes is how much of what was written to a pipe nobody has read yet.
func unreadBytes(f *os.File) (uint64, bool) {
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	return uint64(max(n, 0)), err == nil
}

// rssReader reads the resident memory of this process from a file that was opened
// before the process was shut in.
type rssReader struct {
	f    *os.File
	page int64
}

func openRSS() rssReader {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return rssReader{}
	}
	return rssReader{f, int64(os.Getpagesize())}
}

// read returns bytes, or 0 where the system does not tell.
func (r rssReader) read() int64 {
	if r.f == nil {
		return 0
	}
	var b [128]byte
	n, _ := r.f.ReadAt(b[:], 0)
	fields := bytes.Fields(b[:n])
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * r.page
}
