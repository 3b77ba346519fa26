package wasm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/framemesh/framemesh/gpu/app/module"
)

// Config says how a Machine is built.
type Config struct {
	Funcs       []HostFunc // all that the module may import
	MemoryFrom  string     // "module.name" of a memory import that is allowed, or ""
	MemoryLimit uint64     // bytes of linear memory
	MaxSave     int        // bytes that the module may store
	CacheDir    string     // where compiled code is kept (made with mode 0700), or ""
	Deadline    bool       // contexts end calls; without it they are ignored
	Seed        uint64     // of the module's random numbers
	Save        []byte     // what an earlier session stored
	Log         *slog.Logger
}

// Machine is one module, compiled and instantiated, with the state of its host.
// It is not safe for concurrent use.
type Machine struct {
	cfg      Config
	log      *slog.Logger
	sum      [32]byte // SHA-256 of the module as it was handed in
	captured []module.Captured
	minPages uint32 // of memory, as the module declares
	maxPages uint32

	rt       wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule

	inst    api.Module
	mem     api.Memory
	globals []api.Global
	funcs   map[string]api.Function
	limit   *memoryLimit
	stopped error // why the instance can no longer be called, or nil

	host host
	out  [2]lines
}

// New compiles the module and makes an instance of it. Nothing of the module
// has run afterwards but its start section.
func New(ctx context.Context, mod *module.Module, cfg Config) (*Machine, error) {
	if err := CheckImports(mod, cfg.Funcs, cfg.MemoryFrom); err != nil {
		return nil, err
	}
	limits := memoryOf(mod)
	if least := uint64(limits.Min) * PageSize; least > cfg.MemoryLimit {
		return nil, fmt.Errorf("%w: the module begins with %d MiB and the limit is %d MiB; raise the limit or build it smaller",
			ErrMemory, least>>20, cfg.MemoryLimit>>20)
	}
	code, captured, err := module.Instrument(mod)
	if err != nil {
		return nil, err
	}
	rc := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2).
		WithDebugInfoEnabled(false).WithCloseOnContextDone(cfg.Deadline)
	m := &Machine{cfg: cfg, log: cfg.Log, sum: sha256.Sum256(mod.Bytes()), captured: captured,
		minPages: limits.Min, maxPages: limits.Max}
	m.out[0].stream, m.out[1].stream = "stdout", "stderr"
	if cfg.CacheDir != "" {
		// Compiled code is run as it lies there, so nobody else may write it.
		if err := os.MkdirAll(cfg.CacheDir, 0o700); err != nil {
			return nil, fmt.Errorf("wasm: cache folder: %w", err)
		}
		if m.cache, err = wazero.NewCompilationCacheWithDir(cfg.CacheDir); err != nil {
			return nil, fmt.Errorf("wasm: cache folder: %w", err)
		}
		rc = rc.WithCompilationCache(m.cache)
	}
	m.rt = wazero.NewRuntimeWithConfig(ctx, rc)
	if err := m.build(ctx, mod, code); err != nil {
		m.Close(ctx)
		return nil, err
	}
	return m, nil
}

func memoryOf(mod *module.Module) module.Limits {
	var l module.Limits
	for _, own := range mod.Memories {
		l = own
	}
	for _, im := range mod.Imports {
		if im.Kind == module.Memory {
			l = im.Limits
		}
	}
	if !l.HasMax {
		l.Max = 1 << 16
	}
	return l
}

func (m *Machine) build(ctx context.Context, mod *module.Module, code []byte) (err error) {
	if m.compiled, err = m.rt.CompileModule(ctx, code); err != nil {
		return fmt.Errorf("%w: %s", module.ErrMalformed, firstLine(err.Error()))
	}
	if err := m.link(ctx, mod, m.cfg.Funcs); err != nil {
		return err
	}
	m.host = host{rng: m.cfg.Seed, logs: logBurst, save: append([]byte(nil), m.cfg.Save...)}
	return m.instantiate(ctx)
}

