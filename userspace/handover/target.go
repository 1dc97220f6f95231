// SPDX-License-Identifier: Apache-2.0

// Package handover is what the control plane tells a worker about a request with
// more than one target: a header field for each target after the first, which is
// the Request-URI. It is pure text.
//
//	X-Sipsteer-Target: <sip:bob@198.51.100.8:5060>
//	X-Sipsteer-Target: <sip:bob@198.51.100.9>;next;ring=20;route="<sip:edge;lr>"
//
// Targets in a row without next are tried at once. next starts a group that is
// tried when all of the group before have failed; ring, reply and on say what
// failing means there.
package handover

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// MaxTargets is how many targets a request can have.
const MaxTargets = 32

// ErrMalformed is a header field that Append did not write.
var ErrMalformed = errors.New("malformed target")

// Target is one place to send a request to. Ring, Reply and On are read of a
// target with Next alone and speak of the group before it.
type Target struct {
	URI   string   // the Request-URI, with Kamailio's alias behind NAT
	Route []string // elements of Route, first hop first
	Next  bool     // starts a group of its own

	Ring  time.Duration // until a final answer, whole seconds; 0 is the worker's timer C
	Reply time.Duration // until any answer, whole seconds; 0 is the transaction's timeout
	On    []int         // final codes that lead on to this group; none means all below 600
}

// Append writes the header field of a target behind dst, with CRLF. URI and Route
// must hold no control characters.
func (t *Target) Append(dst []byte) []byte {
	dst = append(append(append(dst, sip.TargetHeader+": <"...), t.URI...), '>')
	if t.Next {
		dst = append(dst, ";next"...)
	}
	dst = appendSeconds(dst, ";ring=", t.Ring)
	dst = appendSeconds(dst, ";reply=", t.Reply)
	for i, code := range t.On {
		if i == 0 {
			dst = append(dst, ";on="...)
		} else {
			dst = append(dst, '.')
		}
		dst = strconv.AppendInt(dst, int64(code), 10)
	}
	if len(t.Route) > 0 {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(strings.Join(t.Route, ", "))
		dst = append(append(append(dst, `;route="`...), quoted...), '"')
	}
	return append(dst, "\r\n"...)
}

func appendSeconds(dst []byte, name string, d time.Duration) []byte {
	if d <= 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), int64((d+time.Second-1)/time.Second), 10)
}

// Signed is the part of a message that Ticket covers: the values of all target
// header fields, one a line; nil when there is none.
func Signed(m *sip.Message) []byte {
	var b []byte
	for i := range m.Headers {
		if h := &m.Headers[i]; h.ID == sip.HTarget {
			b = append(append(b, h.Value...), '\n')
		}
	}
	return b
}

// SignedText is the same of header fields as Append writes them.
func SignedText(fields []byte) []byte {
	var b []byte
	for line := range bytes.Lines(fields) {
		b = append(append(b, bytes.TrimSpace(line[len(sip.TargetHeader)+1:])...), '\n')
	}
	return b
}

// Read gives all targets of a request, the Request-URI with its Routes first. The
// error wraps ErrMalformed. The targets hold no bytes of the message.
func Read(m *sip.Message) ([]Target, error) {
	first := Target{URI: string(m.RequestURI)}
	for elem := range m.Values(sip.HRoute) {
		first.Route = append(first.Route, string(elem))
	}
	all := []Target{first}
	for i := range m.Headers {
		h := &m.Headers[i]
		if h.ID != sip.HTarget {
			continue
		}
		t, err := parse(h.Value)
		if err != nil || len(all) == MaxTargets {
			return nil, ErrMalformed
		}
		all = append(all, t)
	}
	return all, nil
}

func parse(value []byte) (t Target, err error) {
	a, err := sip.ParseAddress(value)
	if err != nil {
		return t, ErrMalformed
	}
	t.URI, t.Next = string(a.URI.Raw), a.Params.Has("next")
	ring, ok1 := seconds(a.Params, "ring")
	reply, ok2 := seconds(a.Params, "reply")
	on, ok3 := codes(a.Params)
	if !ok1 || !ok2 || !ok3 {
		return t, ErrMalformed
	}
	t.Ring, t.Reply, t.On = ring, reply, on
	if quoted, has := a.Params.Get("route"); has {
		t.Route = []string{unquote(string(quoted))}
	}
	return t, nil
}

func seconds(p sip.Params, name string) (time.Duration, bool) {
	v, has := p.Get(name)
	if !has {
		return 0, true
	}
	n, err := strconv.ParseUint(string(v), 10, 16)
	return time.Duration(n) * time.Second, err == nil && n > 0
}

func codes(p sip.Params) (list []int, ok bool) {
	v, has := p.Get("on")
	if !has {
		return nil, true
	}
	for text := range strings.SplitSeq(string(v), ".") {
		code, err := strconv.Atoi(text)
		if err != nil || code < 300 || code > 699 {
			return nil, false
		}
		list = append(list, code)
	}
	return list, true
}

func unquote(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, `"`), `"`)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
