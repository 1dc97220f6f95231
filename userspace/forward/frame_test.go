// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

var hop = Hop{IfIndex: 3, MTU: 1500, Src: [6]byte{2, 0, 0, 0, 0, 1}, Dst: [6]byte{2, 0, 0, 0, 0, 2}}

func datagram(client, vip string, n int) transport.Datagram {
	return transport.Datagram{
		Remote: netip.MustParseAddrPort(client), Local: netip.MustParseAddrPort(vip),
		Data: bytes.Repeat([]byte("abcdefg"), n/7+1)[:n],
	}
}

// reassemble checks the frames and puts the UDP segment together again.
func reassemble(t *testing.T, frames [][]byte, v6 bool) []byte {
	t.Helper()
	var segment []byte
	for i, f := range frames {
		if !bytes.Equal(f[:6], hop.Dst[:]) || !bytes.Equal(f[6:12], hop.Src[:]) {
			t.Fatal("wrong MAC addresses")
		}
		ip, last := f[14:], i == len(frames)-1
		if len(ip) > hop.MTU {
			t.Fatalf("fragment of %d bytes exceeds the MTU", len(ip))
		}
		off, more, part := 0, false, []byte(nil)
		if v6 {
			if int(binary.BigEndian.Uint16(ip[4:])) != len(ip)-40 {
				t.Fatal("wrong IPv6 payload length")
			}
			part = ip[40:]
			if ip[6] == 44 {
				flags := binary.BigEndian.Uint16(part[2:])
				off, more, part = int(flags&^7), flags&1 == 1, part[8:]
			}
		} else {
			if fold(sum(ip[:20], 0)) != 0xffff || int(binary.BigEndian.Uint16(ip[2:])) != len(ip) {
				t.Fatal("wrong IPv4 checksum or length")
			}
			flags := binary.BigEndian.Uint16(ip[6:])
			off, more, part = int(flags&0x1fff)*8, flags&0x2000 != 0, ip[20:]
		}
		if off != len(segment) || more == last {
			t.Fatalf("fragment %d: offset %d, more %v", i, off, more)
		}
		segment = append(segment, part...)
	}
	return segment
}

func TestFramesCarryTheDatagram(t *testing.T) {
	for _, c := range []struct {
		client, vip  string
		size, frames int
	}{
		{"198.51.100.7:4444", "192.0.2.10:5060", 300, 1},
		{"198.51.100.7:4444", "192.0.2.10:5060", 1472, 1},
		{"198.51.100.7:4444", "192.0.2.10:5060", 1473, 2},
		{"198.51.100.7:4444", "192.0.2.10:5060", 9001, 7},
		{"[2001:db8::7]:4444", "[2001:db8::10]:5060", 1452, 1},
		{"[2001:db8::7]:4444", "[2001:db8::10]:5060", 4000, 3},
	} {
		d := datagram(c.client, c.vip, c.size)
		frames, err := Frames(d, hop, 77)
		if err != nil || len(frames) != c.frames {
			t.Fatalf("%d bytes: %d frames, %v; want %d", c.size, len(frames), err, c.frames)
		}
		src, dst := d.Remote.Addr(), d.Local.Addr()
		s := reassemble(t, frames, src.Is6())
		if binary.BigEndian.Uint16(s) != 4444 || binary.BigEndian.Uint16(s[2:]) != 5060 || !bytes.Equal(s[8:], d.Data) {
			t.Fatalf("%d bytes: ports or payload changed", c.size)
		}
		acc := sum(src.AsSlice(), sum(dst.AsSlice(), 17+uint32(len(s))))
		if fold(sum(s, acc)) != 0xffff {
			t.Fatalf("%d bytes: wrong UDP checksum", c.size)
		}
	}
}

func TestFramesRefuseWhatDoesNotFit(t *testing.T) {
	for _, d := range []transport.Datagram{
		datagram("198.51.100.7:4444", "192.0.2.10:5060", 65515),
		datagram("198.51.100.7:4444", "[2001:db8::10]:5060", 10),
	} {
		if _, err := Frames(d, hop, 1); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%s to %s, %d bytes: %v", d.Remote, d.Local, len(d.Data), err)
		}
	}
}

func TestDeliverWithoutHop(t *testing.T) {
	l := NewL2(nil, netip.MustParseAddr("192.0.2.21"))
	if err := l.Deliver(datagram("198.51.100.7:4444", "192.0.2.10:5060", 10)); !errors.Is(err, ErrNoHop) {
		t.Fatalf("delivering without a next hop: %v", err)
	}
}
