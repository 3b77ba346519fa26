package chain

import (
	"runtime"
	"sync"
	"time"

	"github.com/framemesh/framemesh/ledger/tx"
)

// Bounds of the line. Together they bound how long a commit waits for it: some
// milliseconds.
const (
	maxBatch  = 512     // signatures that are verified at one go: beyond it they get hardly cheaper
	maxQueue  = 512     // transactions that stand in line
	maxQueued = 4 << 20 // their bytes, unless it is a single one
	fewer     = 256     // signatures for which it pays to wait for company: 256 cost a tenth less each than 128
	moment    = 500 * time.Microsecond
	moments   = 2 // that a batch waits, at most
)

// line is where new transactions stand until their signatures are verified: those that
// come at the same time are verified together, which costs a third of what it costs one by
// one. Who comes alone does not wait for company; where there is company, the next batch
// waits up to a millisecond for more.
//
// There is one line and one routine that works it off, so that transactions are judged in
// the order in which they came: the signer's next nonce is only good after the one before.
type line struct {
	verifier *tx.Verifier

	mu      sync.Mutex
	moved   sync.Cond // on mu: some have left the line
	waiting []*entrant
	bytes   int // of those that wait
	working bool
}

// entrant is a transaction in line.
type entrant struct {
	tx     *tx.Tx      // nil for who only waits for those before
	judged func(error) // with what the verifier says, if there is a transaction; must not enter the line again
}

// size is the entrant's bytes.
func (e *entrant) size() int {
	if e.tx == nil {
		return 0
	}
	return len(e.tx.Raw)
}

func newLine(v *tx.Verifier) *line {
	l := &line{verifier: v}
	l.moved.L = &l.mu
	return l
}

// enter puts a transaction in line. While the line is full it waits: whoever sends faster
// than signatures can be verified is slowed down.
func (l *line) enter(e *entrant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) >= maxQueue || (l.bytes > 0 && l.bytes+e.size() > maxQueued) {
		l.moved.Wait()
	}
	l.waiting, l.bytes = append(l.waiting, e), l.bytes+e.size()
	if !l.working {
		l.working = true
		go l.work()
	}
}

// pass returns once all who stand in line now have been judged.
func (l *line) pass() {
	gone := make(chan struct{})
	l.enter(&entrant{judged: func(error) { close(gone) }})
	<-gone
}

// drain waits until the line is empty and all who stood in it have been judged.
func (l *line) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.working {
		l.moved.Wait()
	}
}

// work serves the line until it is empty. It lets those who are about to enter do so first:
// alone, the first one would cost as much as three in company.
func (l *line) work() {
	runtime.Gosched()
	for batch := l.next(); len(batch) > 0; batch = l.next() {
		txs := make([]*tx.Tx, 0, len(batch))
		for _, e := range batch {
			if e.tx != nil {
				txs = append(txs, e.tx)
			}
		}
		errs := l.verifier.VerifyAll(txs)
		for _, e := range batch {
			var err error
			if e.tx != nil {
				err, errs = errs[0], errs[1:]
			}
			e.judged(err)
		}
		for n := 0; n < moments && len(batch) > 1 && l.short(); n++ {
			time.Sleep(moment)
		}
	}
}

// short says whether few stand in line.
func (l *line) short() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) < fewer
}

// next takes the first of the line out of it. When there is none the work is done.
func (l *line) next() []*entrant {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), maxBatch)
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	for _, e := range batch {
		l.bytes -= e.size()
	}
	if n == 0 {
		l.waiting, l.working = nil, false
	}
	l.moved.Broadcast()
	return batch
}
