// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

func listen(t *testing.T, addr string) *Socket {
	t.Helper()
	s, err := Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestDatagramsArriveInOrderWithTheirAddresses(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		a, b := listen(t, addr), listen(t, addr)
		big := bytes.Repeat([]byte("x"), 60000)
		for _, data := range [][]byte{[]byte("one"), {}, big} {
			if err := a.Send(b.Local(), data); err != nil {
				t.Fatal(err)
			}
		}
		var sizes []int
		err := Serve(b, func(d Datagram) {
			if d.Remote != a.Local() || d.Local != b.Local() {
				t.Errorf("from %s to %s, want %s to %s", d.Remote, d.Local, a.Local(), b.Local())
			}
			if sizes = append(sizes, len(d.Data)); len(sizes) == 3 {
				_ = b.Close()
			}
		})
		if err != nil || len(sizes) != 3 || sizes[0] != 3 || sizes[1] != 0 || sizes[2] != len(big) {
			t.Fatalf("%s: got sizes %v, %v", addr, sizes, err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	}
}

func TestAnUnreachablePeerDoesNotEndTheReader(t *testing.T) {
	a, b, gone := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	_ = gone.Close()
	_ = b.Send(gone.Local(), []byte("nobody is there: ICMP comes back"))
	if err := a.Send(b.Local(), []byte("still there?")); err != nil {
		t.Fatal(err)
	}
	n, from, err := b.Receive(make([]byte, 100))
	if err != nil || n != 12 || from != a.Local() {
		t.Fatalf("received %d bytes from %s, %v", n, from, err)
	}
}

func TestListenSaysWhatToDo(t *testing.T) {
	taken := listen(t, "127.0.0.1:0")
	for addr, hint := range map[string]string{
		taken.Local().String(): "ss -ulpn",
		"192.0.2.77:5060":      "ip addr add 192.0.2.77",
	} {
		s, err := Listen(netip.MustParseAddrPort(addr))
		if err == nil {
			_ = s.Close()
			t.Fatalf("%s: no error", addr)
		}
		if !strings.Contains(err.Error(), hint) || strings.Count(err.Error(), addr) != 1 {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
