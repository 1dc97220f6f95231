// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// Test runs take no frame below an Ethernet header, and few NICs one above this.
const (
	minFrame = 14
	maxFrame = 9000
)

// agree runs a frame through kernel and twin, with a pin for its Call-ID when pinned, and fails where they differ.
func agree(t *testing.T, d *Datapath, frame []byte, before *steer.Pin) {
	t.Helper()
	// What the twin looks for tells which key to pin.
	var key steer.Key
	tables := steertest.Tables(key, nil)
	tables.Pin = func(k steer.Key) *steer.Pin { key = k; return nil }
	steer.Frame(frame, steertest.IngressIndex, tables)

	var after *steer.Pin
	if before != nil {
		p := *before
		after = &p
	}
	tables = steertest.Tables(key, after)
	tables.Direct.Add = func(_ steer.Key, p steer.Pin) bool { after = &p; return true }
	want := steer.Frame(frame, steertest.IngressIndex, tables)
	got := runFrame(t, d, frame, key, before)
	if got.action != want.Action || len(got.outcomes) != 1 || got.outcomes[want.Outcome] != 1 {
		t.Fatalf("kernel says %v (XDP action %d), twin %v (%d)\n%q", got.outcomes, got.action, want.Outcome, want.Action, frame)
	}
	if !bytes.Equal(got.frame, want.Frame) {
		t.Fatalf("kernel sends\n%x, twin\n%x", got.frame, want.Frame)
	}
	if before == nil {
		before = &steer.Pin{}
	}
	if after == nil {
		after = &steer.Pin{}
	}
	if settled := steertest.Settle(*before, got.pin); settled != *after {
		t.Fatalf("kernel leaves pin %+v, twin %+v", settled, *after)
	}
}

// pinFor makes a pin of any kind from one byte.
func pinFor(b byte) *steer.Pin {
	if b == 0 {
		return nil
	}
	p := steertest.Pin(uint32(b%13) + 1)
	p.State = steer.State(b>>3%3) + steer.StateEarly
	p.Method = steer.Method(b>>5%3) + steer.MethodInvite
	p.Caller = steer.Tail([]byte([]string{"g=314159", "xced76sl"}[b>>7])) // of the parties of steertest's messages
	p.Ringing = uint32(b) * 0x01010101
	return &p
}

func FuzzTwin(f *testing.F) {
	for i, c := range steertest.Cases() {
		f.Add(c.Frame, byte(i))
	}
	d := openFixture(f)
	f.Fuzz(func(t *testing.T, frame []byte, pin byte) {
		if len(frame) < minFrame || len(frame) > maxFrame {
			return
		}
		agree(t, d, frame, pinFor(pin))
	})
}

// The messages of RFC 4475 and RFC 5118 lie beside the repository on machines that have them.
func TestKernelAndTwinAgreeOnTheTortureMessages(t *testing.T) {
	d := openFixture(t)
	files := corpus(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			frame := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: string(payload)}.Frame()
			agree(t, d, frame, pinFor(1))
			agree(t, d, frame, nil)
			for cut := range payload {
				if cut%7 == 0 {
					frame := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: string(payload[:cut])}.Frame()
					agree(t, d, frame, pinFor(1))
				}
			}
		})
	}
}

func corpus(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..", "..", "shared", "corpus")
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		t.Skip("not supported here: no corpus beside the repository")
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "messages", "*.dat"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages below %s: %v", root, err)
	}
	return files
}
