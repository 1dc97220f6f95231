// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Seen is a UDP datagram that came in to a host, with the kernel's stamp.
type Seen struct {
	At      time.Time
	Port    uint16 // it was sent to
	Payload string
}

// Capture records the UDP datagrams that come in to a host, whether anybody reads them or not.
type Capture struct {
	fd   int
	stop chan struct{}
	done sync.WaitGroup
	seen []Seen
	err  error
}

// Capture starts recording. Fragments are left out.
func (h *Host) Capture() (*Capture, error) {
	c := &Capture{stop: make(chan struct{})}
	err := h.Do(func() (err error) {
		c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(wireOrder(unix.ETH_P_ALL)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("capturing on %s: %w", h.Name, err)
	}
	err = errors.Join(
		unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}))
	if err != nil {
		_ = unix.Close(c.fd)
		return nil, fmt.Errorf("capturing on %s: %w", h.Name, err)
	}
	c.done.Go(c.read)
	return c, nil
}

func wireOrder(n uint16) uint16 { return n<<8 | n>>8 }

func (c *Capture) read() {
	buf, oob := make([]byte, 1<<16), make([]byte, 128)
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		n, oobn, _, from, err := unix.Recvmsg(c.fd, buf, oob, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			c.err = os.NewSyscallError("recvmsg", err)
			return
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if s, ok := datagram(buf[:n]); ok {
			s.At = stamp(oob[:oobn])
			c.seen = append(c.seen, s)
		}
	}
}

// datagram reads an IP packet.
func datagram(ip []byte) (s Seen, ok bool) {
	if len(ip) < 40 {
		return s, false
	}
	header, protocol := 40, ip[6]
	if ip[0]>>4 == 4 {
		header, protocol = int(ip[0]&15)*4, ip[9]
		if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			return s, false
		}
	}
	if protocol != unix.IPPROTO_UDP || len(ip) < header+8 {
		return s, false
	}
	return Seen{Port: binary.BigEndian.Uint16(ip[header+2:]), Payload: string(ip[header+8:])}, true
}

// stamp is the kernel's time of a packet.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Time{}
	}
	for _, m := range messages {
		if m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Time{}
}

// Stop ends the recording and returns what was seen, in order.
func (c *Capture) Stop() ([]Seen, error) {
	close(c.stop)
	c.done.Wait()
	_ = unix.Close(c.fd)
	return c.seen, c.err
}
