// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/chain"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// openDirect wires a service with policy direct: its Maglev table goes to
// whoever steers, and what comes up is given the worker that the kernel would
// give it.
func (n *Node) openDirect(s *service) {
	self := n.steerService(s)
	s.pool.OnChange(func(slots []uint32) {
		if err := n.table.setSlots(s.id, slots); err != nil {
			n.log.Error("telling the datapath who takes new calls", "service", s.config.Name, "cause", err)
		}
	})
	s.chain = chain.New(chain.Config{
		Service: s.id, Secret: self.Secret, Signer: n.signer, Deliver: n.deliver, Send: n.sockets.send, Now: time.Now,
		Sources: n.from,
		Balance: func(key steer.Key, m steer.Message, source netip.Addr) (uint32, error) {
			return n.table.choose(key, m, source, self)
		},
	})
}

// steerService is a service as whoever steers knows it.
func (n *Node) steerService(s *service) steer.Service {
	v := steer.Service{ID: s.id, Kind: steer.ServiceVIP, Secret: n.keys.pins.Service(s.config.Name)}
	switch s.config.Policy {
	case config.PolicyRedirect:
		v.Policy = steer.PolicyRedirect
	case config.PolicyDirect:
		v.Policy, v.Slots = steer.PolicyDirect, uint32(s.config.MaglevSize)
		v.NewPinNS = uint64(time.Second) / uint64(s.config.NewPinsPerSource)
	}
	return v
}

// newPins bounds the pins that all sources together may have made by policy
// direct, so that with the sweep of a crowded table a flood leaves room.
func newPins(cfg *config.Config) steer.PinBounds {
	return steer.BoundsFor(cfg.Datapath.MaxPins, uint64(cfg.Dialogs.Ended))
}
