// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/userspace/token"
	"github.com/sipsteer/sipsteer/userspace/transport"
	"github.com/sipsteer/sipsteer/userspace/txn"
)

// Defaults of Config.
const (
	DefaultMaxTransactions = 200_000
	DefaultMaxDialogs      = 200_000
	DefaultQueue           = 8192
	DefaultTimerC          = 181 * time.Second
)

// Config is what a worker is told. Zero values of the fields marked so are
// replaced by their defaults.
type Config struct {
	ID   uint32 // the worker's number in pins, cookies and branches
	Name string

	// Listen holds the service addresses (VIP and port), at most one a
	// family is used in Via and Record-Route: the first.
	Listen []netip.AddrPort
	Signer *token.Signer

	// Send writes a datagram from Datagram.Local to Datagram.Remote. It must
	// not keep Data. An error ends the transaction that sent (RFC 3261 §8.1.3.1).
	Send func(transport.Datagram) error
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// Sockets are the worker's own, bound to VIP:P, to which the kernel
	// steers. Run reads them and closes them when it ends. May be empty.
	Sockets []*transport.Socket

	MaxTransactions int           // server and client transactions together; default 200000
	MaxDialogs      int           // dialogs remembered with a changed target; default 200000
	Queue           int           // datagrams waiting for the loop; default 8192
	TimerC          time.Duration // default 181 s; above 3 min by RFC 3261 §16.6 step 11
	Timing          *txn.Timing   // default txn.DefaultTiming
}

// check refuses contradictions and fills in defaults.
func (cfg *Config) check() error {
	if len(cfg.Listen) == 0 {
		return errors.New("worker: no service address to listen for")
	}
	listen := make([]netip.AddrPort, len(cfg.Listen))
	for i, l := range cfg.Listen {
		if !l.IsValid() || l.Port() == 0 || l.Addr().IsUnspecified() {
			return fmt.Errorf("worker: service address %s: want an IP address and a port", l)
		}
		listen[i] = unmap(l)
	}
	cfg.Listen = listen
	if cfg.Signer == nil {
		return errors.New("worker: no signer")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&cfg.MaxTransactions, DefaultMaxTransactions}, {&cfg.MaxDialogs, DefaultMaxDialogs}, {&cfg.Queue, DefaultQueue}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if cfg.TimerC <= 0 {
		cfg.TimerC = DefaultTimerC
	}
	if cfg.Timing == nil {
		t := txn.DefaultTiming()
		cfg.Timing = &t
	}
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
