// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

// sockets are the UDP sockets on the service addresses. Local workers send
// through them as well, so that all leaves from the VIP.
type sockets struct {
	by    map[netip.AddrPort]*transport.Socket
	order []netip.AddrPort
}

func (n *Node) openSockets(context.Context) error {
	n.sockets = &sockets{by: map[netip.AddrPort]*transport.Socket{}}
	for _, s := range n.cfg.Services {
		for _, l := range s.Listen {
			sock, err := transport.Listen(l.Addr)
			if err != nil {
				return err
			}
			n.onStop(sock.Close)
			n.sockets.by[l.Addr] = sock
			n.sockets.order = append(n.sockets.order, l.Addr)
		}
	}
	return nil
}

// send sends a datagram from the service address that it names.
func (s *sockets) send(d transport.Datagram) error {
	sock := s.by[d.Local]
	if sock == nil {
		return fmt.Errorf("sending to %s: no service listens on %s", d.Remote, d.Local)
	}
	return sock.Send(d.Remote, d.Data)
}
