package device

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// ErrBenchmark is a benchmark that gave no result; the text says why and what to do.
var ErrBenchmark = errors.New("device: cannot measure this machine")

// Options say how to measure.
type Options struct {
	// CacheDir keeps the result, in bench.json. Empty: measure each time.
	CacheDir string
	// Command is the argv of the benchmark process; nil means this binary with
	// "worker bench".
	Command []string
	Root    fs.FS // of the machine; nil means "/"
	Cores   int   // that may be used; 0 means GOMAXPROCS
}

// benchVersion changes with whatever makes old results wrong.
const benchVersion = 1

// patience is how long the benchmark process may take on a machine that is busy.
const patience = time.Minute

// Measure returns what this machine carries, from the cache when this machine was
// measured before, else by a benchmark of less than a second in a process of its
// own. Its error wraps ErrBenchmark.
func Measure(ctx context.Context, o Options) (Capacity, error) {
	if o.Root == nil {
		o.Root = os.DirFS("/")
	}
	if o.Cores == 0 {
		o.Cores = runtime.GOMAXPROCS(0)
	}
	cpu := Inventory(o.Root, o.Cores)[0]
	print := fingerprint(cpu)
	file := filepath.Join(o.CacheDir, "bench.json")
	if o.CacheDir != "" {
		if r, ok := cached(file, print); ok {
			return Rate(r.Cost, r.Encoder, o.Cores, cpu.Memory), nil
		}
	}
	r, err := run(ctx, o.Command)
	if err != nil {
		return Capacity{}, err
	}
	if o.CacheDir != "" {
		if err := keep(file, print, r); err != nil {
			return Capacity{}, fmt.Errorf("%w: %w", ErrBenchmark, err)
		}
	}
	return Rate(r.Cost, r.Encoder, o.Cores, cpu.Memory), nil
}

// fingerprint names all that the result depends on. Memory counts in GiB: a
// kernel's idea of it changes by some pages with each start.
func fingerprint(cpu Device) string {
	h := sha256.New()
	for _, s := range []string{
		strconv.Itoa(benchVersion), runtime.GOOS, runtime.GOARCH, runtime.Version(), cpu.Name,
		strconv.Itoa(cpu.Cores), strconv.FormatUint(cpu.Memory>>30, 10),
	} {
		io.WriteString(h, s+"\x00")
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// entry is the cache file.
type entry struct {
	Fingerprint string `json:"fingerprint"`
	Report      Report `json:"report"`
}

// cached reads the cache. Anything that is not this machine's whole result counts
// as none: it can be made again.
func cached(file, print string) (Report, bool) {
	f, err := os.Open(file)
	if err != nil {
		return Report{}, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return Report{}, false
	}
	var e entry
	if json.Unmarshal(b, &e) != nil || e.Fingerprint != print || check(e.Report) != nil {
		return Report{}, false
	}
	return e.Report, true
}

// keep writes the cache, whole or not at all.
func keep(file, print string, r Report) error {
	b, err := json.MarshalIndent(entry{print, r}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "bench-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(b, '\n'))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// check refuses a report that no machine can give.
func check(r Report) error {
	if r.Error != "" {
		return fmt.Errorf("%w: %s", ErrBenchmark, r.Error)
	}
	if c := r.Cost; r.Encoder == "" || c.Encode <= 0 || c.Draw < 0 || c.Convert < 0 || max(c.Draw, c.Convert, c.Encode) > 10*time.Second {
		return fmt.Errorf("%w: the benchmark reported %+v", ErrBenchmark, r)
	}
	return nil
}

// run spawns the benchmark.
func run(ctx context.Context, argv []string) (Report, error) {
	if len(argv) == 0 {
		self, err := os.Executable()
		if err != nil {
			return Report{}, fmt.Errorf("%w: %w", ErrBenchmark, err)
		}
		argv = []string{self, "worker", "bench"}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{}
	out := limited{full: cancel}
	cmd.Stdout = &out
	err := cmd.Run()
	if out.over {
		return Report{}, fmt.Errorf("%w: the benchmark wrote more than %d bytes", ErrBenchmark, maxFile)
	}
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w; try `%s worker bench` by hand", ErrBenchmark, err, argv[0])
	}
	var r Report
	if err := json.Unmarshal(out.b, &r); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrBenchmark, err)
	}
	return r, check(r)
}

// limited keeps what a process writes and ends the process when that is too much.
type limited struct {
	b    []byte
	over bool
	full func()
}

func (l *limited) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > maxFile {
		l.over = true
		l.full()
		return 0, ErrBenchmark
	}
	l.b = append(l.b, p...)
	return len(p), nil
}
