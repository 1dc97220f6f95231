// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"strconv"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// defaultBreadth is how many branches a request may have in all that it passes, when
// it does not say so itself (RFC 5393 §5.3.3).
const defaultBreadth = 60

// breadthHeader finds Max-Breadth; it is nil when there is none.
func breadthHeader(m *sip.Message) *sip.Header {
	for i := range m.Headers {
		if h := &m.Headers[i]; h.ID == sip.HOther && sip.EqualFold(h.Name, "Max-Breadth") {
			return h
		}
	}
	return nil
}

// breadth is how many branches the request may still have.
func breadth(m *sip.Message) (n int, ref refusal) {
	h := breadthHeader(m)
	if h == nil {
		return defaultBreadth, refusal{}
	}
	n, err := strconv.Atoi(string(h.Value))
	switch {
	case err != nil || n < 0:
		return 0, refusal{refusedMalformed, 400, "Malformed Max-Breadth", ""}
	case n == 0:
		return 0, refusal{refusedBreadth, 440, "Max-Breadth Exceeded", ""}
	}
	return n, refusal{}
}

// setBreadth writes a branch's share into the request being edited.
func (c *Core) setBreadth(m *sip.Message, n int) {
	if h := breadthHeader(m); h != nil {
		c.ed.Replace(h.Value, strconv.AppendInt(nil, int64(n), 10))
		return
	}
	c.ed.Insert(m.HeaderOffset(), []byte("Max-Breadth: "+strconv.Itoa(n)+"\r\n"))
}
