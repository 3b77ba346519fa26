package chain

import (
	"sync"

	dbm "github.com/cometbft/cometbft-db"
)

// gate keeps the engine's stragglers from the store. The engine's routines per peer live
// for seconds after it says that it has stopped, and panic on any error of a read. Once
// the gate is shut they read that there is nothing, which they take well, and write
// nothing: whatever must be on disk was written before consensus ended.
type gate struct {
	mu     sync.Mutex
	shut   bool
	inside sync.WaitGroup // operations under way, open iterators included
}

// close lets nobody in any more and waits for those inside. An operation within an
// iteration finds the gate shut and comes back at once, so nobody waits for nobody.
func (g *gate) close() {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
	g.inside.Wait()
}

// guarded is a database behind a gate.
type guarded struct {
	db   dbm.DB
	gate *gate
}

var _ dbm.DB = guarded{}

// enter says whether the gate is open; leave must follow when it is.
func (g guarded) enter() bool {
	g.gate.mu.Lock()
	defer g.gate.mu.Unlock()
	if g.gate.shut {
		return false
	}
	g.gate.inside.Add(1)
	return true
}

func (g guarded) leave() { g.gate.inside.Done() }

func (g guarded) Get(key []byte) ([]byte, error) {
	if !g.enter() {
		return nil, nil
	}
	defer g.leave()
	return g.db.Get(key)
}

func (g guarded) Has(key []byte) (bool, error) {
	if !g.enter() {
		return false, nil
	}
	defer g.leave()
	return g.db.Has(key)
}

func (g guarded) write(fn func() error) error {
	if !g.enter() {
		return ErrStopped
	}
	defer g.leave()
	return fn()
}

func (g guarded) Set(k, v []byte) error { return g.write(func() error { return g.db.Set(k, v) }) }
func (g guarded) SetSync(k, v []byte) error {
	return g.write(func() error { return g.db.SetSync(k, v) })
}
func (g guarded) Delete(k []byte) error { return g.write(func() error { return g.db.Delete(k) }) }
func (g guarded) DeleteSync(k []byte) error {
	return g.write(func() error { return g.db.DeleteSync(k) })
}
func (g guarded) Compact(from, to []byte) error {
	return g.write(func() error { return g.db.Compact(from, to) })
}
func (g guarded) Print() error             { return nil }
func (g guarded) Stats() map[string]string { return map[string]string{} }

// Close does nothing: whoever opened the store closes it, after the gate.
func (g guarded) Close() error { return nil }

func (g guarded) Iterator(from, to []byte) (dbm.Iterator, error) {
	if !g.enter() {
		return nil, ErrStopped
	}
	it, err := g.db.Iterator(from, to)
	return g.iterate(it, err)
}

func (g guarded) ReverseIterator(from, to []byte) (dbm.Iterator, error) {
	if !g.enter() {
		return nil, ErrStopped
	}
	it, err := g.db.ReverseIterator(from, to)
	return g.iterate(it, err)
}

// iterate keeps the gate from shutting until the iterator is closed.
func (g guarded) iterate(it dbm.Iterator, err error) (dbm.Iterator, error) {
	if err != nil {
		g.leave()
		return nil, err
	}
	return &guardedIterator{Iterator: it, leave: sync.OnceFunc(g.leave)}, nil
}

type guardedIterator struct {
	dbm.Iterator
	leave func()
}

func (i *guardedIterator) Close() error {
	defer i.leave()
	return i.Iterator.Close()
}

func (g guarded) NewBatch() dbm.Batch {
	if !g.enter() {
		return deadBatch{}
	}
	defer g.leave()
	return guardedBatch{g.db.NewBatch(), g}
}

type guardedBatch struct {
	dbm.Batch
	g guarded
}

func (b guardedBatch) Write() error     { return b.g.write(b.Batch.Write) }
func (b guardedBatch) WriteSync() error { return b.g.write(b.Batch.WriteSync) }

// deadBatch is a batch that was begun after the end.
type deadBatch struct{}

func (deadBatch) Set(_, _ []byte) error { return ErrStopped }
func (deadBatch) Delete([]byte) error   { return ErrStopped }
func (deadBatch) Write() error          { return ErrStopped }
func (deadBatch) WriteSync() error      { return ErrStopped }
func (deadBatch) Close() error          { return nil }
