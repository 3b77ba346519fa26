package chain

import (
	"runtime"
	"sync"

	"github.com/framemesh/framemesh/ledger/tx"
)

// maxBatch is how many signatures are verified at one go: beyond it they get no cheaper.
const maxBatch = 128

// batcher verifies signatures of transactions that come at the same time together, which
// costs half. Who comes alone waits for nobody; who comes while all cores are verifying
// goes with the next batch.
type batcher struct {
	verifier *tx.Verifier

	mu      sync.Mutex
	waiting []*verification
	working int
}

type verification struct {
	tx   *tx.Tx
	err  error
	done chan struct{}
}

// verify is verifier.Verify.
func (b *batcher) verify(t *tx.Tx) error {
	v := &verification{tx: t, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, v)
	if b.working >= runtime.GOMAXPROCS(0) {
		b.mu.Unlock()
		<-v.done
		return v.err
	}
	b.working++
	b.mu.Unlock()
	b.work()
	<-v.done // by this work or by one that took it along
	return v.err
}

// work verifies one batch, and leaves what has come meanwhile to another goroutine.
func (b *batcher) work() {
	b.mu.Lock()
	n := min(len(b.waiting), maxBatch)
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.mu.Unlock()

	txs := make([]*tx.Tx, n)
	for i, v := range batch {
		txs[i] = v.tx
	}
	for i, err := range b.verifier.VerifyAll(txs) {
		batch[i].err = err
		close(batch[i].done)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 {
		go b.work()
		return
	}
	b.working--
}
