package stream

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// line is the network as an engine's connections see it. When it is cut, what they
// write goes nowhere.
type line struct {
	*stdnet.Net
	cut atomic.Bool
}

var _ transport.Net = (*line)(nil)

func newLine() (*line, error) {
	n, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("stream: list the network interfaces: %w", err)
	}
	return &line{Net: n}, nil
}

// ListenUDP implements transport.Net.
func (l *line) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	c, err := net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	return socket{c, &l.cut}, nil
}

// ListenPacket implements transport.Net.
func (l *line) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	if udp, ok := c.(*net.UDPConn); ok {
		return socket{udp, &l.cut}, nil
	}
	return c, nil
}

// socket is a UDP socket of a line.
type socket struct {
	*net.UDPConn
	cut *atomic.Bool
}

// WriteTo implements net.PacketConn.
func (s socket) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.cut.Load() {
		return len(b), nil
	}
	return s.UDPConn.WriteTo(b, to)
}

// WriteToUDP implements transport.UDPConn.
func (s socket) WriteToUDP(b []byte, to *net.UDPAddr) (int, error) {
	if s.cut.Load() {
		return len(b), nil
	}
	return s.UDPConn.WriteToUDP(b, to)
}

// WriteMsgUDP implements transport.UDPConn.
func (s socket) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	if s.cut.Load() {
		return len(b), len(oob), nil
	}
	return s.UDPConn.WriteMsgUDP(b, oob, to)
}

// ReadFromAddrPort and WriteToAddrPort are the way that makes no garbage for each packet;
// pion looks for them.
func (s socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return s.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort belongs to ReadFromAddrPort.
func (s socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if s.cut.Load() {
		return len(b), nil
	}
	return s.WriteToUDPAddrPort(b, to)
}

// Write implements net.Conn.
func (s socket) Write(b []byte) (int, error) {
	if s.cut.Load() {
		return len(b), nil
	}
	return s.UDPConn.Write(b)
}
