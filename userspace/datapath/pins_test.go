// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func numbered(i int) (k steer.Key) {
	binary.LittleEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
	return k
}

func TestFullTableRefusesNewPinsAndKeepsOld(t *testing.T) {
	d := openFixture(t)
	pins := d.Pins()
	for i := range 1024 {
		must(t, pins.Put(numbered(i), steertest.Pin(1)))
	}
	if err := pins.Put(numbered(1024), steertest.Pin(1)); !errors.Is(err, steer.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	must(t, pins.Put(numbered(7), steertest.Pin(2)))
	seen := map[steer.Key]uint32{}
	must(t, pins.Each(func(k steer.Key, p steer.Pin) bool {
		seen[k] = p.Worker
		return true
	}))
	if len(seen) != 1024 || seen[numbered(7)] != 2 || seen[numbered(8)] != 1 {
		t.Errorf("%d pins, worker of the replaced one %d", len(seen), seen[numbered(7)])
	}
	calls := 0
	must(t, pins.Each(func(steer.Key, steer.Pin) bool { calls++; return false }))
	if calls != 1 {
		t.Errorf("Each went on after false: %d calls", calls)
	}
	pins.Delete(numbered(7))
	must(t, pins.Put(numbered(1024), steertest.Pin(1)))
	if _, ok := pins.Get(numbered(7)); ok {
		t.Error("a deleted pin is still there")
	}
}

func TestNoteDoesWhatTheTwinDoes(t *testing.T) {
	d := openFixture(t)
	for _, text := range []string{
		steertest.Request("BYE").String(),
		steertest.Request("ACK").Set("CSeq", "2 ACK").String(),
		steertest.Response("SIP/2.0 180 Ringing").Set("CSeq", "2 INVITE").String(),
		steertest.Response("SIP/2.0 200 OK").Set("CSeq", "2\r\n INVITE").String(), // folded: judged in user space
		steertest.Response("SIP/2.0 486 Busy Here").Set("CSeq", "2 INVITE").String(),
	} {
		m := steer.Judge([]byte(text))
		if m.Unjudged != steer.Undecided {
			t.Fatalf("%q is %v", text, m.Unjudged)
		}
		before := steertest.Pin(1)
		want := before
		want.Note(m, steertest.Now)
		must(t, d.Pins().Put(testKey, before))
		if !d.Pins().Note(testKey, m) {
			t.Fatal("no pin")
		}
		got, _ := d.Pins().Get(testKey)
		if got.SeenNS > Now() || steertest.Settle(before, got) != want {
			t.Errorf("%q leaves %+v, want %+v", text, got, want)
		}
	}
	if d.Pins().Note(numbered(1), steer.Message{}) {
		t.Error("a pin that is not there was noted")
	}
}

func TestNotesDoNotRace(t *testing.T) {
	d := openFixture(t)
	must(t, d.Pins().Put(testKey, steertest.Pin(1)))
	m := steer.Judge([]byte(steertest.Request("INFO").String()))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 250 {
				d.Pins().Note(testKey, m)
			}
		})
	}
	wg.Wait()
	if p, _ := d.Pins().Get(testKey); p.Requests != 1000 {
		t.Errorf("%d requests counted, want 1000", p.Requests)
	}
}

func TestNamesOfCalls(t *testing.T) {
	d := openFixture(t)
	long := strings.Repeat("x", 300)
	must(t, d.Pins().PutCall(testKey, CallInfo{CallID: long, From: "a", To: long}))
	c, ok := d.Pins().GetCall(testKey)
	if !ok || c.CallID != long[:256] || c.From != "a" || c.To != long[:128] {
		t.Errorf("got %+v (%v)", c, ok)
	}
	d.Pins().Delete(testKey)
	if _, ok := d.Pins().GetCall(testKey); ok {
		t.Error("the names outlive the pin")
	}
}

func TestReplaceServicesDeletesTheOthers(t *testing.T) {
	d := openFixture(t)
	other := netip.MustParseAddrPort("203.0.113.5:5060")
	must(t, d.ReplaceServices(map[netip.AddrPort]Service{other: {ID: 3, Kind: steer.ServiceVIP}}))
	bye := steertest.Request("BYE").String()
	for dst, want := range map[netip.AddrPort]steer.Outcome{other: steer.PassNoPin, steertest.VIP: steer.PassNotOurs, steertest.VIP6: steer.PassNotOurs} {
		src := steertest.Client
		if dst.Addr().Is6() {
			src = steertest.Client6
		}
		frame := steertest.Packet{Src: src, Dst: dst, Payload: bye}.Frame()
		if got := runFrame(t, d, frame, testKey, nil); got.outcomes[want] != 1 {
			t.Errorf("%v: %v, want %v", dst, got.outcomes, want)
		}
	}
	must(t, d.DeleteService(other))
	must(t, d.DeleteService(other))
}

func TestPortsAreLookedUpWhereAServiceHasThem(t *testing.T) {
	d := openFixture(t)
	open := func(port uint16) bool {
		var bits uint64
		must(t, d.objs.ServicePorts.Lookup(uint32(networkOrder(port))/64, &bits))
		return bits>>(networkOrder(port)%64)&1 == 1
	}
	one, two := netip.MustParseAddrPort("203.0.113.5:5070"), netip.MustParseAddrPort("203.0.113.6:65535")
	must(t, d.ReplaceServices(map[netip.AddrPort]Service{one: {ID: 3, Kind: steer.ServiceVIP}}))
	must(t, d.SetService(two, Service{ID: 4, Kind: steer.ServiceVIP}))
	if !open(5070) || !open(65535) || open(5060) || open(5071) {
		t.Error("the ports open are not those of the services")
	}
	must(t, d.ReplaceServices(map[netip.AddrPort]Service{two: {ID: 4, Kind: steer.ServiceVIP}}))
	if open(5070) || !open(65535) {
		t.Error("a port outlives its service, or does not")
	}
}

func TestWorkersAreChecked(t *testing.T) {
	d := openFixture(t)
	for name, c := range map[string]struct {
		id uint32
		w  Worker
	}{
		"id 0":             {0, Worker{}},
		"id out of range":  {MaxWorkers, Worker{}},
		"local, no port":   {1, Worker{Forward: steer.ForwardLocal}},
		"l2, no interface": {1, Worker{Forward: steer.ForwardL2}},
		"no such way":      {1, Worker{Forward: 9}},
	} {
		if err := d.SetWorker(c.id, c.w); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestOutcomesHaveTheNamesOfTheObject(t *testing.T) {
	spec, err := bpf.LoadSteer()
	must(t, err)
	var enum *btf.Enum
	must(t, spec.Types.TypeByName("outcome", &enum))
	names := map[uint64]string{}
	for _, v := range enum.Values {
		names[v.Value] = strings.ToLower(v.Name)
	}
	for _, o := range append(steer.Outcomes(), steer.Undecided) {
		if names[uint64(o)] != o.String() {
			t.Errorf("outcome %d is %s in Go and %s in C", o, o, names[uint64(o)])
		}
	}
	if len(names) != len(steer.Outcomes())+2 { // and UNDECIDED, OUTCOMES
		t.Errorf("C has %d outcomes, Go %d", len(names)-2, len(steer.Outcomes()))
	}
}
