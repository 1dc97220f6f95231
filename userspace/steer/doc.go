// SPDX-License-Identifier: Apache-2.0

// Package steer is the Go twin of the kernel datapath: the same decision on the same bytes, as pure functions.
//
// It is the oracle that tests hold against the kernel program, the slow path for what the kernel passes up, and the
// whole datapath where XDP cannot be had. Nothing here opens a socket, reads a clock or talks to the kernel.
package steer
