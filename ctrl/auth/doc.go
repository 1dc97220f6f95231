// SPDX-License-Identifier: Apache-2.0

// Package auth is the server's side of digest authentication in SIP: RFC 3261
// §22, RFC 7616 and RFC 8760. Time is passed in; the only state is the window of
// nonce counts already seen.
//
// What is accepted of a client, beyond the letter:
//
//   - Parameters quoted or not, names and the scheme in any case, in any order.
//   - username "alice" as well as "alice@example.com" when the realm is
//     example.com; each has its own HA1.
//   - No qop at all, as before RFC 2617: old phones do so. Such an answer has no
//     nonce count, so its nonce is good for one request and the next one is told
//     that it is stale.
//   - Any digest-uri. It goes into the digest as written, but is not compared with
//     the Request-URI: clients put the proxy's address there, or the URI before an
//     outbound proxy rewrote it. A nonce is bound to its source and each use of it
//     counted, which is what keeps an answer from serving for another request.
//
// What is not: a qop or an algorithm that was not offered, the session variants,
// username* and userhash, a parameter given twice.
package auth
