// SPDX-License-Identifier: Apache-2.0

// Package admission says whom the node hears: prefixes that are always or never heard, bans for a time, and who gets
// banned for failing to prove itself. What it decides is carried out before it reaches the control plane, in the kernel
// where there is one.
//
// The source address of a datagram can be forged. So nothing that a stranger can send in another's name leads to a ban:
// only a wrong answer to a challenge that was sent to that very address counts, for it shows that the sender receives
// what is sent there. And sources that are always heard (trunks) are never banned at all.
package admission
