// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
	"pgregory.net/rapid"
)

// model is RFC 3261 §10.3 in the plainest words: what is bound, by a contact's
// letter.
type model map[string]held

type held struct {
	callID string
	cseq   int
	until  time.Time
	q      int
}

// spellings of one contact that are all the same URI.
var spellings = map[string][]string{
	"a": {"sip:a@host", "SIP:a@HOST", "sip:%61@host"},
	"b": {"sip:b@10.0.0.1:5060;transport=udp", "sip:b@10.0.0.1:5060;TRANSPORT=UDP"},
	"c": {"sip:a@host:5060"},
	"d": {"tel:+5511"},
	"e": {"sip:A@host"},
}

type ask struct {
	letter  string
	expires int // -1: not given
	q       int // thousandths
}

// apply gives the code and, for 200, changes the model.
func (m model) apply(now time.Time, callID string, cseq int, star bool, asks []ask) int {
	maps.DeleteFunc(m, func(_ string, h held) bool { return !h.until.After(now) })
	late := func(letter string) bool {
		h, bound := m[letter]
		return bound && h.callID == callID && cseq <= h.cseq
	}
	next := maps.Clone(m)
	if star {
		for letter := range m {
			if late(letter) {
				return 500
			}
		}
		clear(next)
	}
	for _, a := range asks {
		secs := a.expires
		switch {
		case secs < 0:
			secs = 3600
		case secs > 0 && secs < 60:
			return 423
		case secs > 7200:
			secs = 7200
		}
		if late(a.letter) {
			return 500
		}
		delete(next, a.letter)
		if secs > 0 {
			next[a.letter] = held{callID, cseq, now.Add(time.Duration(secs) * time.Second), a.q}
		}
	}
	if len(next) > limits.MaxContacts && len(next) > len(m) {
		return 403
	}
	clear(m)
	maps.Copy(m, next)
	return 200
}

func letterOf(contact string) string {
	for letter, list := range spellings {
		if slices.Contains(list, contact) {
			return letter
		}
	}
	return "?" + contact
}

func TestBindingsFollowTheModel(t *testing.T) {
	letters := slices.Sorted(maps.Keys(spellings))
	rapid.Check(t, func(rt *rapid.T) {
		m := model{}
		var current []location.Binding
		now := epoch
		for range rapid.IntRange(1, 25).Draw(rt, "requests") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 59, 60, 3600}).Draw(rt, "later")) * time.Second)
			callID := rapid.SampledFrom([]string{"c1", "c2"}).Draw(rt, "call-id")
			cseq := rapid.IntRange(1, 12).Draw(rt, "cseq")
			var lines []string
			var asks []ask
			star := rapid.IntRange(0, 9).Draw(rt, "star") == 0
			if star {
				lines = []string{"Contact: *", "Expires: 0"}
			} else {
				for range rapid.IntRange(0, 4).Draw(rt, "contacts") {
					a := ask{
						letter:  rapid.SampledFrom(letters).Draw(rt, "contact"),
						expires: rapid.SampledFrom([]int{-1, 0, 1, 59, 60, 61, 3600, 9999}).Draw(rt, "expires"),
						q:       rapid.IntRange(0, 1000).Draw(rt, "q"),
					}
					line := fmt.Sprintf("Contact: <%s>;q=%s", rapid.SampledFrom(spellings[a.letter]).Draw(rt, "spelling"), formatQ(uint16(a.q)))
					if a.expires >= 0 {
						line += fmt.Sprintf(";expires=%d", a.expires)
					}
					lines, asks = append(lines, line), append(asks, a)
				}
			}
			out := Process(now, register(t, callID, cseq, lines...), phone, vip, aor, current, limits)
			if want := m.apply(now, callID, cseq, star, asks); out.Code != want {
				rt.Fatalf("answer %d %s, want %d", out.Code, out.Reason, want)
			}
			if out.Changed {
				current = out.Bindings
			}
			agree(rt, m, current, now)
			if out.Code == 200 && len(values(out.Headers, "Contact")) != len(m) {
				rt.Fatalf("lists %q, want %d", out.Headers, len(m))
			}
		}
	})
}

// agree compares what is not expired with the model.
func agree(rt *rapid.T, m model, current []location.Binding, now time.Time) {
	n := 0
	for _, b := range current {
		if b.Expired(now) {
			continue
		}
		n++
		want, bound := m[letterOf(b.Contact)]
		got := held{b.CallID, int(b.CSeq), b.Expires.UTC(), int(b.Q)}
		if !bound || got != want {
			rt.Fatalf("%s is %+v, want %+v (bound: %v)", b.Contact, got, want, bound)
		}
	}
	if n != len(m) {
		rt.Fatalf("%d bindings, want %d", n, len(m))
	}
}
