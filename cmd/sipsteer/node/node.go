// SPDX-License-Identifier: Apache-2.0

// Package node wires the daemon: sockets, datapath, workers, control plane and
// API of one balancer. It decides nothing itself.
package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/admission"
	"github.com/sipsteer/sipsteer/ctrl/auth"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/health"
	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/ctrl/record"
	"github.com/sipsteer/sipsteer/ctrl/registrar"
	"github.com/sipsteer/sipsteer/ctrl/store"
	"github.com/sipsteer/sipsteer/userspace/forward"
	"github.com/sipsteer/sipsteer/userspace/token"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// Options are what a config file does not say.
type Options struct {
	Version string
	Log     *slog.Logger
	// FallBack runs on the user-space twin where XDP cannot be had, instead of
	// refusing to start.
	FallBack bool
}

// Node is a running balancer.
type Node struct {
	cfg     *config.Config
	opts    Options
	log     *slog.Logger
	started time.Time

	keys      keys
	signer    *token.Signer
	store     *store.Store
	locations *location.Table
	auth      *auth.Verifier
	registrar *registrar.Registrar
	sockets   *sockets
	table     table
	from      *sourceTable
	gate      *admission.Gate
	trunks    []admission.Trunk
	raw       *forward.Raw
	monitor   *forward.Monitor
	settings  map[string]store.WorkerSetting // by the workers' names; under mu
	mu        sync.Mutex
	workers   []*worker
	answers   *health.Answers
	ears      ears
	byID      map[uint32]*worker
	dialogs   *dialog.Dialogs
	recorder  *record.Recorder
	services  []*service
	why       string // why the kernel datapath could not be had

	cancel  context.CancelFunc
	running sync.WaitGroup
	failed  chan error
	stops   []func() error // end what runs
	undo    []func() error // give back what it used
}

// Start brings everything up in an order in which a failure leaves nothing
// behind: what can be refused (sockets, store) comes before what is attached to
// interfaces. Its errors are for people.
func Start(ctx context.Context, cfg *config.Config, opts Options) (*Node, error) {
	n := &Node{cfg: cfg, opts: opts, log: opts.Log, started: time.Now(), failed: make(chan error, 1), byID: map[uint32]*worker{}}
	n.answers, n.ears.at = health.NewAnswers(), map[netip.Addr]ear{}
	ctx, n.cancel = context.WithCancel(ctx)
	for _, step := range []func(context.Context) error{
		n.openStore, n.openSockets, n.openTable, n.openAdmission, n.openWorkers, n.openServices, n.openRecords, n.publish, n.attach, n.openAPI,
	} {
		if err := step(ctx); err != nil {
			// Pins that an earlier daemon left are not this start's to remove.
			return nil, errors.Join(err, n.Close(n.table == nil || n.table.fresh()))
		}
	}
	n.receive()
	n.goRun(func() error { return n.sweep(ctx) })
	return n, nil
}

// goRun runs a part of the node; its first error ends the node.
func (n *Node) goRun(part func() error) {
	n.running.Add(1)
	go func() {
		defer n.running.Done()
		if err := part(); err != nil {
			select {
			case n.failed <- err:
			default:
			}
		}
	}()
}

// Wait returns when ctx ends (nil) or a part of the node fails.
func (n *Node) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-n.failed:
		return err
	}
}

// Close stops everything. Unless detach is set, XDP stays attached and the pins
// stand, so that calls go on and the next start takes them over.
func (n *Node) Close(detach bool) error {
	n.cancel()
	var errs []error
	for _, stop := range n.stops {
		errs = append(errs, stop())
	}
	n.running.Wait()
	if n.table != nil && (detach || !n.table.kernel()) {
		errs = append(errs, n.recordLast())
	}
	if detach && n.table != nil {
		errs = append(errs, n.table.detach())
	}
	for i := len(n.undo) - 1; i >= 0; i-- {
		errs = append(errs, n.undo[i]())
	}
	return errors.Join(errs...)
}

func (n *Node) onStop(f func() error)  { n.stops = append(n.stops, f) }
func (n *Node) onClose(f func() error) { n.undo = append(n.undo, f) }

// receive starts a reader on each service socket.
func (n *Node) receive() {
	for _, s := range n.services {
		for _, l := range s.config.Listen {
			h, sock := s.chain.NewHandler(), n.sockets.by[l.Addr]
			n.goRun(func() error { return transport.Serve(sock, h.Handle) })
		}
	}
}
