// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

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
		return nil, fmt.Errorf("opening a packet socket for workers on other hosts: %w; run as root, grant CAP_NET_RAW, or use forward: local", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket for workers on other hosts: %w", err)
	}
	return &Raw{fd: fd}, nil
}

// Close closes the socket.
func (r *Raw) Close() error { return unix.Close(r.fd) }

// Remote hands datagrams to one worker on another host, the way that the kernel
// program would.
type Remote struct {
	raw    *Raw
	addr   netip.Addr
	secret steer.Secret
	way    atomic.Pointer[steer.Worker]
}

// NewRemote makes the hand-over to the worker with that address; SetWay enables
// it. The secret is the service's: by the key of a call, tunnels choose the same
// ports and addresses as the kernel program.
func NewRemote(raw *Raw, addr netip.Addr, secret steer.Secret) *Remote {
	return &Remote{raw: raw, addr: addr, secret: secret}
}

// SetWay sets the way to the worker; nil when there is none.
func (r *Remote) SetWay(w *steer.Worker) { r.way.Store(w) }

// Deliver writes the datagram to the worker's next hop, fragmented where the
// MTU asks for it. It returns ErrNoHop as long as no way is known.
func (r *Remote) Deliver(d transport.Datagram) error {
	way := r.way.Load()
	if way == nil {
		return fmt.Errorf("handing over to %s: %w", r.addr, ErrNoHop)
	}
	var key steer.Key
	if way.Overhead() > 0 {
		key = r.secret.Key(steer.Scan(d.Data).CallID)
	}
	frames, err := Frames(d, *way, key, r.raw.id.Add(1))
	if err != nil {
		return fmt.Errorf("handing over to %s: %w", r.addr, err)
	}
	to := &unix.SockaddrLinklayer{Ifindex: int(way.IfIndex), Halen: 6}
	copy(to.Addr[:], way.DstMAC[:])
	for _, f := range frames {
		if err := unix.Sendto(r.raw.fd, f, 0, to); err != nil {
			return fmt.Errorf("handing over to %s: %w", r.addr, err)
		}
	}
	return nil
}
