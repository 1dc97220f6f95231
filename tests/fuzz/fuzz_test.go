// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// A short run, the same each time; make fuzz makes long ones.
func TestKernelTwinAndReferenceAgree(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: twin and reference alone")
	}
	corpus, err := messages("../../../shared/corpus/*/messages/*.dat")
	if err != nil {
		t.Fatal(err)
	}
	r, err := fuzz(settings{executions: 100_000, seed: 1, workers: 2, kernel: os.Geteuid() == 0, extra: corpus})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.differences {
		t.Errorf("chain %d: %s\npin %+v\npayload %q\nframe %x", d.number, d.what, d.x.pin, d.x.payload, d.x.frame)
	}
	// What the table of messages knows, the packets made up must meet as well.
	for _, c := range steertest.Messages() {
		if r.met[c.Outcome] == 0 {
			t.Errorf("no packet came to %v", c.Outcome)
			r.met[c.Outcome] = 1
		}
	}
}

func TestADifferenceIsFoundAndMadeSmall(t *testing.T) {
	j, err := openJudges(false)
	if err != nil {
		t.Fatal(err)
	}
	// A twin that keys with another secret stands for any mistake in the Call-ID.
	j.tables.Service = func(netip.AddrPort) (steer.Service, bool) {
		return steer.Service{Kind: steer.ServiceVIP, Secret: steer.Secret{1}}, true
	}
	p := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: steertest.Request("BYE").Body(strings.Repeat("b", 500)).String()}
	x := execution{frame: p.Frame(), payload: p.Payload, sound: true}
	if j.differ(x) == "" {
		t.Fatal("it goes unseen")
	}
	small := minimise(j, x)
	if j.differ(small) == "" || len(small.payload) > 100 {
		t.Errorf("left with %d bytes: %q", len(small.payload), small.payload)
	}
}
