package chain

import (
	"fmt"
	"net"
)

// choosePort makes "host:0" an address with a port that is free now. The engine would
// listen there, and never learn at which port.
func choosePort(listen string) (string, error) {
	if listen == "" {
		return "", nil
	}
	if _, port, err := net.SplitHostPort(listen); err != nil || port != "0" {
		return listen, nil // a bad one was refused before
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("chain: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
