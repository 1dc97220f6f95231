// SPDX-License-Identifier: Apache-2.0

package sanity

import (
	"errors"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

const sound = "INVITE sip:bob@example.com SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: \"A, <B>\" <sip:alice@example.com>;tag=1\r\n" +
	"To: <sip:bob@example.com>\r\n" +
	"Call-ID: c1@198.51.100.7\r\n" +
	"CSeq: 1 INVITE\r\n" +
	"Contact: <sip:alice@198.51.100.7>\r\n" +
	"Content-Length: 0\r\n\r\n"

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		code     int
	}{
		"sound":                     {"", "", 0},
		"compact and folded":        {"Via: SIP/2.0/UDP 198.51.100.7;", "v:SIP / 2.0 / UDP\r\n 198.51.100.7 ;", 0},
		"tel":                       {"sip:bob@example.com SIP", "tel:+1555 SIP", 0},
		"unknown header":            {"Max-Forwards: 70", "X-Foo: \x80 ;;,\"\r\nMax-Forwards: 70", 0},
		"no Max-Forwards":           {"Max-Forwards: 70\r\n", "", 0},
		"two To":                    {"To:", "To: <sip:x@y>\r\nTo:", 400},
		"two Call-ID":               {"Call-ID:", "i: x\r\nCall-ID:", 400},
		"no From":                   {"From:", "X-From:", 400},
		"method of CSeq":            {"1 INVITE", "1 BYE", 400},
		"CSeq beyond 2^31":          {"1 INVITE", "2147483648 INVITE", 400},
		"Max-Forwards not a number": {"70", "seventy", 400},
		"Max-Forwards above 255":    {"70", "256", 400},
		"blank in Call-ID":          {"c1@198", "c1 @198", 400},
		"scheme":                    {"sip:bob@example.com SIP", "mailto:bob@example.com SIP", 416},
		"URI without host":          {"sip:bob@example.com SIP", "sip:bob@ SIP", 400},
		"open quote":                {"\"A, <B>\"", "\"A, <B>", 400},
		"no Via":                    {"Via:", "X-Via:", 400},
		"broken Route":              {"Max-Forwards", "Route: <sip:x\r\nMax-Forwards", 400},
	} {
		t.Run(name, func(t *testing.T) {
			var m sip.Message
			if err := sip.Parse([]byte(strings.Replace(sound, c.old, c.new, 1)), &m); err != nil {
				t.Fatal(err)
			}
			err := Check(&m)
			var fault *sip.Error
			switch {
			case c.code == 0 && err != nil:
				t.Fatalf("refused: %v", err)
			case c.code != 0 && (!errors.As(err, &fault) || fault.Code != c.code):
				t.Fatalf("got %v, want %d", err, c.code)
			}
		})
	}
}

func TestRequiresExtension(t *testing.T) {
	var m sip.Message
	raw := strings.Replace(sound, "Contact:", "Proxy-Require: foo, bar\r\nContact:", 1)
	if err := sip.Parse([]byte(raw), &m); err != nil {
		t.Fatal(err)
	}
	if got := RequiresExtension(&m); got != "foo, bar" {
		t.Fatalf("got %q", got)
	}
}
