// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/chain"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/userspace/datapath"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// pins is what control plane and twin ask of the table of pins.
type pins interface {
	dialog.Pins
	chain.Pins
}

// table is where pins, services and workers stand for whoever steers: the
// kernel, or this process when the datapath is off.
type table interface {
	pins() pins
	calls() dialog.Calls
	sources() *datapath.Sources // nil without a kernel datapath
	setWorker(id uint32, w steer.Worker) error
	setServices(map[netip.AddrPort]steer.Service) error
	setSlots(service uint16, slots []uint32) error // the Maglev table of a service with policy direct
	choose(steer.Key, steer.Message, netip.Addr, steer.Service) (worker uint32, err error)
	directEvents() (map[steer.DirectEvent]uint64, error)
	attach() error
	detach() error
	close() error
	mode() string
	fresh() bool  // whether nothing of an earlier daemon stands there
	kernel() bool // whether packets of pinned calls bypass this process
	counters() (map[steer.Outcome]uint64, error)
	workerPackets() (map[uint32]uint64, error)
}

func (n *Node) openTable(context.Context) error {
	n.table = newMemory(n.cfg)
	if n.cfg.Datapath.Mode == config.ModeOff {
		if err := n.dropLeftovers(); err != nil {
			return err
		}
	}
	if n.cfg.Datapath.Mode != config.ModeOff {
		k, err := openKernel(n.cfg, n.rekey, n.opts.FallBack)
		switch {
		case err == nil:
			n.table = k
		case n.opts.FallBack:
			n.why = err.Error()
			n.log.Warn("XDP is not available, packets are steered in user space", "cause", err)
		default:
			return err
		}
	}
	n.onClose(func() error { return n.table.close() })
	n.dialogs = dialog.New(n.table.pins(), n.table.calls(), dialog.Timeouts{
		Early: n.cfg.Dialogs.Early, Confirmed: n.cfg.Dialogs.Confirmed, Ended: n.cfg.Dialogs.Ended,
		Crowd: n.cfg.Datapath.MaxPins / 2,
	}, dialog.Monotonic)
	return nil
}

// dropLeftovers removes the program that an earlier run in another mode left
// attached: it would go on steering calls to workers that are gone. The calls
// prove themselves anew.
func (n *Node) dropLeftovers() error {
	err := Detach(n.cfg)
	if errors.Is(err, datapath.ErrPrivileges) {
		n.log.Warn("cannot see whether an earlier run left XDP attached", "cause", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing what an earlier run left attached: %w", err)
	}
	return nil
}

// publish tells whoever steers what the services are; until then, all packets
// pass.
func (n *Node) publish(context.Context) error {
	wanted := map[netip.AddrPort]steer.Service{}
	for _, s := range n.services {
		for _, l := range s.config.Listen {
			wanted[l.Addr] = n.steerService(s)
		}
	}
	for _, w := range n.workers {
		for _, a := range w.ports {
			wanted[a] = steer.Service{Kind: steer.ServiceWorkerPort}
		}
	}
	return n.table.setServices(wanted)
}

// rekey is the key of a call that an earlier version pinned.
func (n *Node) rekey(service uint16, callID string) (steer.Key, bool) {
	if service == 0 || int(service) > len(n.cfg.Services) {
		return steer.Key{}, false
	}
	return n.keys.pins.Service(n.cfg.Services[service-1].Name).Key([]byte(callID)), true
}

// kernelTable is the table of the XDP program.
type kernelTable struct{ *datapath.Datapath }

// openKernel loads the program. It is attached later, or at once where another
// table takes its place when it cannot be.
func openKernel(cfg *config.Config, rekey datapath.Rekey, atOnce bool) (*kernelTable, error) {
	d, err := datapath.Open(datapath.Config{
		Interfaces: cfg.Datapath.Interfaces,
		Mode:       datapath.Mode(cfg.Datapath.Mode),
		PinPath:    PinPath(cfg),
		MaxPins:    cfg.Datapath.MaxPins,
		NewPins:    newPins(cfg),
		Rekey:      rekey,
	})
	if err != nil {
		return nil, err
	}
	if atOnce {
		if err := d.Attach(); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return &kernelTable{d}, nil
}

// waysKnown is how long a start that takes over waits for the ways to its
// workers: the program before it knows them.
const waysKnown = time.Second

// attach puts the program on its interfaces when it knows services and workers:
// where it follows another, no packet meets empty tables.
func (n *Node) attach(ctx context.Context) error {
	for end := time.Now().Add(waysKnown); !n.table.fresh() && !n.allReachable() && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(10 * time.Millisecond)
	}
	return n.table.attach()
}

func (n *Node) allReachable() bool {
	for _, s := range n.services {
		for _, w := range s.pool.Workers() {
			if !s.pool.Reachable(w.ID) {
				return false
			}
		}
	}
	return true
}

func (k *kernelTable) pins() pins          { return k.Pins() }
func (k *kernelTable) calls() dialog.Calls { return kernelCalls{k.Pins()} }
func (k *kernelTable) sources() *datapath.Sources {
	return k.Sources()
}
func (k *kernelTable) setWorker(id uint32, w steer.Worker) error {
	return k.SetWorker(id, w)
}
func (k *kernelTable) setServices(s map[netip.AddrPort]steer.Service) error {
	return k.ReplaceServices(s)
}
func (k *kernelTable) setSlots(service uint16, slots []uint32) error {
	return k.SetSlots(service, slots)
}
func (k *kernelTable) choose(key steer.Key, m steer.Message, source netip.Addr, s steer.Service) (uint32, error) {
	return k.ChooseWorker(key, m, source, s)
}
func (k *kernelTable) directEvents() (map[steer.DirectEvent]uint64, error) { return k.DirectEvents() }
func (k *kernelTable) attach() error                                       { return k.Attach() }
func (k *kernelTable) detach() error {
	err := k.Detach()
	_ = os.Remove(pinRoot) // stays while another node has pins there
	return err
}
func (k *kernelTable) close() error { return k.Close() }
func (k *kernelTable) mode() string { return k.Mode() }
func (k *kernelTable) fresh() bool  { return k.Fresh() }
func (k *kernelTable) kernel() bool { return true }
func (k *kernelTable) counters() (map[steer.Outcome]uint64, error) {
	return k.Counters()
}
func (k *kernelTable) workerPackets() (map[uint32]uint64, error) { return k.WorkerPackets() }

// kernelCalls are the call records beside the kernel's pins, which go with them.
type kernelCalls struct{ pins *datapath.Pins }

func (c kernelCalls) PutCall(k steer.Key, call dialog.Call) error {
	return c.pins.PutCall(k, datapath.CallInfo(call))
}

func (c kernelCalls) GetCall(k steer.Key) (dialog.Call, bool) {
	info, ok := c.pins.GetCall(k)
	return dialog.Call(info), ok
}

func (c kernelCalls) DeleteCall(k steer.Key) { c.pins.DeleteCall(k) }
