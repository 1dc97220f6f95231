// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"fmt"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

// benchCalls is how many different calls a benchmark replays before time jumps
// and their transactions end.
const benchCalls = 2000

// recorder runs messages through one core and keeps them: branches are
// deterministic, so that another core can be given the same.
type recorder struct {
	n   *network
	all []transport.Datagram
}

func (r *recorder) in(from bool, msg string) []Send {
	d := transport.Datagram{Local: vip4, Remote: alice, Data: []byte(msg)}
	if from {
		d.Remote = bob
	}
	r.all = append(r.all, d)
	return r.n.core.Input(r.n.now, d)
}

func (r *recorder) parsed(s Send) got {
	n := network{t: r.n.t}
	n.collect([]Send{s})
	return n.takeAny()[0]
}

// call records INVITE, 180, 200 and ACK.
func (r *recorder) call(id string) (ok got) {
	invite := r.parsed(r.in(false, initial(request{callID: id}))[1])
	r.in(true, invite.respond(180, bobContact))
	ok = r.parsed(r.in(true, invite.respond(200, bobContact))[0])
	ack := ok.nextRequest("ACK", 1)
	ack.callID = id
	r.in(false, ack.text())
	return ok
}

// bye records BYE and 200.
func (r *recorder) bye(ok got, id string, i int) {
	bye := ok.nextRequest("BYE", 2)
	bye.callID, bye.via = id, fmt.Sprintf("%s-%d", bye.via, i)
	r.in(true, r.parsed(r.in(false, bye.text())[0]).respond(200))
}

// replay times a recording, operations of so many messages each.
func replay(b *testing.B, r *recorder, messages int) {
	n := newNetwork(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		for range messages {
			n.core.Input(n.now, r.all[i])
			i++
		}
		if i == len(r.all) {
			i = 0
			n.now = n.now.Add(time.Minute)
			n.core.Tick(n.now) // ends every transaction: part of the price
		}
	}
	if s := n.core.Stats(); s.Refused["no_dialog"]+s.Dropped["stray_response"] > 0 {
		b.Fatalf("the replay went wrong: %+v", s)
	}
}

// BenchmarkCall is a whole call: INVITE, 180, 200, ACK, BYE, 200 in; those and a
// 100 out.
func BenchmarkCall(b *testing.B) {
	r := &recorder{n: newNetwork(b)}
	for i := range benchCalls {
		id := fmt.Sprintf("call-%d@alice.example", i)
		r.bye(r.call(id), id, i)
	}
	replay(b, r, 6)
}

// BenchmarkBYE is an in-dialog BYE and its 200.
func BenchmarkBYE(b *testing.B) {
	r := &recorder{n: newNetwork(b)}
	ok := r.call(callID)
	r.all = nil
	for i := range benchCalls {
		r.bye(ok, callID, i)
	}
	replay(b, r, 2)
}
