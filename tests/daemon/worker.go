// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

const workerConfig = `name: %s
listen: ["udp://192.0.2.10:5060", "udp://[2001:db8::10]:5060"]
secret_file: %s
`

// StartWorker starts `sipsteer worker` on a host of its own and waits until it owns its sockets.
func StartWorker(h *netns.Host, binary, dir, name, secret string) (*netns.Process, error) {
	config := filepath.Join(dir, "worker-"+name+".yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, workerConfig, name, secret), 0o600); err != nil {
		return nil, fmt.Errorf("writing the worker's config: %w", err)
	}
	proc, err := h.Start(netns.Command{Path: binary, Args: []string{"worker", "-c", config}, Dir: dir})
	if err != nil {
		return nil, err
	}
	// It has no API in this config; a worker that cannot start ends within a moment.
	time.Sleep(500 * time.Millisecond)
	if !proc.Running() {
		return nil, fmt.Errorf("sipsteer worker ended:\n%s", proc.Output())
	}
	return proc, nil
}

// WriteSecret makes a cluster secret and returns its path.
func WriteSecret(dir string) (string, error) {
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("a cluster secret of more than 32 bytes, for tests alone\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the cluster secret: %w", err)
	}
	return path, nil
}

// StartDecap starts `sipsteer decap` on a worker's host, for the VIPs and from the balancer alone, and waits until it is
// attached.
func StartDecap(h *netns.Host, binary string, from ...string) (*netns.Process, error) {
	args := []string{"decap", "--interface", netns.Interface, "--vip", "192.0.2.10", "--vip", "2001:db8::10", "--json"}
	for _, f := range from {
		args = append(args, "--from", f)
	}
	proc, err := h.Start(netns.Command{Path: binary, Args: args})
	if err != nil {
		return nil, err
	}
	for range 100 {
		if on, err := h.XDPAttached(netns.Interface); err == nil && on {
			return proc, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("sipsteer decap does not attach:\n%s", proc.Output())
}
