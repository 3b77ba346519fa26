package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// nextPorts is how many ports after the wanted one are tried when it is in use.
const nextPorts = 10

// listen takes addr, or one of the next ports when it is in use and the operator
// does not insist. option names where the operator wrote the address.
func listen(ctx context.Context, addr, option string, insist bool) (net.Listener, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%w on %q: %w; write %s as host:port, for example 127.0.0.1:8080", ErrListen, addr, err, option)
	}
	port, err := strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 {
		return nil, fmt.Errorf("%w on %q: the port must be 0 to 65535; change %s", ErrListen, addr, option)
	}
	tries := 1 + nextPorts
	if insist || port == 0 {
		tries = 1
	}
	var lc net.ListenConfig
	for i := range tries {
		if port+i > 65535 {
			break
		}
		var ln net.Listener
		ln, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port+i)))
		if err == nil {
			return ln, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%w on %s: %w; change %s", ErrListen, addr, err, option)
		}
	}
	return nil, fmt.Errorf("%w on %s: in use: %w; end the program that holds the port or choose another with %s (port 0 takes any free one)", ErrListen, addr, err, option)
}
