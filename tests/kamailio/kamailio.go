// SPDX-License-Identifier: Apache-2.0

// Package kamailio runs Debian's Kamailio on a host of the lab.
package kamailio

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

// Server is a running Kamailio.
type Server struct {
	Proc *netns.Process
}

// Start starts Kamailio with a config file that takes its sockets as LISTEN4 and LISTEN6, and waits until it listens.
// More defines go in as NAME=value. Its files go to a new folder under dir.
func Start(h *netns.Host, dir, config string, listen []netip.AddrPort, defines ...string) (*Server, error) {
	config, err := filepath.Abs(config)
	if err != nil {
		return nil, fmt.Errorf("finding Kamailio's config: %w", err)
	}
	work, err := os.MkdirTemp(dir, "kamailio-")
	if err != nil {
		return nil, fmt.Errorf("making Kamailio's folder: %w", err)
	}
	args := []string{"-DD", "-E", "-f", config, "-Y", work, "-m", "64", "-M", "8"}
	for _, l := range listen {
		name := "LISTEN4"
		if l.Addr().Is6() {
			name = "LISTEN6"
		}
		args = append(args, "-A", name+"=udp:"+l.String())
	}
	for _, d := range defines {
		args = append(args, "-A", d)
	}
	proc, err := h.Start(netns.Command{Path: "kamailio", Args: args, Dir: work, Family: true})
	if err != nil {
		return nil, err
	}
	s := &Server{Proc: proc}
	if err := s.waitListening(h, listen); err != nil {
		proc.Kill()
		return nil, err
	}
	return s, nil
}

// waitListening waits until every socket is bound, which is when nobody else can bind it.
func (s *Server) waitListening(h *netns.Host, listen []netip.AddrPort) error {
	for range 100 {
		time.Sleep(50 * time.Millisecond)
		if !s.Proc.Running() {
			return fmt.Errorf("kamailio ended:\n%s", s.Proc.Output())
		}
		bound := 0
		for _, l := range listen {
			conn, err := h.ListenUDP(l)
			if err != nil {
				bound++
				continue
			}
			conn.Close()
		}
		if bound == len(listen) {
			// The children that read the sockets are forked a little later.
			time.Sleep(300 * time.Millisecond)
			return nil
		}
	}
	return fmt.Errorf("kamailio does not listen:\n%s", s.Proc.Output())
}
