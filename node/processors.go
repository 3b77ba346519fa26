package node

import (
	"runtime"
	"sync"
)

// cores is how many threads run Go code at a time unless somebody asks for more.
var cores = runtime.GOMAXPROCS(0)

// behind counts the threads of this process that work behind all others. The system lets
// them wait whenever there is something else to do, and each of them holds one of the
// runtime's processors meanwhile: without more of these, whoever relays pictures here would
// wait with them. Measured on two busy cores, a goroutine that wakes 60 times a second was
// 12 ms late in the middle while two such threads rendered, and 0.9 ms with two processors
// more.
var behind struct {
	sync.Mutex
	threads int
}

// mostBehind bounds what is added, in times the cores: beyond, the collector's own workers
// would get in the way.
const mostBehind = 2

// makeWay gives the runtime a processor for each of so many threads of the lowest priority;
// back takes them away again.
func makeWay(threads int) (back func()) {
	change := func(n int) {
		behind.Lock()
		defer behind.Unlock()
		behind.threads += n
		runtime.GOMAXPROCS(cores + min(behind.threads, mostBehind*cores))
	}
	change(threads)
	return sync.OnceFunc(func() { change(-threads) })
}
