// SPDX-License-Identifier: Apache-2.0

package route

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

type directory map[string][]location.Binding

func (d directory) Lookup(aor string, _ time.Time) []location.Binding { return d[aor] }

func (d directory) Resolve(aor string) (string, bool) {
	if aor == "4711@example.org" {
		aor = "alice@example.com"
	}
	_, ok := d[aor]
	return aor, ok
}

func contact(uri string) []location.Binding { return []location.Binding{{Contact: uri}} }

var listen = []netip.AddrPort{
	netip.MustParseAddrPort("192.0.2.10:5060"),
	netip.MustParseAddrPort("[2001:db8::10]:5060"),
}

func router() *Router {
	nat := contact("sip:nat@10.0.0.5:5070;ob?x=y")
	nat[0].Received = netip.MustParseAddrPort("198.51.100.9:4444")
	nat6 := contact("sip:nat6@[fd00::5]")
	nat6[0].Received = netip.MustParseAddrPort("[2001:db8::9]:4444")
	path := contact("sip:path@10.0.0.5")
	path[0].Path = []string{"<sip:edge.example.net;lr>"}
	both := append(contact("sip:both@198.51.100.1"), contact("sip:both@198.51.100.2")...)
	users := directory{
		"alice@example.com":     contact("sip:alice@198.51.100.7:5062"),
		"off@example.com":       nil,
		"nat@example.com":       nat,
		"nat6@example.com":      nat6,
		"path@example.com":      path,
		"both@example.com":      both,
		"tcp@example.com":       contact("sip:tcp@198.51.100.7;transport=TCP"),
		"name@example.com":      contact("sip:name@phone.example.net"),
		"tel@example.com":       contact("tel:+1555"),
		"loop@example.com":      contact("sip:loop@192.0.2.10"),
		"alias@example.com":     contact("sip:alias@198.51.100.7;alias=203.0.113.1~5060~1;x"),
		"q?;=x@example.com":     contact("sip:q?;=x@198.51.100.7;y?h=1"),
		"+15551234@example.com": contact("sip:+15551234@198.51.100.7"),
		"alice@example.org":     contact("sip:alice@203.0.113.7"),
		"six@example.com":       contact("sip:six@[2001:db8::7]"),
	}
	return New(NewDomains([]string{"Example.COM", "example.org"}, listen), users, users, Forking{MaxTargets: 3, Ring: 20 * time.Second}, nil)
}

func TestRoute(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want string // the first target, or "" with code
		code int
	}{
		{"sip:alice@example.com", "sip:alice@198.51.100.7:5062", 0},
		{"sip:alice@EXAMPLE.com:5060;user=phone", "sip:alice@198.51.100.7:5062", 0},
		{"sip:%61lice@example.com.", "sip:alice@198.51.100.7:5062", 0},
		{"sips:alice@example.com", "", 416},
		{"sip:alice@192.0.2.10", "sip:alice@198.51.100.7:5062", 0},
		{"sip:alice@[2001:db8:0::10]:5060", "sip:alice@198.51.100.7:5062", 0},
		{"sip:alice@example.org", "sip:alice@203.0.113.7", 0},
		{"sip:Alice@example.com", "", 404},
		{"tel:+1-555-(12)34;phone-context=x", "sip:+15551234@198.51.100.7", 0},
		{"sip:nat@example.com", "sip:nat@10.0.0.5:5070;ob;alias=198.51.100.9~4444~1", 0},
		{"sip:nat6@example.com", "sip:nat6@[fd00::5];alias=[2001:db8::9]~4444~1", 0},
		{"sip:path@example.com", "sip:path@10.0.0.5", 0},
		{"sip:both@example.com", "sip:both@198.51.100.1", 0},
		{"sip:alias@example.com", "sip:alias@198.51.100.7;x", 0},
		{"sip:q?;=x@example.com", "sip:q?;=x@198.51.100.7;y", 0},
		{"sip:six@example.com", "sip:six@[2001:db8::7]", 0},
		{"sip:4711@example.org", "sip:alice@198.51.100.7:5062", 0},
		{"sip:off@example.com", "", 480},
		{"sip:tcp@example.com", "", 480},
		{"sip:name@example.com", "", 480},
		{"sip:tel@example.com", "", 480},
		{"sip:loop@example.com", "", 482},
		{"sip:nobody@example.com", "", 404},
		{"sip:example.com", "", 404},
		{"sip:alice@example.net", "", 403},
		{"sip:alice@example.com:5080", "", 403},
		{"sip:alice@192.0.2.10:5080", "", 403},
		{"mailto:alice@example.com", "", 416},
	} {
		t.Run(c.uri, func(t *testing.T) {
			u, err := sip.ParseURI([]byte(c.uri))
			if err != nil {
				t.Fatal(err)
			}
			targets, err := router().Route(&u, Call{Now: time.Now()})
			var fault *sip.Error
			if errors.As(err, &fault); fault != nil && fault.Code != c.code || err == nil && c.code != 0 {
				t.Fatalf("got %v, %v; want code %d", targets, err, c.code)
			}
			if err == nil && targets[0].URI != c.want {
				t.Fatalf("routed to %q, want %q", targets[0].URI, c.want)
			}
		})
	}
}

func TestRouteKeepsPathAndOrder(t *testing.T) {
	u, _ := sip.ParseURI([]byte("sip:path@example.com"))
	targets, err := router().Route(&u, Call{Now: time.Now()})
	if err != nil || !slices.Equal(targets[0].Route, []string{"<sip:edge.example.net;lr>"}) {
		t.Fatalf("path: %v, %v", targets, err)
	}
	u, _ = sip.ParseURI([]byte("sip:both@example.com"))
	targets, err = router().Route(&u, Call{Now: time.Now()})
	if err != nil || len(targets) != 2 || targets[1].URI != "sip:both@198.51.100.2" {
		t.Fatalf("both: %v, %v", targets, err)
	}
}

func TestServiceOfOneFamilyRefusesTheOther(t *testing.T) {
	users := directory{"six@example.com": contact("sip:six@[2001:db8::7]")}
	r := New(NewDomains([]string{"example.com"}, listen[:1]), users, users, Forking{MaxTargets: 3}, nil)
	u, _ := sip.ParseURI([]byte("sip:six@example.com"))
	if _, err := r.Route(&u, Call{Now: time.Now()}); err != errUnreachable {
		t.Fatalf("IPv6 contact behind an IPv4 service: %v", err)
	}
}

func TestDomainsChangeAtRunTime(t *testing.T) {
	d := NewDomains([]string{"example.com"}, listen)
	u, _ := sip.ParseURI([]byte("sip:alice@b.example"))
	if _, own := d.Realm(&u); own {
		t.Fatal("a foreign domain is own")
	}
	d.Set([]string{"B.example", "example.com"})
	if realm, own := d.Realm(&u); realm != "b.example" || !own || d.Primary() != "example.com" {
		t.Fatalf("realm %q, %v, primary %q", realm, own, d.Primary())
	}
}
