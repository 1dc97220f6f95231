// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Answers receives what workers on other hosts answer to requests that come from this host itself.
//
// Such an answer has the service address as its source. That address is this host's as well, so the IP layer drops the
// packet as a forgery (net.ipv4.conf.*.accept_local is off). A packet socket sees it before.
type Answers struct {
	file  *os.File     // the packet socket
	port  *net.UDPConn // holds the port; what it gets is not read
	local netip.AddrPort
}

// ListenAnswers takes a free port of one of this host's addresses, which is no service address. It needs CAP_NET_RAW.
func ListenAnswers(addr netip.Addr) (*Answers, error) {
	port, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, fmt.Errorf("taking a port for answers of workers: %w", err)
	}
	_ = port.SetReadBuffer(1) // the kernel's minimum
	local := netip.AddrPortFrom(addr, port.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	file, err := openFiltered(local)
	if err != nil {
		_ = port.Close()
		return nil, fmt.Errorf("opening a packet socket for answers of workers: %w", err)
	}
	return &Answers{file: file, port: port, local: local}, nil
}

// Local is the address that answers are to come to.
func (a *Answers) Local() netip.AddrPort { return a.local }

// Close ends Serve.
func (a *Answers) Close() error { return errors.Join(a.file.Close(), a.port.Close()) }

// Serve gives the payload of each datagram to handle, which must not keep it, until Close; then it returns nil.
func (a *Answers) Serve(handle func(data []byte)) error {
	buf := make([]byte, 1<<16)
	for {
		n, err := a.file.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if errors.Is(err, unix.ENETDOWN) { // an interface went away
			continue
		}
		if err != nil {
			return fmt.Errorf("receiving answers of workers: %w", err)
		}
		if data, ok := payload(buf[:n]); ok {
			handle(data)
		}
	}
}

// payload is what a UDP datagram in an IP packet carries; the filter has seen to the protocols.
func payload(ip []byte) ([]byte, bool) {
	header := ipv6Len
	if len(ip) > 0 && ip[0]>>4 == 4 {
		header = int(ip[0]&15) * 4
	}
	if len(ip) < header+udpLen {
		return nil, false
	}
	udp := ip[header:]
	size := int(binary.BigEndian.Uint16(udp[4:]))
	if size < udpLen || size > len(udp) {
		return nil, false
	}
	return udp[udpLen:size], true
}

// openFiltered opens a packet socket that gets whole UDP packets for a port, as they come in.
func openFiltered(local netip.AddrPort) (*os.File, error) {
	filter, kind := filter4(local.Port()), uint16(unix.ETH_P_IP)
	if local.Addr().Is6() {
		filter, kind = filter6(local.Port()), unix.ETH_P_IPV6
	}
	// With protocol 0 nothing arrives before the filter stands.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(kind)})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "answers of workers"), nil
}

// networkOrder is a number as the kernel reads it where it wants network byte order.
func networkOrder(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return *(*uint16)(unsafe.Pointer(&b))
}

// Classic BPF (linux/bpf_common.h). Offsets count from the IP header.
const (
	loadByte  = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
	loadHalf  = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
	loadHalfX = unix.BPF_LD | unix.BPF_H | unix.BPF_IND // behind the header whose length is in X
	loadIHL   = unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH
	jumpEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	jumpBits  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	give      = unix.BPF_RET | unix.BPF_K
)

func filter4(port uint16) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: loadByte, K: 9}, // protocol
		{Code: jumpEqual, K: protoUDP, Jf: 6},
		{Code: loadHalf, K: 6}, // flags and fragment offset
		{Code: jumpBits, K: 0x3fff, Jt: 4},
		{Code: loadIHL, K: 0},
		{Code: loadHalfX, K: 2}, // destination port
		{Code: jumpEqual, K: uint32(port), Jf: 1},
		{Code: give, K: 1 << 16},
		{Code: give, K: 0},
	}
}

func filter6(port uint16) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: loadByte, K: 6}, // next header
		{Code: jumpEqual, K: protoUDP, Jf: 3},
		{Code: loadHalf, K: ipv6Len + 2},
		{Code: jumpEqual, K: uint32(port), Jf: 1},
		{Code: give, K: 1 << 16},
		{Code: give, K: 0},
	}
}
