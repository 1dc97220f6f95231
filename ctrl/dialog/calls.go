// SPDX-License-Identifier: Apache-2.0

package dialog

import (
	"sync"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// CallTable is Calls in memory, for when there is no kernel datapath.
type CallTable struct {
	mu    sync.RWMutex
	calls map[steer.Key]Call
}

// NewCallTable makes an empty table.
func NewCallTable() *CallTable { return &CallTable{calls: map[steer.Key]Call{}} }

// PutCall adds or replaces a record. It returns no error.
func (t *CallTable) PutCall(k steer.Key, c Call) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[k] = c
	return nil
}

// GetCall finds a record.
func (t *CallTable) GetCall(k steer.Key) (Call, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c, ok := t.calls[k]
	return c, ok
}

// DeleteCall removes a record, if it is there.
func (t *CallTable) DeleteCall(k steer.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.calls, k)
}
