// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
)

// Alive proves that the node still works: it reads its own status, which passes the locks and maps that packets and
// commands pass too. It fails when that takes longer than ctx.
func (n *Node) Alive(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		_, err := n.Status(ctx)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("reading the own status: %w", ctx.Err())
	}
}
