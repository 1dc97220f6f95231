// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sipsteer/sipsteer/tests/daemon"
)

// printMap draws the network.
func (s *stage) printMap() {
	f := s.farm
	middle := fmt.Sprintf("── segment ── lb %s, VIP %s, XDP ──", f.Balancer.Addr4(), vip.Addr())
	gap := strings.Repeat(" ", utf8.RuneCountInString(middle))
	fmt.Printf("\n    alice  %-11s ──┐%s┌── w1  %-11s  sipsteer worker\n", f.Callers.Addr4(), gap, f.Worker1.Addr4())
	fmt.Printf("%25s├%s┤   both own the VIP, too, and answer directly\n", "", middle)
	fmt.Printf("    bob    %-11s ──┘%s└── w2  %-11s  %s\n", f.Callees.Addr4(), gap, f.Worker2.Addr4(), s.second)
}

// report tells the two sides of the story.
func (s *stage) report(before, after daemon.Status, calls int) {
	say("What the kernel steered, without waking the control plane")
	steered := after.Datapath.Steered - before.Datapath.Steered
	fmt.Printf("    %d messages, %.2f a call: 180, 200, ACK, BYE and 200\n", steered, float64(steered)/float64(calls))
	for i, w := range after.Workers {
		n := gained(before, after, i)
		fmt.Printf("    %-4s %6d  %3.0f%%  %s\n", w.Name, n, 100*float64(n)/float64(max(steered, 1)), bar(n, steered))
	}

	say("What the control plane saw: only what starts something")
	for _, row := range []struct{ name, why string }{
		{"INVITE", "one without credentials, one with them"},
		{"ACK", "to its own 407"},
		{"BYE", "all steered by the kernel"},
		{"response", "all steered by the kernel"},
	} {
		n := difference(before.Control.Received, after.Control.Received, row.name)
		fmt.Printf("    %-9s %6d  %.2f a call  %s\n", row.name, n, float64(n)/float64(calls), row.why)
	}

	say("What stands now")
	fmt.Printf("    dialogs: %d early, %d confirmed, %d ended (kept a while for late repeats); registrations: %d\n",
		after.Dialogs.Early, after.Dialogs.Confirmed, after.Dialogs.Ended, after.Registrations)
	fmt.Printf("    datapath: %s mode\n\n", after.Datapath.Mode)
}

// bar draws a share as a row of blocks.
func bar(n, of uint64) string {
	const width = 40
	blocks := ""
	for range n * width / max(of, 1) {
		blocks += "█"
	}
	return blocks
}
