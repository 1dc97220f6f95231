// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Command says what to start on a host.
type Command struct {
	Path  string
	Args  []string
	Dir   string   // working directory; empty: the caller's
	Env   []string // added to the caller's environment
	Stdin io.Reader
	UID   uint32 // run as this user and group, 0 for root

	// Family gives the process a PID namespace, so that the children it forks die with it, however it ends.
	Family bool
}

// Process is a running command. Its whole process group ends with the lab at the latest.
type Process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{}
	err  error // valid once done is closed
}

// Start starts a command in the host's network namespace; mounts and everything else are the caller's.
func (h *Host) Start(c Command) (*Process, error) {
	p := &Process{name: h.Name + ": " + c.Path, cmd: exec.Command(c.Path, c.Args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdin = c.Dir, c.Stdin
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.Family {
		p.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	if c.UID != 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.UID, Gid: c.UID}
	}
	if err := h.Do(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	h.mu.Lock()
	h.procs = append(h.procs, p)
	h.mu.Unlock()
	return p, nil
}

// Run starts a command and waits until it ends. It returns its output, standard error included, and an error
// that shows the output when the command failed or took longer than the timeout.
func (h *Host) Run(c Command, timeout time.Duration) (string, error) {
	p, err := h.Start(c)
	if err != nil {
		return "", err
	}
	err = p.Wait(timeout)
	return p.Output(), err
}

// Wait waits for the process to end. The error is nil for exit status 0; otherwise it shows the output's end. A process
// that outlives the timeout is killed.
func (p *Process) Wait(timeout time.Duration) error {
	select {
	case <-p.done:
	case <-time.After(timeout):
		p.Kill()
		return fmt.Errorf("%s: still running after %s\n%s", p.name, timeout, p.out.tail())
	}
	if p.err != nil && !errors.Is(p.err, exec.ErrWaitDelay) {
		return fmt.Errorf("%s: %w\n%s", p.name, p.err, p.out.tail())
	}
	return nil
}

// ExitCode returns the exit status, -1 while the process runs or when a signal ended it.
func (p *Process) ExitCode() int {
	if p.Running() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// State says in words whether the process runs, or how it ended.
func (p *Process) State() string {
	if p.Running() {
		return "running"
	}
	return p.cmd.ProcessState.String()
}

// PID returns the process id, which is also the id of its process group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process alone.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signalling %s: %w", p.name, err)
	}
	return nil
}

// Kill ends the process group and waits for it.
func (p *Process) Kill() {
	if p.Running() {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // it may have ended meanwhile, which is what is wanted
	}
	<-p.done
}

// Output returns everything the process has written so far.
func (p *Process) Output() string { return p.out.String() }

// WaitOutput waits until the process has written text. It fails early when the process ends before.
func (p *Process) WaitOutput(text string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for !strings.Contains(p.Output(), text) {
		if !p.Running() {
			return fmt.Errorf("%s: ended before it wrote %q\n%s", p.name, text, p.out.tail())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: did not write %q within %s\n%s", p.name, text, timeout, p.out.tail())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// output collects what a process writes while others read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the part of the output that an error message can carry.
func (o *output) tail() string {
	const limit = 4000
	s := o.String()
	if len(s) > limit {
		s = "... " + s[len(s)-limit:]
	}
	return strings.TrimSpace(s)
}
