// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU returns the processor time, user and system, that the process and those of its group that still run have used.
// It comes from the scheduler, in nanoseconds: the ticks of /proc/PID/stat are too coarse for short runs.
func (p *Process) CPU() (time.Duration, error) {
	pids, err := group(p.PID())
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, pid := range pids {
		tasks, err := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
		if err != nil {
			return 0, fmt.Errorf("listing the threads of %s: %w", p.name, err)
		}
		for _, task := range tasks {
			b, err := os.ReadFile(task)
			if err != nil {
				continue // the thread has ended
			}
			first, _, _ := strings.Cut(string(b), " ")
			ns, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading %s: %w", task, err)
			}
			total += time.Duration(ns)
		}
	}
	return total, nil
}

// group returns the ids of all processes of a process group.
func group(id int) ([]string, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var pids []string
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name in parentheses may hold blanks. Behind it come state, parent and process group.
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(id) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids, nil
}
