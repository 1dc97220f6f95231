// SPDX-License-Identifier: Apache-2.0

// Package forward hands datagrams to workers from user space, in the same
// forwarding modes as the XDP program: requests that the control plane routed,
// packets that only user space could judge, and everything where XDP is off.
//
// What a worker receives always carries the client's source address and the
// service address as destination, whichever way it came.
package forward
