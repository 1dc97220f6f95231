// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

// rates are what happened between two looks at the status, per second.
type rates struct {
	Status   *api.Status        `json:"status"` // the later look
	Seconds  float64            `json:"seconds"`
	Steered  float64            `json:"steered"`
	Passed   float64            `json:"passed"`
	Dropped  map[string]float64 `json:"dropped"`
	Received map[string]float64 `json:"received"`
	Answered map[string]float64 `json:"answered"`
	Refused  map[string]float64 `json:"refused"` // what the control plane dropped
	Calls    float64            `json:"handed_over"`
	Workers  map[string]float64 `json:"workers"` // packets steered, by name
}

func ratesOf(before, now *api.Status, passed time.Duration) rates {
	s := max(passed.Seconds(), 1e-3)
	r := rates{
		Status: now, Seconds: s,
		Steered:  rate(before.Datapath.Steered, now.Datapath.Steered, s),
		Passed:   rate(before.Datapath.Passed, now.Datapath.Passed, s),
		Dropped:  rateEach(before.Datapath.Dropped, now.Datapath.Dropped, s),
		Received: rateEach(before.Control.Received, now.Control.Received, s),
		Answered: rateEach(before.Control.Answered, now.Control.Answered, s),
		Refused:  rateEach(before.Control.Dropped, now.Control.Dropped, s),
		Calls:    rate(before.Control.HandedOver, now.Control.HandedOver, s),
		Workers:  map[string]float64{},
	}
	was := map[string]uint64{}
	for _, w := range before.Workers {
		was[w.Name] = w.Steered
	}
	for _, w := range now.Workers {
		r.Workers[w.Name] = rate(was[w.Name], w.Steered, s)
	}
	return r
}

// rate is 0 when the counter went back: the daemon or its datapath began anew.
func rate(before, now uint64, seconds float64) float64 {
	if now < before {
		return 0
	}
	return float64(now-before) / seconds
}

func rateEach(before, now map[string]uint64, seconds float64) map[string]float64 {
	out := map[string]float64{}
	for name, n := range now {
		if v := rate(before[name], n, seconds); v > 0 {
			out[name] = v
		}
	}
	return out
}

func printRates(w io.Writer, r rates) {
	s := r.Status
	up := span(time.Duration(s.UptimeSeconds * float64(time.Second)))
	fmt.Fprintf(w, "%s  sipsteer %s  up %s  %s\n\n", plain(s.Node), plain(s.Version), up, plain(datapathMode(&s.Datapath)))
	for _, l := range [][2]string{
		{"steered/s", perSecond(r.Steered)},
		{"passed up/s", perSecond(r.Passed)},
		{"dropped/s", perSecondEach(r.Dropped)},
		{"received/s", perSecondEach(r.Received)},
		{"answered/s", perSecondEach(r.Answered)},
		{"refused/s", perSecondEach(r.Refused)},
		{"handed over/s", perSecond(r.Calls)},
		{"dialogs", fmt.Sprintf("%d early, %d confirmed, %d ended", s.Dialogs.Early, s.Dialogs.Confirmed, s.Dialogs.Ended)},
		{"registrations", fmt.Sprint(s.Registrations)},
	} {
		fmt.Fprintf(w, "%-14s %s\n", l[0], l[1])
	}
	fmt.Fprintln(w)
	rows := make([][]string, 0, len(s.Workers))
	for _, k := range s.Workers {
		rows = append(rows, []string{k.Name, k.State, k.Forward, k.Address, fmt.Sprint(k.Dialogs), perSecond(r.Workers[k.Name])})
	}
	_ = table(w, []string{"WORKER", "STATE", "FORWARD", "ADDRESS", "DIALOGS", "STEERED/S"}, rows)
}

func perSecond(v float64) string {
	if v > 0 && v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// perSecondEach shows a total and its parts, the largest first.
func perSecondEach(parts map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(parts[b], parts[a]), cmp.Compare(a, b))
	})
	total := 0.0
	shown := make([]string, 0, len(names))
	for _, n := range names {
		total += parts[n]
		shown = append(shown, plain(n)+" "+perSecond(parts[n]))
	}
	if len(shown) == 0 {
		return "0"
	}
	return perSecond(total) + " (" + strings.Join(shown, ", ") + ")"
}
