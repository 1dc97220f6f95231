// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// The tails of the fixture's parties.
const (
	bobTail   = "g=314159"
	aliceTail = "xced76sl"
)

// hangupCases are about who sent the BYE.
func hangupCases() []dialogCase {
	bye := Request("BYE")
	long := "<sip:" + strings.Repeat("b", 300) + "@example.com>;tag=314159"
	var cases []dialogCase
	for _, c := range []struct {
		name   string
		text   Text
		caller string
		want   steer.By
	}{
		{"the caller", bye, bobTail, steer.ByCaller},
		{"the callee", bye, aliceTail, steer.ByCallee},
		{"nobody who is known", bye, "somebody", steer.ByUnknown},
		{"the caller is not known", bye, "", steer.ByUnknown},
		{"compact From", bye.Line("From", "f:<sip:bob@biloxi.example.com>;tag=314159"), bobTail, steer.ByCaller},
		{"From in capitals, blanks", bye.Line("From", "FROM \t:  <sip:bob@biloxi.example.com>;tag=314159"), bobTail, steer.ByCaller},
		{"From behind other lines with F", bye.Line("Max-Forwards", "Foo: <sip:x@y>;tag=9fxced76sl\r\nFromage: x;tag=9fxced76sl\r\nf"), bobTail, steer.ByCaller},
		{"From last", bye.Without("From").Line("From", "From: <sip:bob@biloxi.example.com>;tag=314159"), bobTail, steer.ByCaller},
		{"the first of two From", bye.Line("Max-Forwards", "From: <sip:x@y>;tag=somebody"), "somebody", steer.ByCaller},
		{"folded From", bye.Set("From", "<sip:bob@biloxi.example.com>;tag=314159\r\n ;x=1"), bobTail, steer.ByUnknown},
		{"From too long to look at", bye.Set("From", long), bobTail, steer.ByUnknown},
		{"short From", bye.Set("From", "b;x"), "b;x", steer.ByCaller},
		{"empty From", bye.Set("From", ""), bobTail, steer.ByUnknown},
		{"too many blanks before From", bye.Set("From", strings.Repeat(" ", 11)+"<sip:b@x>;tag=314159"), bobTail, steer.ByCaller},
		{"no From", bye.Without("From"), bobTail, steer.ByUnknown},
		{"From in the body only", bye.Without("From").Body("From: <sip:b@x>;tag=314159\r\n"), bobTail, steer.ByUnknown},
		{"From at the end of a long header", bye.Without("From").Set("Subject", strings.Repeat("from: ", 550)).Set("From", "<sip:b@x>;tag=314159"), bobTail, steer.ByCaller},
	} {
		caller := steer.Tail([]byte(c.caller))
		cases = append(cases, dialogCase{
			"hangup by: " + c.name, c.text.String(),
			func(p *steer.Pin) { p.State, p.Caller = steer.StateConfirmed, caller },
			func(p *steer.Pin) { ended(p); p.EndedBy = c.want },
		})
	}
	return cases
}
