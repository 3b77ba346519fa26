package node

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
)

// addressFile holds the addresses of the node that runs with a data directory, one a line, for
// as long as it runs: commands with the same configuration ask it, whatever its port.
const addressFile = "address"

// maxAddresses bounds that file, in bytes.
const maxAddresses = 16 << 10

// leaveAddress writes the file. A disk that takes nothing more is no reason not to run.
func (n *Node) leaveAddress(context.Context) (func(context.Context) error, error) {
	path := filepath.Join(n.dir, addressFile)
	if err := os.WriteFile(path, []byte(strings.Join(n.Addrs(), "\n")+"\n"), 0o600); err != nil {
		n.log.Warn("commands on this machine find this node with --peer only", "err", err)
	}
	return func(context.Context) error {
		_ = os.Remove(path) // what is left costs a command two seconds
		return nil
	}, nil
}

// leftAddress reads the file of the node that runs with a data directory; nothing without one.
func leftAddress(dir string) []peer.AddrInfo {
	f, err := os.Open(filepath.Join(dir, addressFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAddresses))
	if err != nil {
		return nil
	}
	at, err := parseBootstrap(strings.Fields(string(text)))
	if err != nil {
		return nil
	}
	return at
}
