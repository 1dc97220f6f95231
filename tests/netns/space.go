// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
)

// errClosed is returned by run once the namespace is gone.
var errClosed = errors.New("namespace is closed")

// space is a network namespace with one thread that lives in it. Work that depends on the namespace runs on that thread,
// and the processes started from it inherit the namespace, but keep the mounts of everybody else: /sys/fs/bpf stays what
// it is, which `ip netns exec` would hide.
type space struct {
	handle vns.NsHandle
	net    *netlink.Handle
	work   chan func()
	stop   chan struct{} // closed to end the thread
	gone   chan struct{} // closed when it has ended
}

func newSpace() (*space, error) {
	s := &space{work: make(chan func()), stop: make(chan struct{}), gone: make(chan struct{})}
	ready := make(chan error)
	go s.live(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	return s, nil
}

// live is the namespace's thread. It never unlocks, so the runtime ends the thread with the goroutine; children that asked
// for a signal at their parent's death get it then.
func (s *space) live(ready chan<- error) {
	runtime.LockOSThread()
	defer close(s.gone)
	var err error
	if s.handle, err = vns.New(); err != nil {
		ready <- fmt.Errorf("unsharing: %w", err)
		return
	}
	defer s.handle.Close()
	if s.net, err = netlink.NewHandle(); err != nil {
		ready <- fmt.Errorf("opening netlink: %w", err)
		return
	}
	defer s.net.Close()
	ready <- nil
	for {
		select {
		case f := <-s.work:
			f()
		case <-s.stop:
			return
		}
	}
}

// run calls f on the namespace's thread and returns its error. One call runs at a time.
func (s *space) run(f func() error) error {
	done := make(chan error, 1)
	select {
	case s.work <- func() { done <- f() }:
		return <-done
	case <-s.gone:
		return errClosed
	}
}

func (s *space) close() {
	close(s.stop)
	<-s.gone
}
