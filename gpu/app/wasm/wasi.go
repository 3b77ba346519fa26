package wasm

import (
	"bytes"
	"encoding/binary"

	"github.com/framemesh/framemesh/gpu/app/module"
)

// Error numbers of WASI preview 1.
const (
	wasiOK     = 0
	wasiBadf   = 8
	wasiFault  = 21
	wasiInval  = 28
	wasiNosys  = 52
	wasiSpipe  = 70
	wasiNotcap = 76
)

// epoch is what the virtual wall clock shows at tick 0, in ns since 1970:
// 2020-01-01 00:00:00 UTC. A game that wants the true time asks for it as an
// input.
const epoch = 1577836800 * 1_000_000_000

// maxPoll is the most subscriptions that one poll_oneoff may hold.
const maxPoll = 64

// exit is what proc_exit panics with.
type exit struct{ code uint32 }

func (e exit) Error() string { return (&ExitError{Code: e.code}).Error() }

// WASI returns wasi_snapshot_preview1 without any authority: standard output
// and error go to the log, the clock is virtual, random numbers come from the
// seed, and there is no file, argument, environment or socket. Every function
// of the interface is there, since a C library imports more than it uses.
func WASI() []HostFunc {
	sig := func(params string, result bool) module.FuncType {
		var t module.FuncType
		for _, c := range params {
			if c == 'l' {
				t.Params = append(t.Params, module.I64)
			} else {
				t.Params = append(t.Params, module.I32)
			}
		}
		if result {
			t.Results = []module.ValueType{module.I32}
		}
		return t
	}
	var fs []HostFunc
	def := func(name, params string, f func(m *Machine, a []uint64) uint64) {
		fs = append(fs, HostFunc{"wasi_snapshot_preview1", name, sig(params, true), func(m *Machine, a []uint64) { a[0] = f(m, a) }})
	}
	refuse := func(errno uint64, list ...[2]string) {
		for _, l := range list {
			def(l[0], l[1], func(*Machine, []uint64) uint64 { return errno })
		}
	}
	def("args_sizes_get", "ii", wasiSizes)
	def("environ_sizes_get", "ii", wasiSizes)
	refuse(wasiOK, [2]string{"args_get", "ii"}, [2]string{"environ_get", "ii"}, [2]string{"sched_yield", ""})
	// sched_yield takes nothing, so its result needs a slot of its own; the
	// engine sizes the stack for the larger of parameters and results.
	def("clock_res_get", "ii", func(m *Machine, a []uint64) uint64 {
		binary.LittleEndian.PutUint64(m.Slice(uint32(a[1]), 8), clockStep)
		return wasiOK
	})
	def("clock_time_get", "ili", func(m *Machine, a []uint64) uint64 {
		t := m.host.now()
		switch uint32(a[0]) {
		case 0:
			t += epoch
		case 1, 2, 3:
		default:
			return wasiInval
		}
		binary.LittleEndian.PutUint64(m.Slice(uint32(a[2]), 8), t)
		return wasiOK
	})
	def("random_get", "ii", func(m *Machine, a []uint64) uint64 {
		b := m.Slice(uint32(a[0]), uint32(a[1]))
		for len(b) > 0 {
			var w [8]byte
			binary.LittleEndian.PutUint64(w[:], m.host.random())
			b = b[copy(b, w[:]):]
		}
		return wasiOK
	})
	def("poll_oneoff", "iiii", wasiPoll)
	def("fd_write", "iiii", wasiWrite)
	def("fd_read", "iiii", func(m *Machine, a []uint64) uint64 {
		if uint32(a[0]) != 0 {
			return wasiBadf
		}
		binary.LittleEndian.PutUint32(m.Slice(uint32(a[3]), 4), 0) // the end of an empty input
		return wasiOK
	})
	def("fd_fdstat_get", "ii", func(m *Machine, a []uint64) uint64 {
		fd := uint32(a[0])
		if fd > 2 {
			return wasiBadf
		}
		b := m.Slice(uint32(a[1]), 24)
		clear(b)
		b[0] = 2 // character device
		if fd == 0 {
			b[8] = 1 << 1 // may be read
		} else {
			b[8] = 1 << 6 // may be written
		}
		return wasiOK
	})
	for _, l := range [][2]string{{"fd_close", "i"}, {"fd_fdstat_set_flags", "ii"}, {"fd_sync", "i"}, {"fd_datasync", "i"}} {
		def(l[0], l[1], func(_ *Machine, a []uint64) uint64 { return badAbove2(a[0], wasiOK) })
	}
	for _, l := range [][2]string{{"fd_seek", "ilii"}, {"fd_tell", "ii"}} {
		def(l[0], l[1], func(_ *Machine, a []uint64) uint64 { return badAbove2(a[0], wasiSpipe) })
	}
	refuse(wasiBadf, [][2]string{{"fd_advise", "illi"}, {"fd_allocate", "ill"}, {"fd_fdstat_set_rights", "ill"},
		{"fd_filestat_get", "ii"}, {"fd_filestat_set_size", "il"}, {"fd_filestat_set_times", "illi"}, {"fd_pread", "iiili"},
		{"fd_prestat_get", "ii"}, {"fd_prestat_dir_name", "iii"}, {"fd_pwrite", "iiili"}, {"fd_readdir", "iiili"},
		{"fd_renumber", "ii"}, {"sock_accept", "iii"}, {"sock_recv", "iiiiii"}, {"sock_send", "iiiii"}, {"sock_shutdown", "ii"}}...)
	refuse(wasiNotcap, [][2]string{{"path_create_directory", "iii"}, {"path_filestat_get", "iiiii"}, {"path_filestat_set_times", "iiiilli"},
		{"path_link", "iiiiiii"}, {"path_open", "iiiiillii"}, {"path_readlink", "iiiiii"}, {"path_remove_directory", "iii"},
		{"path_rename", "iiiiii"}, {"path_symlink", "iiiii"}, {"path_unlink_file", "iii"}}...)
	refuse(wasiNosys, [2]string{"proc_raise", "i"})
	return append(fs, HostFunc{"wasi_snapshot_preview1", "proc_exit", sig("i", false), func(_ *Machine, a []uint64) { panic(exit{uint32(a[0])}) }})
}

