// SPDX-License-Identifier: Apache-2.0

// Command sipsteer is the balancer's daemon, the worker for other hosts, and
// the command line that talks to a running daemon.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version = "dev"

// Exit statuses that scripts may rely on.
const (
	exitOK    = 0
	exitError = 1 // it was asked correctly and did not work
	exitUsage = 2 // it was asked wrongly
	// explain: kernel and twin differ on a message
	exitDisagree = 3
)

func main() {
	os.Exit(execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit status. Errors are told
// here and nowhere else.
func execute(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	var status statusError
	if errors.As(err, &status) {
		return int(status)
	}
	var told silentError
	if errors.As(err, &told) {
		return exitError
	}
	fmt.Fprintf(stderr, "sipsteer: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "See: %s --help\n", cmd.CommandPath())
		return exitUsage
	}
	return exitError
}

// usageError is a command line that cannot be carried out as written.
type usageError struct{ msg string }

func (e usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// silentError ends a command whose output has said everything already.
type silentError struct{}

func (silentError) Error() string { return "failed" }

// statusError is a silentError with an exit status of its own.
type statusError int

func (statusError) Error() string { return "failed" }
