// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/transport"
	"github.com/sipsteer/sipsteer/userspace/txn"
)

// Send is a datagram that leaves. Data is valid until the next call of the Core.
type Send struct {
	transport.Datagram
	client *clientTx // whose request it is; nil for responses and stateless requests
}

// Core is the proxy without sockets, goroutines and clock. It is for one
// goroutine. Datagrams that it returns are to be sent in their order.
type Core struct {
	cfg    Config
	listen []string // cfg.Listen as host:port
	count  *counters

	origin time.Time   // of the readings of now
	wall   time.Time   // the time of this call
	now    txn.Instant // the same, since origin

	servers map[string]*serverTx // by transactionKey
	clients map[string]*clientTx // by branch and method
	timers  timerHeap
	targets targets

	out      []Send
	buf      []byte // what out points into
	msg      sip.Message
	kept     sip.Message // a stored message, read again
	branched sip.Message // the request of one branch of a fork
	alone    []byte      // its bytes
	ed       sip.Editor
	key      []byte
	via      []byte
	line     []byte
}

// NewCore makes a Core. Config.Send, Now, Sockets and Queue are not used. The
// error names what the Config lacks.
func NewCore(cfg Config) (*Core, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Core{
		cfg:     cfg,
		count:   &counters{},
		servers: map[string]*serverTx{},
		clients: map[string]*clientTx{},
		targets: newTargets(cfg.MaxDialogs),
	}
	for _, l := range cfg.Listen {
		c.listen = append(c.listen, l.String())
	}
	return c, nil
}

// Stats may be called from any goroutine.
func (c *Core) Stats() Stats { return c.count.stats() }

func (c *Core) begin(now time.Time) {
	if c.origin.IsZero() {
		c.origin = now
	}
	c.wall, c.now = now, now.Sub(c.origin)
	c.out, c.buf = c.out[:0], c.buf[:0]
}

// Input takes a datagram. Its Data is not kept; Local need name the service
// address only, not its port.
func (c *Core) Input(now time.Time, d transport.Datagram) []Send {
	c.begin(now)
	c.count.add(received)
	p := packet{m: &c.msg, local: c.ingress(d), source: unmap(d.Remote)}
	err := sip.Parse(d.Data, p.m)
	if err == sip.ErrNotSIP {
		c.count.add(droppedNotSIP)
		return nil
	}
	if err == nil {
		err = sip.Validate(p.m)
	}
	switch {
	case err != nil && p.m.IsRequest() && sip.Answerable(p.m):
		fault := err.(*sip.Error)
		c.open(&p)
		c.refuse(&p, refusal{refusedMalformed, fault.Code, fault.Reason, ""})
	case err != nil:
		c.count.add(droppedMalformed)
	case p.m.IsRequest():
		c.open(&p)
		c.request(&p)
	default:
		c.open(&p)
		c.response(&p)
	}
	return c.finish()
}

// Tick fires the timers that are due.
func (c *Core) Tick(now time.Time) []Send {
	c.begin(now)
	for c.timers.next() <= c.now {
		c.timers[0].owner.tick(c)
	}
	c.targets.sweep(c.now)
	return c.finish()
}

// Failed takes back a datagram that could not be sent. Its transaction ends as
// if a 503 had come (RFC 3261 §16.9).
func (c *Core) Failed(now time.Time, s Send) []Send {
	c.begin(now)
	c.count.add(sendFailed)
	if ct := s.client; ct != nil && c.clients[ct.key] == ct {
		if act := ct.machine.Fail(); act != 0 {
			c.settle(ct, act)
			if ct.final == 0 {
				c.branchDone(ct, 503, nil)
			}
		}
	}
	return c.finish()
}

// NextDeadline is when Tick wants to be called; ok is false when no timer runs.
func (c *Core) NextDeadline() (at time.Time, ok bool) {
	next := min(c.timers.next(), c.targets.sweepAt)
	if next == txn.Never {
		return at, false
	}
	return c.origin.Add(next), true
}

func (c *Core) finish() []Send {
	c.count.transactions.Store(int64(c.live()))
	c.count.targets.Store(int64(len(c.targets.dialogs)))
	return c.out
}

func (c *Core) live() int { return len(c.servers) + len(c.clients) }

// ingress is the service address a datagram came to.
func (c *Core) ingress(d transport.Datagram) int {
	local := d.Local.Addr().Unmap()
	for i, l := range c.cfg.Listen {
		if l.Addr() == local {
			return i
		}
	}
	for i, l := range c.cfg.Listen {
		if l.Addr().Is4() == d.Remote.Addr().Unmap().Is4() {
			return i
		}
	}
	return 0
}

// egress is the service address from which datagrams to an address leave.
func (c *Core) egress(to netip.AddrPort) int {
	for i, l := range c.cfg.Listen {
		if l.Addr().Is4() == to.Addr().Is4() {
			return i
		}
	}
	return 0
}

func (c *Core) send(local int, to netip.AddrPort, data []byte, ct *clientTx) {
	c.out = append(c.out, Send{transport.Datagram{Local: c.cfg.Listen[local], Remote: to, Data: data}, ct})
}

// written is what has been put into buf since its length was from. The slice
// stays good when buf grows.
func (c *Core) written(from int) []byte { return c.buf[from:len(c.buf):len(c.buf)] }

// refuse answers a request without keeping state (RFC 3261 §8.2.7); an ACK is
// dropped.
func (c *Core) refuse(p *packet, r refusal) {
	c.count.add(r.outcome)
	if !p.m.Is("ACK") {
		c.reply(p, r.code, r.reason, r.extra)
	}
}

// reply answers a request without keeping state. extra is header lines, or "".
func (c *Core) reply(p *packet, code int, reason, extra string) {
	from := len(c.buf)
	c.buf = sip.AppendResponse(c.buf, p.m, p.source, code, reason, c.toTag(p), extra)
	c.countAnswer(code)
	if to := p.reply; to.IsValid() {
		c.send(p.local, to, c.written(from), nil)
	}
}

func (c *Core) toTag(p *packet) string { return c.cfg.Signer.ToTag(p.callID, p.fromTag) }

func (c *Core) countAnswer(code int) { c.count.add(answered1xx + outcome(code/100-1)) }

// ownVia writes our Via line.
func (c *Core) ownVia(local int, branch string) []byte {
	c.line = append(append(c.line[:0], "Via: SIP/2.0/UDP "...), c.listen[local]...)
	c.line = append(append(append(c.line, ";branch="...), branch...), "\r\n"...)
	return c.line
}

// lessHops edits Max-Forwards one down, or in (RFC 3261 §16.6 step 3).
func (c *Core) lessHops(p *packet) refusal {
	n, has, err := p.m.MaxForwards()
	switch {
	case err != nil:
		return refusal{refusedMalformed, 400, "Malformed Max-Forwards", ""}
	case !has:
		c.ed.Insert(p.m.HeaderOffset(), []byte("Max-Forwards: 70\r\n"))
	case n == 0:
		return refusal{refusedHops, 483, "Too Many Hops", ""}
	default:
		c.line = strconv.AppendInt(c.line[:0], int64(n-1), 10)
		c.ed.Replace(p.m.Value(sip.HMaxForwards), c.line)
	}
	return refusal{}
}
