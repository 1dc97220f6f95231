// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/rand"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

func itoa(n int) string { return strconv.Itoa(n) }

// wire is a UDP socket of a user agent that sends exactly the bytes a test wants.
type wire struct {
	*site
	conn  *net.UDPConn
	local netip.AddrPort
	vip   netip.AddrPort
}

func (s *site) wire(h *netns.Host, port uint16, vip netip.AddrPort) *wire {
	s.Helper()
	local := netip.AddrPortFrom(h.AddrLike(vip.Addr()), port)
	conn, err := h.ListenUDP(local)
	s.must(err)
	s.Cleanup(func() { conn.Close() })
	return &wire{site: s, conn: conn, local: local, vip: vip}
}

// send sends text to the VIP, with \r\n for every \n and the words $LOCAL, $VIP and $ID replaced.
func (w *wire) send(text, id string) {
	w.Helper()
	text = strings.NewReplacer("$LOCAL", w.local.String(), "$VIP", w.vip.String(), "$ID", id, "\n", "\r\n").Replace(text)
	w.raw([]byte(text))
}

func (w *wire) raw(b []byte) {
	w.Helper()
	_, err := w.conn.WriteToUDPAddrPort(b, w.vip)
	w.must(err)
}

// receive waits for a message. It returns "" when none came in time.
func (w *wire) receive(timeout time.Duration) message {
	w.Helper()
	buf := make([]byte, 65535)
	w.must(w.conn.SetReadDeadline(time.Now().Add(timeout)))
	n, from, err := w.conn.ReadFromUDPAddrPort(buf)
	if err != nil {
		return ""
	}
	if from.Port() != w.vip.Port() || from.Addr().Unmap() != w.vip.Addr() {
		w.Errorf("a message came from %s and not from the VIP:\n%s", from, buf[:n])
	}
	return message(buf[:n])
}

// final waits for a final answer and skips provisional ones.
func (w *wire) final() message {
	w.Helper()
	for {
		m := w.receive(3 * time.Second)
		if m == "" {
			w.Fatal("no final answer within 3 s")
		}
		if m.status() >= 200 {
			return m
		}
	}
}

// message is a SIP message as received.
type message string

// status is the status code, 0 for a request.
func (m message) status() int {
	if !strings.HasPrefix(string(m), "SIP/2.0 ") || len(m) < 11 {
		return 0
	}
	code, _ := strconv.Atoi(string(m[8:11]))
	return code
}

// headers returns the values of every header of that name, in order.
func (m message) headers(name string) []string {
	var values []string
	head, _, _ := strings.Cut(string(m), "\r\n\r\n")
	for _, line := range strings.Split(head, "\r\n")[1:] {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// header is the first header of that name, or "".
func (m message) header(name string) string {
	if v := m.headers(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// param returns a parameter's value out of a header such as Digest or Record-Route, without quotes.
func param(header, name string) string {
	for _, part := range strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '>' }) {
		if k, v, ok := strings.Cut(part, "="); ok && strings.EqualFold(k, name) {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// newID is a Call-ID that no other call has.
func newID() string { return rand.Text() + "@wire" }
