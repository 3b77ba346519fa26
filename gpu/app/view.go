package app

import "github.com/framemesh/framemesh/gpu/app/wasm"

// Viewer is a Runtime that shows its state in place. Those that Open returns do.
type Viewer interface {
	// View returns linear memory, valid until the next call of any method and not to
	// be changed, and appends everything else that Snapshot would hold to b, in the
	// canonical form that StateHash covers.
	View(b []byte) (mem, rest []byte, err error)
}

var (
	_ Viewer = (*abi1)(nil)
	_ Viewer = (*cart)(nil)
)

func (a *abi1) View(b []byte) (mem, rest []byte, err error) { return a.m.View(b, a.extra[:]) }

func (c *cart) View(b []byte) (mem, rest []byte, err error) { return c.m.View(b, c.state()) }

// Delta writes what a snapshot has that an earlier one of the same module has not;
// an empty base stands for no memory at all. Errors wrap ErrSnapshot.
func Delta(base, snapshot []byte) ([]byte, error) { return wasm.Delta(base, snapshot) }

// Undelta makes the snapshot again, of at most limit bytes of memory. It trusts
// neither: what is no delta over this base is refused with ErrSnapshot, and Restore
// checks the rest.
func Undelta(base, delta []byte, limit uint64) ([]byte, error) {
	return wasm.Undelta(base, delta, limit)
}

// ModuleOf is the SHA-256 of the module that a snapshot is of. It trusts the snapshot as little
// as Undelta does; errors wrap ErrSnapshot.
func ModuleOf(snapshot []byte) ([32]byte, error) { return wasm.ModuleOf(snapshot) }
