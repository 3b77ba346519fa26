package kernel

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Twin renders on the processor. It is the reference that other backends are compared
// with, and the backend of machines without a graphics card.
type Twin struct {
	workers int
	jobs    chan *job
	idle    bool
	close   sync.Once
	ended   sync.WaitGroup
	job     job
}

// job is a frame that the workers share out among themselves, tile by tile.
type job struct {
	ctx   context.Context
	scene scene
	frame frame
	out   []uint32
	next  atomic.Uint32
	done  sync.WaitGroup
}

// Option changes how CPU renders.
type Option func(*Twin)

// Idle gives the workers threads of their own with the lowest priority (Linux: nice
// 19), so that whatever else the machine does goes first.
func Idle() Option { return func(t *Twin) { t.idle = true } }

// CPU starts a renderer of this many workers, each of which keeps one core busy while
// there is a frame; less than one means one for each core. Close ends them.
func CPU(workers int, options ...Option) *Twin {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	t := &Twin{workers: workers, jobs: make(chan *job)}
	for _, o := range options {
		o(t)
	}
	t.ended.Add(workers)
	var begun sync.WaitGroup
	begun.Add(workers)
	for range workers {
		go t.work(&begun)
	}
	begun.Wait()
	return t
}

var _ Backend = (*Twin)(nil)

// Name returns "go".
func (t *Twin) Name() string { return "go" }

// Device says how many cores it uses.
func (t *Twin) Device() string {
	return fmt.Sprintf("processor, %d workers, %s", t.workers, runtime.GOARCH)
}

// Close ends the workers. Render must not be called again.
func (t *Twin) Close() error {
	t.close.Do(func() { close(t.jobs) })
	t.ended.Wait()
	return nil
}

// Render fills out; it ends within a tile's time, a few ms, of ctx's end.
func (t *Twin) Render(ctx context.Context, size Size, seed Seed, out []uint32) error {
	if err := size.Validate(); err != nil {
		return err
	}
	if len(out) != size.Words() {
		return fmt.Errorf("%w: %d words for %s", ErrBuffer, len(out), size)
	}
	j := &t.job
	j.ctx, j.out = ctx, out
	j.scene.derive(seed)
	j.frame.set(size)
	j.next.Store(0)
	j.done.Add(t.workers)
	for range t.workers {
		t.jobs <- j
	}
	j.done.Wait()
	j.out = nil
	return ctx.Err()
}

func (t *Twin) work(begun *sync.WaitGroup) {
	defer t.ended.Done()
	if t.idle {
		// never unlocked: the thread ends with the goroutine and takes its priority along
		runtime.LockOSThread()
		lowestPriority()
	}
	begun.Done()
	var w wave
	for j := range t.jobs {
		tiles := j.frame.size.Tiles()
		for n := j.next.Add(1) - 1; n < tiles && j.ctx.Err() == nil; n = j.next.Add(1) - 1 {
			j.scene.tile(&j.frame, &w, n, (*[TileWords]uint32)(j.out[int(n)*TileWords:]))
		}
		j.done.Done()
	}
}
