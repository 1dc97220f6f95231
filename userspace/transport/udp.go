// SPDX-License-Identifier: Apache-2.0

// Package transport holds the UDP sockets on the service addresses. It knows
// datagrams, not SIP.
package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxDatagram is the size of a receive buffer: the largest UDP payload.
const MaxDatagram = 65535

// receiveBuffer is asked of the kernel for each socket, in bytes; a burst of
// initial requests waits there while the control plane works.
const receiveBuffer = 8 << 20

// Datagram is one UDP payload with its addresses. Local is the service address
// it came to or leaves from.
type Datagram struct {
	Local, Remote netip.AddrPort
	Data          []byte
	// Opaque says that it came in fragments or with IPv4 options: a program in
	// front of the stack has not seen its text.
	Opaque bool
}

// Socket is a UDP socket bound to one address. Sending is safe from any
// goroutine; reading is for one.
type Socket struct {
	conn  *net.UDPConn
	local netip.AddrPort

	control [128]byte // of the datagram in hand
}

// Listen binds a UDP socket. Port 0 takes any free port. The error is one
// sentence with a way out.
func Listen(addr netip.AddrPort) (*Socket, error) {
	conn, err := net.ListenUDP(network(addr.Addr()), net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, explain(addr, err)
	}
	raise(conn)
	tellOpaque(conn)
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &Socket{conn: conn, local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port())}, nil
}

func network(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "udp4"
	}
	return "udp6"
}

func explain(addr netip.AddrPort, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = fmt.Sprintf("; see who holds it with: ss -ulpn sport = :%d", addr.Port())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = fmt.Sprintf("; put the address on this host first, e.g.: ip addr add %s dev lo", addr.Addr())
	case errors.Is(err, syscall.EACCES):
		hint = "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
	}
	cause := err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	return fmt.Errorf("listening on udp://%s: %w%s", addr, cause, hint)
}

// raise enlarges the receive buffer as far as privileges allow.
func raise(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
	})
}

// tellOpaque asks the kernel to say so when a datagram was put together of
// fragments or had IPv4 options. Where it refuses, none is ever called opaque.
func tellOpaque(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVFRAGSIZE, 1)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVOPTS, 1)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVFRAGSIZE, 1)
	})
}

// Local is the bound address.
func (s *Socket) Local() netip.AddrPort { return s.local }

// Receive reads one datagram into buf. It returns net.ErrClosed after Close;
// errors that a peer can cause (ICMP) are passed over.
func (s *Socket) Receive(buf []byte) (n int, from netip.AddrPort, err error) {
	d, err := s.receive(buf)
	return len(d.Data), d.Remote, err
}

func (s *Socket) receive(buf []byte) (Datagram, error) {
	for {
		// What is asked for in tellOpaque comes as control data, and nothing else does.
		n, control, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, s.control[:])
		if err == nil {
			remote := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
			return Datagram{Local: s.local, Remote: remote, Data: buf[:n], Opaque: control > 0}, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return Datagram{}, net.ErrClosed
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EHOSTUNREACH) && !errors.Is(err, syscall.ENETUNREACH) {
			return Datagram{}, fmt.Errorf("receiving on udp://%s: %w", s.local, err)
		}
	}
}

// Send writes one datagram to a peer.
func (s *Socket) Send(to netip.AddrPort, data []byte) error {
	if _, err := s.conn.WriteToUDPAddrPort(data, to); err != nil {
		return fmt.Errorf("sending to %s: %w", to, err)
	}
	return nil
}

// Close ends a pending Receive. Closing twice is no error.
func (s *Socket) Close() error {
	if err := s.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Serve reads datagrams from a socket and gives each to handle, in order, until
// the socket is closed; then it returns nil. handle must not keep Data.
func Serve(s *Socket, handle func(Datagram)) error {
	buf := make([]byte, MaxDatagram)
	for {
		d, err := s.receive(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		handle(d)
	}
}
