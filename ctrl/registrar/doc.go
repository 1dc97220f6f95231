// SPDX-License-Identifier: Apache-2.0

// Package registrar decides what a REGISTER does to the bindings of an address of
// record and how it is answered (RFC 3261 §10.3). Read and Request.Apply are pure;
// Registrar runs them over a location table and answers after the commit.
//
// Where the RFC leaves a choice:
//
//   - A malformed expires counts as 3600 (§20.10), as a parameter and as a header
//     field; a number too great to hold counts as the greatest.
//   - No q means 1; more than three decimals are cut.
//   - More contacts than allowed: 403, for a second try would fare no better. A
//     request that does not add to their number passes.
//   - A contact with a scheme other than sip and sips, or with a transport that is
//     not served, is kept and listed (§10.2.1 allows it); routing passes it over.
//   - A contact named twice in one request: the last one counts.
//   - Order by CSeq is judged against the bindings before the request. A contact
//     that equals several bindings (URI comparison is not transitive) replaces all.
//   - An option in Require other than path: 420.
//   - Path is kept only when Supported or Require names path (RFC 3327 §5.3), else
//     passed over.
//   - The address the request came from is kept as the way to the phone when the
//     request came straight from it (one Via, no Path) and its contact is a name or
//     an address of private use other than the source's.
package registrar
