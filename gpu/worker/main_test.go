//go:build unix

package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/encode"
	"github.com/framemesh/framemesh/gpu/segment"
)

// The test binary is its own worker: as "worker" the real one, as "puppet" one that
// plays a puppet instead of a WASM module, as "parent" a parent to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "worker":
			os.Exit(Main())
		case "puppet":
			os.Exit(child(os.Stdin, os.Stdout, openPuppet))
		case "junk":
			_, _ = os.Stdout.Write([]byte("this is no frame"))
			time.Sleep(time.Hour) // the parent ends it
		case "parent":
			os.Exit(beParent(os.Args[2]))
		}
	}
	code := m.Run()
	if dir := compiled; dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// compiled is where the tests' workers share compiled modules, so that each is
// compiled once in a run.
var compiled string

func sharedCache(t testing.TB) string {
	t.Helper()
	if compiled == "" {
		dir, err := os.MkdirTemp("", "framemesh-worker-test")
		if err != nil {
			t.Fatal(err)
		}
		compiled = dir
	}
	return compiled
}

// puppet is an app whose module says in words what it does: "at 30 trap", "at 5
// loop", "refuse". Its state is a counter of what it saw.
type puppet struct {
	script string
	next   uint64
	sum    uint64 // over all inputs
	saves  uint64
	pix    []byte
	pcm    []int16
}

const puppetW, puppetH = 160, 120

func openPuppet(_ context.Context, module []byte, _ app.Options) (app.Runtime, error) {
	p := &puppet{script: string(module), pix: make([]byte, 4*puppetW*puppetH), pcm: make([]int16, 2*800)}
	switch {
	case strings.Contains(p.script, "refuse"):
		return nil, fmt.Errorf("%w: env.fly", app.ErrImport)
	case strings.Contains(p.script, "hog at start"):
		return nil, fmt.Errorf("%w: 1 GiB", app.ErrMemory)
	}
	return p, nil
}

func (p *puppet) Info() app.Info {
	return app.Info{Width: puppetW, Height: puppetH, FPS: 60, AudioRate: 48000, AudioChannels: 2, Seats: 4, ABI: "puppet"}
}

func (p *puppet) at(what string) bool {
	return strings.Contains(p.script, fmt.Sprintf("at %d %s;", p.next, what))
}

func (p *puppet) Tick(_ context.Context, in *app.Input) (app.Frame, []int16, error) {
	if in.Tick != p.next {
		return app.Frame{}, nil, fmt.Errorf("%w: tick %d, want %d", app.ErrABI, in.Tick, p.next)
	}
	switch {
	case p.at("trap"):
		return app.Frame{}, nil, fmt.Errorf("%w: unreachable", app.ErrTrap)
	case p.at("exit"):
		return app.Frame{}, nil, fmt.Errorf("%w: code 7", app.ErrExit)
	case p.at("hog"):
		return app.Frame{}, nil, fmt.Errorf("%w: 64 MiB", app.ErrMemory)
	case p.at("loop"):
		for {
			p.sum++
		}
	case p.at("segv"):
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
	case p.at("quit"):
		os.Exit(3)
	case p.at("panic"):
		panic("puppet: strings torn")
	case p.at("open"):
		if f, err := os.Open("/etc/hostname"); err == nil {
			f.Close()
			return app.Frame{}, nil, fmt.Errorf("%w: could open a file", app.ErrABI)
		}
	case p.at("save"):
		p.saves++
	}
	if strings.Contains(p.script, "noise;") {
		x := p.next*2654435761 + 1
		for i := range p.pix {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			p.pix[i] = byte(x)
		}
	}
	// The first pixels show the number of keys held, for nobody but the state: the
	// sum is what tests compare.
	var b [app.InputSize]byte
	in.MarshalTo(b[:])
	for _, v := range b {
		p.sum = p.sum*31 + uint64(v)
	}
	if in.Seats[0].Key(0x1d) {
		p.saves++ // KeyZ makes it save, which the parent sees
	}
	p.next++
	return app.Frame{Pix: p.pix, Width: puppetW, Height: puppetH, Stride: 4 * puppetW}, p.pcm, nil
}

func (p *puppet) Snapshot(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, p.next)
	return binary.LittleEndian.AppendUint64(b, p.sum), nil
}

