package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// ErrPortInUse says that another program holds the port. It names the option to change.
var ErrPortInUse = errors.New("p2p: port in use")

// maxPort is the highest port there is.
const maxPort = 65535

// candidatePorts lists the ports to try, in order. 0 in the list stands for "any
// free one", which the machine picks at each try.
func candidatePorts(port int, fixed bool) []int {
	if port == 0 {
		return make([]int, PortTries+1)
	}
	if fixed {
		return []int{port}
	}
	ports := make([]int, 0, PortTries+1)
	for p := port; p <= port+PortTries && p <= maxPort; p++ {
		ports = append(ports, p)
	}
	return ports
}

// portError is what the operator reads when no candidate was free.
func portError(port int, fixed bool, cause error) error {
	switch {
	case port == 0:
		return fmt.Errorf("%w: no port is free for both TCP and UDP: %w; set p2p.port to one that is", ErrPortInUse, cause)
	case fixed:
		return fmt.Errorf("%w: p2p.port %d: %w; stop the program that holds it, choose another p2p.port, or 0 for any free one", ErrPortInUse, port, cause)
	}
	last := min(port+PortTries, maxPort)
	return fmt.Errorf("%w: p2p.port %d and those after it up to %d: %w; choose another p2p.port, or 0 for any free one", ErrPortInUse, port, last, cause)
}

// probePort finds out whether a port is free for TCP and UDP on all addresses, and
// which one that is when port is 0. libp2p's TCP listener shares ports (SO_REUSEPORT)
// with any program of the same user, so that it would start on a port in use and get
// half of its neighbour's connections: the plain listeners here refuse that.
func probePort(ctx context.Context, ips []netip.Addr, port int) (int, error) {
	var plain net.ListenConfig
	for _, ip := range ips {
		family := "4" // by name, because plain "tcp" on :: would take the port on 0.0.0.0 too
		if ip.Is6() {
			family = "6"
		}
		tcp, err := plain.Listen(ctx, "tcp"+family, net.JoinHostPort(ip.String(), strconv.Itoa(port)))
		if err != nil {
			return 0, err
		}
		defer tcp.Close()
		if addr, ok := tcp.Addr().(*net.TCPAddr); ok && port == 0 {
			port = addr.Port
		}
		udp, err := plain.ListenPacket(ctx, "udp"+family, net.JoinHostPort(ip.String(), strconv.Itoa(port)))
		if err != nil {
			return 0, err
		}
		defer udp.Close()
	}
	return port, nil
}

// inUse tells a taken port from an address that this machine does not have.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
