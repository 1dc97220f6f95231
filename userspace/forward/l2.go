// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

// ErrNoHop is a worker whose address has no known next hop (yet).
var ErrNoHop = errors.New("no next hop is known")

// Raw is a packet socket that writes whole Ethernet frames.
type Raw struct {
	fd int
	id atomic.Uint32
}

// OpenRaw opens the packet socket. It needs CAP_NET_RAW; the error says so.
func OpenRaw() (*Raw, error) {
	// Protocol 0: this socket sends only, the kernel queues nothing for it.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, syscall.EPERM) {
		return nil, fmt.Errorf("opening a packet socket for l2 workers: %w; run as root, grant CAP_NET_RAW, or use forward: local", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket for l2 workers: %w", err)
	}
	return &Raw{fd: fd}, nil
}

// Close closes the socket.
func (r *Raw) Close() error { return unix.Close(r.fd) }

// L2 hands datagrams to one worker by its MAC address.
type L2 struct {
	raw  *Raw
	addr netip.Addr
	hop  atomic.Pointer[Hop]
}

// NewL2 makes the hand-over to the worker with that address; SetHop enables it.
func NewL2(raw *Raw, addr netip.Addr) *L2 { return &L2{raw: raw, addr: addr} }

// SetHop sets the next hop; nil when there is none.
func (l *L2) SetHop(h *Hop) { l.hop.Store(h) }

// Deliver writes the datagram to the worker's next hop, fragmented where the
// MTU asks for it. It returns ErrNoHop as long as none is known.
func (l *L2) Deliver(d transport.Datagram) error {
	hop := l.hop.Load()
	if hop == nil {
		return fmt.Errorf("handing over to %s: %w", l.addr, ErrNoHop)
	}
	frames, err := Frames(d, *hop, l.raw.id.Add(1))
	if err != nil {
		return fmt.Errorf("handing over to %s: %w", l.addr, err)
	}
	to := &unix.SockaddrLinklayer{Ifindex: hop.IfIndex, Halen: 6}
	copy(to.Addr[:], hop.Dst[:])
	for _, f := range frames {
		if err := unix.Sendto(l.raw.fd, f, 0, to); err != nil {
			return fmt.Errorf("handing over to %s: %w", l.addr, err)
		}
	}
	return nil
}
