package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app/module"
)

// proxy builds a module that imports every function of funcs and exports one of
// the same name and type that calls it.
func proxy(funcs []HostFunc) []byte {
	var types, imports, decls, exports, code []byte
	u := func(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }
	str := func(b []byte, s string) []byte { return append(u(b, len(s)), s...) }
	for i, f := range funcs {
		types = u(append(types, 0x60), len(f.Type.Params))
		for _, p := range f.Type.Params {
			types = append(types, byte(p))
		}
		types = u(types, len(f.Type.Results))
		for _, p := range f.Type.Results {
			types = append(types, byte(p))
		}
		imports = u(append(str(str(imports, f.Module), f.Name), 0), i)
		decls = u(decls, i)
		exports = u(append(str(exports, f.Name), 0), len(funcs)+i)
		body := []byte{0}
		for p := range f.Type.Params {
			body = append(body, 0x20, byte(p))
		}
		body = append(u(append(body, 0x10), i), 0x0b)
		code = append(u(code, len(body)), body...)
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range []struct {
		id    byte
		items []byte
		n     int
	}{{1, types, len(funcs)}, {2, imports, len(funcs)}, {3, decls, len(funcs)}, {5, []byte{0, 1}, 1}, {7, exports, len(funcs)}, {10, code, len(funcs)}} {
		body := append(u(nil, s.n), s.items...)
		out = append(u(append(out, s.id), len(body)), body...)
	}
	return out
}

func newMachine(t *testing.T, cfg Config) *Machine {
	t.Helper()
	cfg.Funcs, cfg.MemoryLimit = WASI(), 1<<20
	mod, err := module.Parse(proxy(cfg.Funcs))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(t.Context(), mod, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

func call(t *testing.T, m *Machine, name string, args ...uint64) uint64 {
	t.Helper()
	stack := append(args, 0)
	if err := m.Call(t.Context(), name, stack); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return stack[0]
}

// TestWASIHasNoAuthority calls every function that could reach out of the machine,
// on descriptors that would be files anywhere else.
func TestWASIHasNoAuthority(t *testing.T) {
	m := newMachine(t, Config{})
	for _, f := range WASI() {
		if !strings.HasPrefix(f.Name, "path_") && !strings.HasPrefix(f.Name, "sock_") && !strings.HasPrefix(f.Name, "fd_") {
			continue
		}
		args := make([]uint64, len(f.Type.Params))
		args[0] = 3
		if got := call(t, m, f.Name, args...); got != wasiBadf && got != wasiNotcap {
			t.Errorf("%s answers %d", f.Name, got)
		}
	}
	for _, c := range []struct {
		name string
		args []uint64
		want uint64
	}{
		{"proc_raise", []uint64{9}, wasiNosys}, {"sched_yield", nil, wasiOK}, {"fd_seek", []uint64{1, 0, 0, 0}, wasiSpipe},
		{"fd_close", []uint64{0}, wasiOK}, {"fd_read", []uint64{0, 0, 0, 100}, wasiOK}, {"fd_fdstat_get", []uint64{1, 200}, wasiOK},
		{"clock_time_get", []uint64{9, 0, 100}, wasiInval}, {"clock_res_get", []uint64{1, 100}, wasiOK},
		{"fd_write", []uint64{1, 0, 5000, 0}, wasiInval}, {"poll_oneoff", []uint64{0, 0, 65, 0}, wasiInval},
	} {
		if got := call(t, m, c.name, c.args...); got != c.want {
			t.Errorf("%s answers %d, not %d", c.name, got, c.want)
		}
	}
	copy(m.Memory()[100:], "\xff\xff\xff\xff\xff\xff\xff\xff")
	for _, name := range []string{"args_sizes_get", "environ_sizes_get"} {
		call(t, m, name, 100, 104)
		if !bytes.Equal(m.Memory()[100:108], make([]byte, 8)) {
			t.Errorf("%s finds something", name)
		}
	}
}

func TestClockFollowsTicks(t *testing.T) {
	m := newMachine(t, Config{})
	read := func(id uint64) uint64 {
		call(t, m, "clock_time_get", id, 0, 64)
		return binary.LittleEndian.Uint64(m.Memory()[64:])
	}
	if a, b := read(1), read(1); a != clockStep || b != 2*clockStep {
		t.Fatalf("the clock reads %d, %d", a, b)
	}
	m.BeginTick(60, 16_666_666)
	if a := read(1); a != 60*16_666_666+clockStep {
		t.Fatalf("after 60 ticks the clock reads %d", a)
	}
	if a := read(0); a < epoch || a > epoch+2_000_000_000 {
		t.Fatalf("the wall clock reads %d", a)
	}
	// Two sleeps, of 3 s and 5 s, and a file: with the file nothing is slept.
	sub := func(at int, kind byte, ns uint64) {
		s := m.Memory()[at:][:48]
		clear(s)
		s[0], s[8], s[16] = byte(at), kind, 1
		binary.LittleEndian.PutUint64(s[24:], ns)
	}
	sub(1000, 0, 3e9)
	sub(1048, 0, 5e9)
	sub(1096, 1, 0)
	before := read(1)
	if got := call(t, m, "poll_oneoff", 1000, 2000, 2, 3000); got != wasiOK {
		t.Fatal(got)
	}
	if n, slept := m.Memory()[3000], read(1)-before; n != 1 || slept < 3e9 || slept > 3e9+10*clockStep {
		t.Fatalf("%d events after %d ns", n, slept)
	}
	before = read(1)
	call(t, m, "poll_oneoff", 1000, 2000, 3, 3000)
	if e := m.Memory()[2000:]; m.Memory()[3000] != 1 || e[8] != wasiBadf || e[10] != 1 || read(1)-before > 10*clockStep {
		t.Fatalf("%d events, the first % x", m.Memory()[3000], e[:16])
	}
	sub(1000, 0, ^uint64(0)) // a sleep without end does not turn the clock back
	call(t, m, "poll_oneoff", 1000, 2000, 1, 3000)
	if now := read(1); now < before {
		t.Fatalf("the clock went from %d to %d", before, now)
	}
}

func TestRandomComesFromTheSeed(t *testing.T) {
	draw := func(seed uint64) string {
		m := newMachine(t, Config{Seed: seed})
		call(t, m, "random_get", 500, 37)
		return string(m.Memory()[500:540])
	}
	a, b, c := draw(1), draw(1), draw(2)
	if a != b || a == c || a[:37] == strings.Repeat("\x00", 37) || a[37:] != "\x00\x00\x00" {
		t.Fatalf("%x %x %x", a, b, c)
	}
}

func TestLogIsBounded(t *testing.T) {
	var out bytes.Buffer
	m := newMachine(t, Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
	line := append(bytes.Repeat([]byte("x"), 5000), '\n')
	copy(m.Memory()[8192:], line)
	binary.LittleEndian.PutUint32(m.Memory()[16:], 8192)
	binary.LittleEndian.PutUint32(m.Memory()[20:], uint32(len(line)))
	for range 1000 {
		call(t, m, "fd_write", 2, 16, 1, 32)
	}
	if n := strings.Count(out.String(), "\n"); n != logBurst || out.Len() > logBurst*(MaxLogLine+200) {
		t.Fatalf("%d lines of %d bytes were written", n, out.Len())
	}
	for tick := range uint64(2 * logEvery) {
		m.BeginTick(tick, 1)
		call(t, m, "fd_write", 2, 16, 1, 32)
	}
	if n := strings.Count(out.String(), "\n"); n != logBurst+2 {
		t.Fatalf("%d lines after %d ticks", n, 2*logEvery)
	}
}

func TestExit(t *testing.T) {
	m := newMachine(t, Config{})
	err := m.Call(t.Context(), "proc_exit", []uint64{0})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 0 || !errors.Is(err, ErrExit) {
		t.Fatalf("an exit with 0 is %v", err)
	}
	if err := m.Call(t.Context(), "sched_yield", []uint64{0}); !errors.Is(err, ErrStopped) {
		t.Fatalf("afterwards: %v", err)
	}
	m = newMachine(t, Config{})
	if err := m.Call(t.Context(), "random_get", []uint64{0xffffff00, 4096}); !errors.Is(err, ErrTrap) {
		t.Fatalf("a pointer outside: %v", err)
	}
}

// FuzzDecodeState reads states: no panic, and what is taken stays within bounds.
func FuzzDecodeState(f *testing.F) {
	f.Add([]byte(stateMagic))
	f.Add(bytes.Repeat([]byte{0xff}, stateMinimum))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= stateMinimum { // let the fuzzer past magic, length and checksum
			b = bytes.Clone(b)
			copy(b, stateMagic)
			binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
			binary.LittleEndian.PutUint32(b[len(b)-4:], checksum(b[:len(b)-4]))
		}
		s, err := decodeState(b, 1000)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if len(s.host.save) > 1000 || len(s.runs) > len(b) || len(s.globals)%8 != 0 {
			t.Fatalf("taken: %d bytes of save, %d of runs", len(s.host.save), len(s.runs))
		}
	})
}