// instantiate makes a fresh instance in place of the present one.
func (m *Machine) instantiate(ctx context.Context) error {
	if m.inst != nil {
		m.inst.Close(ctx)
	}
	m.limit = &memoryLimit{limit: m.cfg.MemoryLimit}
	inst, err := m.rt.InstantiateModule(experimental.WithMemoryAllocator(ctx, m.limit), m.compiled,
		wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		m.stopped = m.reason(err)
		return fmt.Errorf("wasm: start section: %w", m.stopped)
	}
	m.inst, m.stopped = inst, nil
	m.mem = inst.ExportedMemory(module.MemoryExport)
	if m.mem == nil {
		m.stopped = fmt.Errorf("%w: the module has no memory", module.ErrUnsupported)
		return m.stopped
	}
	m.globals = m.globals[:0]
	for _, c := range m.captured {
		m.globals = append(m.globals, inst.ExportedGlobal(c.Export))
	}
	m.funcs = map[string]api.Function{}
	return nil
}

// Has says whether the module exports a function of this name.
func (m *Machine) Has(name string) bool {
	_, ok := m.compiled.ExportedFunctions()[name]
	return ok
}

// Call runs an exported function. Parameters are taken from stack, the result
// is left in stack[0]. A call that fails stops the machine until Restore.
func (m *Machine) Call(ctx context.Context, name string, stack []uint64) error {
	if m.stopped != nil {
		return fmt.Errorf("%w (%w)", ErrStopped, m.stopped)
	}
	f := m.funcs[name]
	if f == nil {
		if f = m.inst.ExportedFunction(name); f == nil {
			return fmt.Errorf("wasm: no function %q", name)
		}
		m.funcs[name] = f
	}
	if err := f.CallWithStack(ctx, stack); err != nil {
		m.flush()
		m.stopped = m.reason(err)
		return m.stopped
	}
	return nil
}

// BeginTick moves the virtual clock to the begin of tick n, which lasts
// tickNanos, and refills the log budget.
func (m *Machine) BeginTick(n, tickNanos uint64) {
	m.host.tick = n
	m.host.clock = max(m.host.clock, n*tickNanos)
	if n%logEvery == 0 && m.host.logs < logBurst {
		m.host.logs++
	}
}

// EndTick writes out what the module left unfinished in its output, so that no
// part of a line has to be in a snapshot.
func (m *Machine) EndTick() { m.flush() }

func (m *Machine) flush() {
	m.out[0].flush(m)
	m.out[1].flush(m)
}

// Memory returns all linear memory. The slice is valid until the next call.
func (m *Machine) Memory() []byte {
	b, _ := m.mem.Read(0, m.mem.Size())
	return b
}

// Saved returns what the module stored and how often it did so. The slice must
// not be changed and is valid until the next call.
func (m *Machine) Saved() ([]byte, uint64) { return m.host.save, m.host.saves }

// Store replaces the save; false when it is larger than Config.MaxSave.
func (m *Machine) Store(b []byte) bool {
	if len(b) > m.cfg.MaxSave {
		return false
	}
	m.host.save = append(m.host.save[:0], b...)
	m.host.saves++
	return true
}

// Close frees the instance, the code and the cache's handle.
func (m *Machine) Close(ctx context.Context) error {
	if m.stopped == nil {
		m.stopped = errors.New("closed")
	}
	err := m.rt.Close(ctx)
	if m.cache != nil {
		err = errors.Join(err, m.cache.Close(ctx))
		m.cache = nil
	}
	return err
}

// reason turns an engine's error into one of this package's.
func (m *Machine) reason(err error) error {
	var ex exit
	var closed *sys.ExitError
	switch {
	case errors.As(err, &ex):
		e := &ExitError{Code: ex.code}
		if l := &m.out[1]; l.tick == m.host.tick {
			e.Output = l.last
		}
		if m.limit.denied && e.Code != 0 {
			return fmt.Errorf("%w (the limit is %d MiB): %w", ErrMemory, m.limit.limit>>20, e)
		}
		return e
	case errors.As(err, &closed):
		return fmt.Errorf("%w at tick %d", ErrTooLong, m.host.tick)
	}
	trap := fmt.Errorf("%w: %s", ErrTrap, strings.TrimSuffix(strings.TrimPrefix(firstLine(err.Error()), "wasm error: "), " (recovered by wazero)"))
	if m.limit.denied {
		return fmt.Errorf("%w (the limit is %d MiB): %w", ErrMemory, m.limit.limit>>20, trap)
	}
	return trap
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 300 {
		s = s[:300]
	}
	return s
}
