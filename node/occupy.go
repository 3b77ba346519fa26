package node

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ErrOccupied is wrapped when another node runs with the same data directory.
var ErrOccupied = errors.New("node: the data directory is in use")

// occupy keeps other nodes out of the data directory for as long as this one runs: two of them
// would be two peers of one name, and two signatures on one question cost stake. The lock is
// the kernel's, on the directory itself: it ends with the process however that ends, and leaves
// no file behind. Where the file system has no locks the node goes without.
func (n *Node) occupy(context.Context) (func(context.Context) error, error) {
	d, err := os.Open(n.dir)
	if err != nil {
		return nil, fmt.Errorf("%w: data_dir: %w; name a place you may read and write", ErrConfig, err)
	}
	if taken(d) {
		_ = d.Close()
		return nil, fmt.Errorf("%w: a node runs with %s; stop that one, or give this one a data_dir of its own", ErrOccupied, n.dir)
	}
	return func(context.Context) error { return d.Close() }, nil
}

// InUse returns ErrOccupied when a node runs with a data directory.
func InUse(dir string) error {
	leave, err := (&Node{dir: dir}).occupy(context.Background())
	if errors.Is(err, ErrOccupied) {
		return err
	}
	if leave != nil {
		_ = leave(context.Background())
	}
	return nil // a directory that does not exist, too
}
