// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// settings say what to run.
type settings struct {
	executions uint64
	seed       uint64
	workers    int
	kernel     bool
	extra      []string // messages to begin from, beside the table of steertest
}

// difference is one packet that the judges disagree about.
type difference struct {
	number uint64 // of the chain; with the seed it makes the same packets again
	what   string
	x      execution
}

// report is what a run found.
type report struct {
	met         map[steer.Outcome]uint64
	differences []difference
}

// enough differences are as good as all.
const enough = 10

// fuzz shares the chains out to workers. A chain is the same whoever runs it.
func fuzz(s settings) (report, error) {
	total := report{met: map[steer.Outcome]uint64{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	for w := range s.workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, err := share(s, uint64(w))
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
			total.differences = append(total.differences, r.differences...)
			for o, n := range r.met {
				total.met[o] += n
			}
		}()
	}
	wg.Wait()
	return total, failed
}

// chain is how many packets grow out of one message, each by one change more.
const chain = 8

func share(s settings, worker uint64) (report, error) {
	j, err := openJudges(s.kernel)
	if err != nil {
		return report{}, fmt.Errorf("starting worker %d: %w", worker, err)
	}
	r := report{met: j.met}
	source := rand.NewPCG(0, 0)
	m := mutator{rand.New(source), seeds(s)}
	for n := worker; n*chain < s.executions && len(r.differences) < enough; n += uint64(s.workers) {
		source.Seed(s.seed, n)
		text := m.seeds[m.IntN(len(m.seeds))]
		for range chain {
			x := m.execution(text)
			if what := j.differ(x); what != "" {
				x = minimise(j, x)
				r.differences = append(r.differences, difference{n, j.differ(x), x})
			}
			text = m.change(text)
		}
	}
	return r, j.close()
}

// madeUp is how many messages of calls the seeds hold beside the tables.
const madeUp = 3000

func seeds(s settings) []string {
	var all []string
	for _, m := range steertest.Messages() {
		all = append(all, m.Text)
	}
	m := mutator{Rand: rand.New(rand.NewPCG(s.seed, madeUp)), seeds: all}
	for range madeUp {
		all = append(all, m.dialogMessage())
	}
	for len(s.extra) > 0 && len(all) < 2*madeUp {
		all = append(all, s.extra...)
	}
	return all
}

// execution puts a message into a packet: one in eight with changes below SIP, one to policy direct.
func (m mutator) execution(text string) execution {
	p := m.packet(text)
	x := execution{payload: p.Payload, sound: m.IntN(4) != 0, pin: m.pin(text)}
	switch {
	case x.sound:
		x.frame = p.Frame()
	case m.IntN(2) == 0:
		x.frame = toDirect(p).Frame()
	default:
		x.frame = m.bend(p)
	}
	return x
}

// toDirect sends a packet to the service with policy direct.
func toDirect(p steertest.Packet) steertest.Packet {
	if p.Dst = steertest.Direct; p.Src.Addr().Is6() {
		p.Dst = steertest.Direct6
	}
	return p
}

// pin makes a pin of any kind to any worker; nil for none. Its caller is often a party of the message.
func (m mutator) pin(text string) *steer.Pin {
	if m.IntN(4) == 0 {
		return nil
	}
	p := steertest.Pin(uint32(1 + m.IntN(5)))
	p.State = steer.StateEarly + steer.State(m.IntN(3))
	p.Method = steer.MethodInvite + steer.Method(m.IntN(3))
	p.CSeq = uint32(m.IntN(3))
	party := m.pick("\r\nFrom: ", "\r\nTo: ", "\r\nf: ", "\r\nt: ")
	if _, behind, ok := strings.Cut(text, party); ok {
		value, _, _ := strings.Cut(behind, "\r\n")
		p.Caller = steer.Tail([]byte(value))
	}
	return &p
}

// minimise takes bytes out of the payload as long as the judges still disagree.
func minimise(j *judges, x execution) execution {
	if !x.sound {
		return x
	}
	packet := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP}
	for size := len(x.payload) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(x.payload); {
			packet.Payload = x.payload[:at] + x.payload[at+size:]
			smaller := execution{packet.Frame(), packet.Payload, true, x.pin}
			if j.differ(smaller) == "" {
				at += size
				continue
			}
			x = smaller
		}
	}
	return x
}
