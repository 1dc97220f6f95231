// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bytes"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func openTrial(t testing.TB) *Trial {
	t.Helper()
	needRoot(t)
	trial, err := OpenTrial(1024)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trial.Close(); err != nil {
			t.Error(err)
		}
	})
	return trial
}

func TestATrialJudgesAsTheAttachedProgramWould(t *testing.T) {
	trial := openTrial(t)
	if err := trial.ReplaceServices(steertest.Services()); err != nil {
		t.Fatal(err)
	}
	frame := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: steertest.Request("BYE").String()}.Frame()
	for range 3 {
		action, outcome, out, err := trial.Run(frame)
		if err != nil || action != steer.XDPPass || outcome != steer.PassNoPin || !bytes.Equal(out, frame) {
			t.Fatalf("got action %v, %v, %v", action, outcome, err)
		}
	}
	if err := trial.DeleteService(steertest.VIP); err != nil {
		t.Fatal(err)
	}
	if _, outcome, _, err := trial.Run(frame); err != nil || outcome != steer.PassNotOurs {
		t.Fatalf("without the service: %v, %v", outcome, err)
	}
}

func TestATrialTakesFramesOfAnySizeThatUDPAllows(t *testing.T) {
	trial := openTrial(t)
	if err := trial.ReplaceServices(steertest.Services()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 1500, 4000, 9000, 20000, 65535 - 14 - 28} {
		payload := bytes.Repeat([]byte{'x'}, n)
		frame := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: string(payload)}.Frame()
		if _, _, out, err := trial.Run(frame); err != nil || !bytes.Equal(out, frame) {
			t.Errorf("payload of %d bytes: %v, %d bytes of %d come back", n, err, len(out), len(frame))
		}
	}
}

func BenchmarkTrial(b *testing.B) {
	trial := openTrial(b)
	if err := trial.ReplaceServices(steertest.Services()); err != nil {
		b.Fatal(err)
	}
	frame := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: steertest.Request("BYE").String()}.Frame()
	for b.Loop() {
		if _, _, _, err := trial.Run(frame); err != nil {
			b.Fatal(err)
		}
	}
}