func badAbove2(fd, otherwise uint64) uint64 {
	if uint32(fd) > 2 {
		return wasiBadf
	}
	return otherwise
}

func wasiSizes(m *Machine, a []uint64) uint64 {
	binary.LittleEndian.PutUint32(m.Slice(uint32(a[0]), 4), 0)
	binary.LittleEndian.PutUint32(m.Slice(uint32(a[1]), 4), 0)
	return wasiOK
}

// wasiWrite sends what the module writes to its log, line by line as it comes.
func wasiWrite(m *Machine, a []uint64) uint64 {
	fd, ptr, n := uint32(a[0]), uint32(a[1]), uint32(a[2])
	if fd != 1 && fd != 2 {
		return wasiBadf
	}
	if n > 1024 {
		return wasiInval
	}
	iovs := m.Slice(ptr, n*8)
	stream := &m.out[fd-1]
	var total uint32
	for i := range n {
		p := binary.LittleEndian.Uint32(iovs[i*8:])
		l := binary.LittleEndian.Uint32(iovs[i*8+4:])
		stream.write(m, m.Slice(p, l))
		if total+l < total {
			return wasiInval
		}
		total += l
	}
	binary.LittleEndian.PutUint32(m.Slice(uint32(a[3]), 4), total)
	return wasiOK
}

// lines gathers what is written into lines of at most MaxLogLine bytes. It is
// no part of the state: a module cannot read it back.
type lines struct {
	stream string
	buf    []byte
	last   string // the first line since the tick began: a panic says its reason first
	tick   uint64
}

func (l *lines) write(m *Machine, b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		l.buf = append(l.buf, part[:min(len(part), MaxLogLine-len(l.buf))]...)
		if i < 0 {
			return
		}
		l.flush(m)
		b = b[i+1:]
	}
}

func (l *lines) flush(m *Machine) {
	if len(l.buf) == 0 {
		return
	}
	if l.last == "" || l.tick != m.host.tick {
		l.last, l.tick = string(l.buf), m.host.tick
	}
	m.Log(l.stream, l.buf)
	l.buf = l.buf[:0]
}

// wasiPoll lets a sleep end at once: the virtual clock jumps to the end of the
// shortest one. Waiting for a file answers that there is none.
func wasiPoll(m *Machine, a []uint64) uint64 {
	const subSize, eventSize = 48, 32
	le := binary.LittleEndian
	n := uint32(a[2])
	if n == 0 || n > maxPoll {
		return wasiInval
	}
	subs, events := m.Slice(uint32(a[0]), n*subSize), m.Slice(uint32(a[1]), n*eventSize)
	m.Slice(uint32(a[3]), 4)
	now := m.host.now()
	wake := ^uint64(0)
	due := func(s []byte) uint64 { // when a clock subscription ends, on the virtual clock
		t := le.Uint64(s[24:])
		if le.Uint16(s[40:])&1 == 0 { // relative
			return now + min(t, ^now) // no overflow
		}
		if le.Uint32(s[16:]) == 0 { // wall clock
			return t - min(t, epoch)
		}
		return t
	}
	files := false
	for i := range n {
		s := subs[i*subSize:][:subSize]
		if s[8] == 0 {
			wake = min(wake, due(s))
		} else {
			files = true
		}
	}
	if !files && wake > now {
		// A year is longer than any session: the clock must not overflow.
		m.host.clock = min(wake, now+365*24*3600*1_000_000_000)
	}
	count := uint32(0)
	var found [maxPoll][eventSize]byte
	for i := range n {
		s := subs[i*subSize:][:subSize]
		e := &found[count]
		copy(e[:8], s[:8]) // user data
		e[10] = s[8]       // type
		switch {
		case s[8] != 0:
			le.PutUint16(e[8:], wasiBadf)
		case due(s) > wake || files && due(s) > now:
			*e = [eventSize]byte{}
			continue
		}
		count++
	}
	for i := range count {
		copy(events[i*eventSize:], found[i][:])
	}
	le.PutUint32(m.Slice(uint32(a[3]), 4), count)
	return wasiOK
}
