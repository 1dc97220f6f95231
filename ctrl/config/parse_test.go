// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	yaml "github.com/goccy/go-yaml"
)

// base is the shortest accepted file; tests replace one part of it.
const base = `datapath: {interfaces: [eth0]}
services:
  - name: edge
    listen: [udp://192.0.2.10:5060]
    domains: [example.com]
workers:
  - {name: w1, forward: l2, address: 192.0.2.21}
  - {name: w2, forward: local}
`

func TestParseFillsDefaults(t *testing.T) {
	c, err := Parse([]byte(base), "sipsteer.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := Default()
	if c.Datapath.MaxPins != 262144 || c.Datapath.Mode != ModeAuto || c.Store != d.Store || c.API.Listen != "127.0.0.1:8060" {
		t.Errorf("defaults are not filled in: %+v", c)
	}
	if c.Services[0].Policy != PolicyProxy || c.Services[0].MaglevSize != 65537 || !c.Services[0].Serves("w2") || c.Workers[0].Weight != 1 {
		t.Errorf("entries of lists lack their defaults: %+v %+v", c.Services, c.Workers)
	}
	if got := c.Services[0].Listen[0].String(); got != "udp://192.0.2.10:5060" {
		t.Errorf("listen = %s", got)
	}
	if c.Dialogs.Early != 200*time.Second {
		t.Errorf("dialogs.early = %s", c.Dialogs.Early)
	}
}

func TestParseTunnels(t *testing.T) {
	text := strings.Replace(base, "forward: local", "forward: gue, address: 2001:db8::22, source: 2001:db8:9::/64", 1) +
		"  - {name: w3, forward: ipip, address: 203.0.113.3, source: 192.0.2.1}\n  - {name: w4, forward: gue, address: 203.0.113.4, port: 5555}\n"
	c, err := Parse([]byte(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	w := c.Workers
	if w[1].Port != DefaultGUEPort || w[1].Source.Prefix.String() != "2001:db8:9::/64" || w[2].Port != 0 || w[2].Source.Prefix.Bits() != 32 ||
		w[3].Port != 5555 || w[3].Source.Prefix.IsValid() {
		t.Errorf("got %+v", w)
	}
	out, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(out, "f"); err != nil || again.Workers[1] != w[1] || again.Workers[2] != w[2] || again.Workers[3] != w[3] {
		t.Errorf("written out and read again: %v\n%s", err, out)
	}
}

func TestParseKeepsWhatTheFileSays(t *testing.T) {
	text := base + `
node: lb1
auth: {algorithms: [MD5], nonce_lifetime: 30s}
registrar: {default_expires: 600, min_expires: 30, max_expires: 900, max_contacts: 3}
dialogs: {ended: 35s}
api: {listen: "unix:///run/sipsteer/api.sock"}
log: {level: debug, format: json}
secret_file: /etc/sipsteer/secret
`
	c, err := Parse([]byte(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	if c.Node != "lb1" || c.Auth.Algorithms[0] != "MD5" || len(c.Auth.Algorithms) != 1 || c.Auth.NonceLifetime != 30*time.Second {
		t.Errorf("node or auth lost: %+v", c)
	}
	if c.Registrar.MaxContacts != 3 || c.Dialogs.Ended != 35*time.Second || c.Dialogs.Confirmed != 12*time.Hour {
		t.Errorf("registrar or dialogs lost: %+v", c)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		old, new string // replaced in base; old "" appends
		want     string
	}{
		"unknown key":              {"", "nodee: a\n", `f:9: nodee: unknown key; did you mean node?`},
		"unknown key, far off":     {"", "zzz: a\n", `f:9: zzz: unknown key; known here: node, datapath`},
		"unknown key in a worker":  {"forward: local", "forwart: local", `f:8: workers[1].forwart: unknown key; did you mean forward?`},
		"key given twice":          {"", "workers: []\n", `f:9: workers: is given twice, first on line 6`},
		"number for text":          {"", "node: 12\n", `f:9: node: want text, found a number; put it in quotes`},
		"text for a list":          {"[eth0]", "eth0", `f:1: datapath.interfaces: want a list, such as [a, b], found text`},
		"list for a section":       {"", "api: [a]\n", `f:9: api: want key: value pairs, found a list`},
		"text for a number":        {"", "registrar: {max_contacts: ten}\n", `f:9: registrar.max_contacts: want a whole number, found text`},
		"fraction for a number":    {"", "registrar: {max_contacts: 1.5}\n", `f:9: registrar.max_contacts: want a whole number`},
		"huge number":              {"", "registrar: {max_contacts: 18446744073709551615}\n", `f:9: registrar.max_contacts: 18446744073709551615 is too large`},
		"duration without unit":    {"", "dialogs: {ended: 40}\n", `f:9: dialogs.ended: want a duration with its unit`},
		"duration out of range":    {"", "dialogs: {ended: 0s}\n", `f:9: dialogs.ended: 0s is not between 1s and 1h0m0s`},
		"no value":                 {"", "store:\n", `f:9: store: has no value`},
		"anchor":                   {"", "node: &a x\n", `f:9: node: want text, found an anchor or alias`},
		"duplicate worker name":    {"name: w2", "name: w1", `f:8: workers[1].name: w1 is already the name of workers[0]`},
		"worker without name":      {"name: w2, ", "", `f:8: workers[1].name: is missing`},
		"l2 without address":       {", address: 192.0.2.21", "", `f:7: workers[0].address: is missing: l2 needs the literal address`},
		"l2 address with a port":   {"192.0.2.21", `"192.0.2.21:5060"`, `f:7: workers[0].address: "192.0.2.21:5060" is not a literal IP address without a port`},
		"l2 on a loopback":         {"192.0.2.21", `127.0.0.1`, `f:7: workers[0].address: 127.0.0.1 is this host`},
		"local with an address":    {"forward: local", "forward: local, address: 192.0.2.9", `f:8: workers[1].address: a local worker runs inside this process`},
		"same l2 address":          {"forward: local", "forward: l2, address: 192.0.2.21", `f:8: workers[1].address: 192.0.2.21 is already the address of w1`},
		"no forward":               {", forward: local", "", `f:8: workers[1].forward: is missing; allowed: local, l2, ipip, gue`},
		"unknown forward":          {"forward: local", "forward: l3", `f:8: workers[1].forward: "l3" is not allowed; allowed: local, l2, ipip, gue`},
		"ipip without address":     {"forward: local", "forward: ipip", `f:8: workers[1].address: is missing: ipip needs the literal address`},
		"l2 with a port":           {"address: 192.0.2.21", "address: 192.0.2.21, port: 6080", `f:7: workers[0].port: only a gue worker has one`},
		"l2 with a source":         {"address: 192.0.2.21", "address: 192.0.2.21, source: 192.0.2.1", `f:7: workers[0].source: only ipip and gue have an outer source`},
		"gue port too large":       {"forward: local", "forward: gue, address: 192.0.2.22, port: 70000", `f:8: workers[1].port: 70000 is not between 1 and 65535`},
		"source of another family": {"forward: local", "forward: gue, address: 192.0.2.22, source: 2001:db8::1", `f:8: workers[1].source: 2001:db8::1/128 and 192.0.2.22 are not of one family`},
		"source with host bits":    {"forward: local", "forward: ipip, address: 192.0.2.22, source: 10.9.0.1/16", `f:8: workers[1].source: 10.9.0.1/16 has bits behind the prefix; the range is 10.9.0.0/16`},
		"source that is a name":    {"forward: local", "forward: ipip, address: 192.0.2.22, source: lb1", `f:8: workers[1].source: "lb1" is neither an address nor a range`},
		"source that is multicast": {"forward: local", "forward: ipip, address: 192.0.2.22, source: 224.0.0.1", `f:8: workers[1].source: 224.0.0.1 is`},
		"service's worker unknown": {"domains: [example.com]", "domains: [example.com]\n    workers: [w1, w3]", `f:6: services[0].workers[1]: "w3" is not the name of a worker in this file`},
		"service's worker twice":   {"domains: [example.com]", "domains: [example.com]\n    workers: [w1, w1]", `f:6: services[0].workers[1]: w1 is listed twice`},
		"Maglev size no prime":     {"domains: [example.com]", "domains: [example.com]\n    maglev_size: 65536", `f:6: services[0].maglev_size: 65536 is not a prime number; 65537 is one`},
		"Maglev size too small":    {"domains: [example.com]", "domains: [example.com]\n    maglev_size: 7", `f:6: services[0].maglev_size: 7 is not between 251 and 1048573`},
		"direct with domains":      {"domains: [example.com]", "domains: [example.com]\n    policy: direct\n    workers: [w1]", `f:5: services[0].domains: policy direct registers and routes nobody`},
		"direct to a local worker": {"domains: [example.com]", "policy: direct", `f:3: services[0].workers: w2 is local, a proxy that takes requests from the control plane alone`},
		"no new pins":              {"domains: [example.com]", "policy: direct\n    workers: [w1]\n    new_pins_per_source: 0", `f:7: services[0].new_pins_per_source: 0 is not between 1 and 1000000`},
		"weight zero":              {"forward: local", "forward: local, weight: 0", `f:8: workers[1].weight: 0 is not between 1 and 1000`},
		"health of a worker":       {"forward: local", "forward: local, health: ping", `f:8: workers[1].health: "ping" is not allowed; allowed: options, off`},
		"health too fast":          {"", "health: {interval: 10ms}\n", `f:9: health.interval: 10ms is not between 100ms and 1h0m0s`},
		"health timeout":           {"", "health: {timeout: 10ms}\n", `f:9: health.timeout: 10ms is not between 50ms and 1m0s`},
		"health never down":        {"", "health: {down: 0}\n", `f:9: health.down: 0 is not between 1 and 100`},
		"health never up":          {"", "health: {up: 0}\n", `f:9: health.up: 0 is not between 1 and 100`},
		"no listen":                {"    listen: [udp://192.0.2.10:5060]\n", "", `f:3: services[0].listen: is missing`},
		"no domains":               {"domains: [example.com]", "policy: proxy", `f:3: services[0].domains: is missing`},
		"bad domain":               {"example.com", "exa mple", `f:5: services[0].domains[0]: "exa mple" is neither a domain name nor`},
		"domain twice":             {"[example.com]", "[example.com, EXAMPLE.com]", `f:5: services[0].domains[1]: example.com is listed twice`},
		"listen with a host name":  {"192.0.2.10:5060", "sip.example.com:5060", `f:4: services[0].listen[0]: "sip.example.com:5060" is not ADDR:PORT with a literal address`},
		"listen without scheme":    {"udp://", "", `f:4: services[0].listen[0]: is not an address such as udp://`},
		"listen on tcp":            {"udp://", "tcp://", `f:4: services[0].listen[0]: tcp is not in this version; allowed: udp`},
		"listen on anything":       {"192.0.2.10", "0.0.0.0", `f:4: services[0].listen[0]: 0.0.0.0 stands for every address of the host`},
		"listen on port 0":         {":5060", ":0", `f:4: services[0].listen[0]: port 0`},
		"same listen twice":        {"5060]", "5060, udp://192.0.2.10:5060]", `f:4: services[0].listen[1]: udp://192.0.2.10:5060 is listed already, in services[0].listen[0]`},
		"two listens of a family":  {"5060]", "5060, udp://192.0.2.11:5060]", `f:4: services[0].listen[1]: udp://192.0.2.11:5060 is the second address of its family in this service; make it a service of its own`},
		"no interfaces":            {"{interfaces: [eth0]}", "{mode: native}", `f:1: datapath.interfaces: mode native needs at least one interface`},
		"interface twice":          {"[eth0]", "[eth0, eth0]", `f:1: datapath.interfaces[1]: eth0 is listed twice`},
		"mode":                     {"[eth0]}", "[eth0], mode: fast}", `f:1: datapath.mode: "fast" is not allowed; allowed: auto, native, generic, off`},
		"too many pins":            {"[eth0]}", "[eth0], max_pins: 99999999}", `f:1: datapath.max_pins: 99999999 is not between 1024 and 16777216`},
		"relative bpffs":           {"[eth0]}", "[eth0], bpffs: bpf}", `f:1: datapath.bpffs: "bpf" is not an absolute path`},
		"API open to the world":    {"", "api: {listen: '0.0.0.0:8060'}\n", `f:9: api.listen: 0.0.0.0 is not a loopback address`},
		"API on a name":            {"", "api: {listen: 'localhost:8060'}\n", `f:9: api.listen: "localhost:8060" is neither ADDR:PORT`},
		"postgres later":           {"", "store: postgres://u:p@db/x\n", `f:9: store: postgres:// is not in this version; allowed: sqlite`},
		"relative sqlite":          {"", "store: sqlite://a.db\n", `f:9: store: "sqlite://a.db" does not name a file; three slashes`},
		"redis later":              {"", "location: redis://h\n", `f:9: location: redis://h is not in this version; allowed: memory`},
		"service route no router":  {"", "registrar: {service_route: ['sip:192.0.2.10']}\n", `f:9: registrar.service_route[0]: "sip:192.0.2.10" is not the URI of a loose router`},
		"expires out of order":     {"", "registrar: {min_expires: 600, max_expires: 60}\n", `f:9: registrar.max_expires: 60 is below min_expires, 600`},
		"default expires outside":  {"", "registrar: {default_expires: 10}\n", `f:9: registrar.default_expires: 10 is not between min_expires, 60`},
		"algorithm twice":          {"", "auth: {algorithms: [MD5, MD5]}\n", `f:9: auth.algorithms[1]: MD5 is listed twice`},
		"algorithm later":          {"", "auth: {algorithms: [SHA-512-256]}\n", `f:9: auth.algorithms[0]: SHA-512-256 is not in this version`},
		"no algorithm":             {"", "auth: {algorithms: []}\n", `f:9: auth.algorithms: is empty`},
		"log level":                {"", "log: {level: loud}\n", `f:9: log.level: "loud" is not allowed; allowed: debug, info, warn, error`},
		"gateway without address":  {"", "gateways: [{name: g}]\n", `f:9: gateways[0].address: is missing`},
		"gateway by name":          {"", "gateways: [{name: g, address: 'udp://gw.example:5060'}]\n", `f:9: gateways[0].address: "gw.example:5060" is not ADDR:PORT`},
		"gateway for everybody":    {"", "gateways: [{name: g, address: 'udp://192.0.2.99:5060', sources: [0.0.0.0/0]}]\n", `f:9: gateways[0].sources[0]: 0.0.0.0/0 is everybody`},
		"source without a length":  {"", "gateways: [{name: g, address: 'udp://192.0.2.99:5060', sources: [192.0.2.99]}]\n", `f:9: gateways[0].sources[0]: "192.0.2.99" is not a network`},
		"route to nobody":          {"", "routes: [{prefix: '+49', groups: [x]}]\n", `f:9: routes[0].groups[0]: no gateway is in the group "x"`},
		"route without groups":     {"", "routes: [{prefix: '+49'}]\n", `f:9: routes[0].groups: is missing`},
		"route for a name":         {"", "gateways: [{name: g, address: 'udp://192.0.2.99:5060'}]\nroutes: [{prefix: bob, groups: [g]}]\n", `f:10: routes[0].prefix: "bob" is not what a number starts with`},
		"route given twice":        {"", "gateways: [{name: g, address: 'udp://192.0.2.99:5060'}]\nroutes: [{prefix: '0', groups: [g]}, {prefix: '0', groups: [g]}]\n", `f:10: routes[1].prefix: "0" is given already, in routes[0]`},
		"failover on success":      {"", "gateways: [{name: g, address: 'udp://192.0.2.99:5060'}]\nroutes: [{groups: [g], failover: [200]}]\n", `f:10: routes[0].failover[0]: 200 is not between 300 and 599`},
		"ring in milliseconds":     {"", "forking: {ring: 1500ms}\n", `f:9: forking.ring: 1.5s is not whole seconds`},
		"too many targets":         {"", "forking: {max_targets: 17}\n", `f:9: forking.max_targets: 17 is not between 1 and 16`},
		"broken YAML":              {"", "log: {level: 'x\n", `f:9: not valid YAML:`},
		"second document":          {"", "---\nnode: x\n", `f:10: a second document starts here`},
		"address inside braces":    {"{name: w2, forward: local}", "{name: w2, forward: local}\nlog: {level: {a: b}}", `f:9: log.level: want text, found key: value pairs; put text with a colon in quotes`},
		"entry that is no mapping": {"{name: w2, forward: local}", "w2", `f:8: workers[1]: want key: value pairs, found text`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := base + tt.new
			if tt.old != "" {
				text = strings.Replace(base, tt.old, tt.new, 1)
			}
			c, err := Parse([]byte(text), "f")
			if err == nil {
				t.Fatalf("accepted: %+v", c)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
			if n := len(err.(Errors)); n != 1 {
				t.Errorf("%d mistakes reported for one:\n%s", n, err)
			}
		})
	}
}

func TestParseReportsEveryMistakeInLineOrder(t *testing.T) {
	text := `mode: native
services:
  - {name: edge, listen: [tcp://192.0.2.1:5060], domains: []}
workers:
  - {name: w1, forward: gre}
  - {name: w1, forward: local, address: 192.0.2.9}
`
	_, err := Parse([]byte(text), "f")
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("want Errors, got %v", err)
	}
	var got []string
	for _, e := range errs {
		got = append(got, e.Key)
	}
	want := "datapath.interfaces mode services[0].listen[0] services[0].domains workers[0].forward workers[1].name workers[1].address"
	for _, key := range strings.Fields(want) {
		if !strings.Contains(" "+strings.Join(got, " ")+" ", " "+key+" ") {
			t.Errorf("no mistake reported at %s; got %v", key, got)
		}
	}
	for i := 1; i < len(errs); i++ {
		if errs[i].Line < errs[i-1].Line {
			t.Errorf("lines out of order: %v", errs)
		}
	}
}

func TestParseRefusesWhatIsNoConfigAtAll(t *testing.T) {
	tests := map[string]string{
		"":                           "f:1: the file is empty",
		"# only a comment\n":         "f:1: the file is empty",
		"hello":                      "f:1: want key: value pairs, found text",
		"- a\n- b\n":                 "f:1: want key: value pairs, found a list",
		strings.Repeat("[", 100):     "f:1: nested too deep",
		strings.Repeat("- ", 100):    "f:1: nested too deep",
		strings.Repeat("#", 300<<10): "f:1: has 307200 bytes",
	}
	for text, want := range tests {
		_, err := Parse([]byte(text), "f")
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %s", text, err, want)
		}
	}
}

func TestOnlyRedirectingNeedsNoWorkers(t *testing.T) {
	text := strings.Replace(base[:strings.Index(base, "workers:")], "name: edge", "name: edge\n    policy: redirect", 1)
	if _, err := Parse([]byte(text), "f"); err != nil {
		t.Error(err)
	}
}

func TestModeOffNeedsNoInterface(t *testing.T) {
	text := strings.Replace(base, "interfaces: [eth0]", "mode: off", 1)
	if _, err := Parse([]byte(text), "f"); err != nil {
		t.Error(err)
	}
}

func TestDomainsAreKeptAsInASIPURI(t *testing.T) {
	for in, want := range map[string]string{
		"Example.COM": "example.com", "example.com.": "example.com", "192.0.2.1": "192.0.2.1",
		"'2001:DB8::1'": "[2001:db8::1]", "'[2001:db8:0::1]'": "[2001:db8::1]",
	} {
		c, err := Parse([]byte(strings.Replace(base, "example.com", in, 1)), "f")
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if got := c.Services[0].Domains[0]; got != want {
			t.Errorf("%s is kept as %s, want %s", in, got, want)
		}
	}
}

func TestEmbeddedConfigIsAcceptedAsAFile(t *testing.T) {
	text, err := yaml.Marshal(Embedded("/home/u/.local/state/sipsteer"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(text, "embedded")
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	if c.Store != "sqlite:///home/u/.local/state/sipsteer/sipsteer.db" || len(c.Workers) != 2 {
		t.Errorf("lost on the way: %+v", c)
	}
}

func TestStateDir(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	tests := map[string]struct {
		getenv func(string) string
		want   string
	}{
		"XDG":          {env("XDG_STATE_HOME", "/s", "HOME", "/h"), "/s/sipsteer"},
		"home":         {env("HOME", "/h"), "/h/.local/state/sipsteer"},
		"relative XDG": {env("XDG_STATE_HOME", "s", "HOME", "/h"), "/h/.local/state/sipsteer"},
		"nothing":      {env(), ""},
	}
	for name, tt := range tests {
		got, err := StateDir(tt.getenv)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// An accepted file, written out again, is accepted and means the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte("a: [b, {c: d}]\n"))
	f.Add([]byte("? x\n: y\n"))
	f.Add([]byte(strings.ReplaceAll(base, "192.0.2.10", "[2001:db8::1]")))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "f")
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("not a list of mistakes: %#v", err)
			}
			return
		}
		first, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first, "g")
		if err != nil {
			t.Fatalf("refused when written out: %v\n%s", err, first)
		}
		second, err := yaml.Marshal(again)
		if err != nil || string(first) != string(second) {
			t.Fatalf("changed when written out: %v\n%s\n%s", err, first, second)
		}
	})
}
