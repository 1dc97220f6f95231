// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func explained(t *testing.T, e Explainer, p Packet) Explanation {
	t.Helper()
	x, err := e.Explain(p)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestExplain(t *testing.T) {
	bye, invite := steertest.Request("BYE"), steertest.Request("INVITE").Set("To", "<sip:bob@example.com>")
	const id = "3848276298220188511@atlanta.example.com"
	for _, c := range []struct {
		name, text                   string
		verdict, callID, method, tag string
		status                       int
		reason                       string
	}{
		{"BYE", bye.String(), "pass_no_pin", id, "BYE", "9fxced76sl", 0, "steered, if its Call-ID is pinned"},
		{"INVITE", invite.String(), "pass_initial", id, "INVITE", "", 0, "the control plane decides"},
		{"REGISTER", strings.ReplaceAll(invite.String(), "INVITE", "REGISTER"), "pass_initial", id, "REGISTER", "", 0, "registrar"},
		{"response", steertest.Response("SIP/2.0 180 Ringing").String(), "pass_no_pin", id, "", "9fxced76sl", 180, "a worker's own request"},
		{"compact", bye.Line("Call-ID", "i:x").String(), "pass_no_pin", "x", "BYE", "9fxced76sl", 0, "steered"},
		{"folded", bye.Line("Call-ID", "Call-ID:\r\n x@y").String(), "pass_folded", "x@y", "BYE", "9fxced76sl", 0, "user space can read it"},
		{"repeated", bye.Line("i", "i: x").String(), "pass_repeated_call_id", "", "BYE", "9fxced76sl", 0, "up: Call-ID is repeated, user space judges"},
		{"empty", bye.Set("Call-ID", "").String(), "pass_odd_call_id", "", "BYE", "9fxced76sl", 0, "Call-ID is empty"},
		{"missing", bye.Without("Call-ID").String(), "pass_no_call_id", "", "BYE", "9fxced76sl", 0, "400 Missing Call-ID"},
		{"bytes", bye.Set("Call-ID", "a\\b\xffc\x7f").String(), "pass_no_pin", `a\\b\xffc\x7f`, "BYE", "9fxced76sl", 0, "steered"},
		{"LFs", strings.ReplaceAll(bye.String(), "\r\n", "\n"), "pass_bare_lf", id, "BYE", "9fxced76sl", 0, "LF without CR"},
		{"far Call-ID", bye.Without("Call-ID").Set("X", strings.Repeat("x", 5000)).Set("Call-ID", id).String(), "pass_too_long", id, "BYE", "9fxced76sl", 0, "4096"},
		{"keepalive", "\r\n\r\n", "drop_keepalive", "", "", "", 0, "keepalive"},
		{"STUN", "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", "drop_not_sip", "", "", "", 0, "dropped"},
	} {
		x := explained(t, Explainer{}, Packet{File: "f", Payload: []byte(c.text)})
		if x.Verdict != c.verdict || x.Twin != c.verdict || x.CallID != c.callID || x.Method != c.method || x.ToTag != c.tag || x.Status != c.status {
			t.Errorf("%s: %+v", c.name, x)
		}
		if !strings.Contains(x.Reason, c.reason) || x.Key != "" || x.Kernel != "" || x.File != "f" {
			t.Errorf("%s: %+v, want the reason to have %q", c.name, x, c.reason)
		}
	}
}

// site knows one service and one pin.
func site(pin *steer.Pin) System {
	return System{
		Services: steertest.Services(), Default: steertest.VIP, Keyed: true,
		Pin: func(k steer.Key) (steer.Pin, bool) {
			if pin == nil || k != steertest.Secret.Key([]byte(steertest.CallID)) {
				return steer.Pin{}, false
			}
			return *pin, true
		},
		Worker: func(id uint32) (steer.Worker, string) { return steertest.Workers()[id], "w1" },
	}
}

func TestARunningSystemNamesTheWorker(t *testing.T) {
	pin := steertest.Pin(steertest.WorkerLocal)
	bye := Packet{Payload: []byte(steertest.Request("BYE").String())}
	e := Explainer{System: site(&pin)}
	x := explained(t, e, bye)
	if x.Verdict != "steer_local" || x.Worker != "w1" || x.State != "early" || x.Key != steertest.Secret.Key([]byte(steertest.CallID)).String() {
		t.Errorf("pinned: %+v", x)
	}
	if pin != steertest.Pin(steertest.WorkerLocal) {
		t.Errorf("the pin was changed: %+v", pin)
	}
	folded := Packet{Payload: []byte(steertest.Request("BYE").Line("Call-ID", "Call-ID:\r\n "+steertest.CallID).String())}
	if x = explained(t, e, folded); x.Verdict != "pass_folded" || x.Worker != "w1" || !strings.Contains(x.Reason, "sends it to worker w1") {
		t.Errorf("folded: %+v", x)
	}
	e.System = site(nil)
	if x = explained(t, e, bye); x.Verdict != "pass_no_pin" || x.Worker != "" || x.Key == "" || !strings.Contains(x.Reason, "481") {
		t.Errorf("not pinned: %+v", x)
	}
	elsewhere := bye
	elsewhere.Destination = netip.MustParseAddrPort("192.0.2.99:5060")
	elsewhere.Frame = frameOf(elsewhere.Destination, bye.Payload)
	if x = explained(t, e, elsewhere); x.Verdict != "pass_not_ours" || x.CallID != steertest.CallID || x.Key != "" {
		t.Errorf("elsewhere: %+v", x)
	}
}

func TestTheKernelIsAskedWithTheSameTables(t *testing.T) {
	pin := steertest.Pin(steertest.WorkerTX)
	e := Explainer{System: site(&pin), Kernel: func(frame []byte, tables Tables) (steer.Outcome, error) {
		if tables.Address != steertest.VIP || tables.Service == nil || tables.Pin == nil || tables.Worker.Forward != steer.ForwardL2 {
			t.Errorf("tables %+v", tables)
		}
		return steer.SteerLocal, nil
	}}
	x := explained(t, e, Packet{Payload: []byte(steertest.Request("BYE").String())})
	if x.Agree() || x.Verdict != "steer_local" || x.Kernel != "steer_local" || x.Twin != "steer_l2_tx" {
		t.Errorf("got %+v", x)
	}
}

func TestEveryOutcomeHasWords(t *testing.T) {
	for _, o := range steer.Outcomes() {
		s := words{outcome: o, Explainer: &Explainer{}}.kernel()
		if o.Action() != steer.ActionSteer && !strings.HasPrefix(s, "up: ") && !strings.HasPrefix(s, "dropped: ") && o != steer.PassNotOurs {
			t.Errorf("%v: %q", o, s)
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, m := range steertest.Messages() {
		f.Add([]byte(m.Text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > MaxPayload {
			return
		}
		x := explained(t, Explainer{}, Packet{Payload: payload})
		if judged := steer.Judge(payload); x.Reason == "" || x.CallID != Escape(judged.CallID) {
			t.Fatalf("%+v", x)
		}
	})
}