func (p *puppet) Restore(b []byte) error {
	if len(b) != 16 {
		return app.ErrSnapshot
	}
	p.next, p.sum = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	return nil
}

func (p *puppet) StateHash() ([32]byte, error) {
	b, _ := p.Snapshot(nil)
	return sha256.Sum256(b), nil
}
func (p *puppet) NextTick() uint64 { return p.next }
func (p *puppet) Saved() ([]byte, uint64) {
	return fmt.Appendf(nil, "saved %d", p.saves), p.saves
}
func (p *puppet) Close(context.Context) error { return nil }

var _ app.Runtime = (*puppet)(nil)

// audience is a Sink that keeps what it gets and lets a test wait for it.
type audience struct {
	mu     sync.Mutex
	cond   *sync.Cond
	info   *Info
	units  []AccessUnit // Data is only its length's worth of zeros but for the first
	audio  []AudioPacket
	stats  []Stats
	saves  []string
	proof  []segment.Second
	keeper *segment.Keeper // if set, gets what proves the play
	states []uint32
	broken error // what the keeper said
	exited error
	over   bool
	block  chan struct{} // if set, Video waits for it
}

func newAudience() *audience {
	a := &audience{}
	a.cond = sync.NewCond(&a.mu)
	return a
}

func (a *audience) put(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	a.cond.Broadcast()
}

func (a *audience) Ready(i Info) { a.put(func() { a.info = &i }) }
func (a *audience) Video(u AccessUnit) {
	if a.block != nil {
		<-a.block
	}
	u.Data = bytes.Clone(u.Data)
	a.put(func() { a.units = append(a.units, u) })
}
func (a *audience) Audio(p AudioPacket) {
	p.Data = bytes.Clone(p.Data)
	a.put(func() { a.audio = append(a.audio, p) })
}
func (a *audience) Stats(s Stats)  { a.put(func() { a.stats = append(a.stats, s) }) }
func (a *audience) Saved(b []byte) { a.put(func() { a.saves = append(a.saves, string(b)) }) }
func (a *audience) Segment(s segment.Second) {
	a.put(func() {
		a.proof = append(a.proof, s)
		if a.keeper != nil {
			a.broken = errors.Join(a.broken, a.keeper.Add(&s))
		}
	})
}
func (a *audience) State(number uint32, read func() ([]byte, error)) {
	a.put(func() {
		a.states = append(a.states, number)
		if a.keeper == nil {
			return
		}
		b, err := read()
		if err == nil {
			err = a.keeper.State(b)
		}
		a.broken = errors.Join(a.broken, err)
	})
}
func (a *audience) Exited(err error) { a.put(func() { a.exited, a.over = err, true }) }

// await blocks until cond holds, which is checked after each event. It fails the
// test when the worker ends or a minute passes first.
func (a *audience) await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	timer := time.AfterFunc(time.Minute, func() { a.put(func() {}) })
	defer timer.Stop()
	deadline := time.Now().Add(time.Minute)
	a.mu.Lock()
	defer a.mu.Unlock()
	for !cond() {
		if a.over {
			t.Fatalf("waiting for %s: the worker ended: %v", what, a.exited)
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
		a.cond.Wait()
	}
}

// pictures is how many came so far.
func (a *audience) pictures() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.units)
}

// end waits for the worker's end and returns why it ended.
func (a *audience) end(t *testing.T, p *Process) error {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Fatal("the worker did not end within a minute")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		t.Fatal("Done is closed, but Exited was not called")
	}
	return a.exited
}

// needEncoder skips where no worker can run.
func needEncoder(t testing.TB) {
	t.Helper()
	if len(encode.Encoders()) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this build has no encoder")
		}
		t.Skip("this build has no encoder (built without cgo)")
	}
}

// startPuppet starts a worker that plays a script.
func startPuppet(t *testing.T, script string, a *audience, change ...func(*Spec)) *Process {
	t.Helper()
	needEncoder(t)
	module := filepath.Join(t.TempDir(), "puppet")
	if err := os.WriteFile(module, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := Spec{Module: module, SHA256: sha256.Sum256([]byte(script)), Command: []string{selfPath(), "puppet"}}
	for _, c := range change {
		c(&spec)
	}
	p, err := Start(spec, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
	})
	return p
}
