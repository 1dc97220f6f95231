// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"hash/fnv"
	"net/netip"
	"strconv"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/token"
)

// A branch of ours is "z9hG4bK" PROOF "." ROUND. ROUND is a hash over what
// routing looked at and decided: the same again means a loop (RFC 5393 §4.2), and
// branches of a fork differ in it. PROOF is signed over ROUND, the Call-ID, the
// CSeq and the Via below: the same bytes come out for a retransmission after a
// restart, and a response proves by it where it may go on to.

// round hashes a routing decision.
func round(p *packet, dest netip.AddrPort) string {
	h := fnv.New64a()
	h.Write(p.m.RequestURI)
	for route := range p.m.Values(sip.HRoute) {
		h.Write([]byte{0})
		h.Write(route)
	}
	h.Write([]byte{1})
	h.Write(p.m.Value(sip.HProxyRequire))
	at := toEndpoint(dest)
	h.Write(at.ip[:])
	h.Write([]byte{byte(at.port >> 8), byte(at.port)})
	return strconv.FormatUint(h.Sum64(), 36)
}

// appendSeed writes what PROOF is signed over, next being the branch of the Via
// below ours and reply where that Via sends responses.
func appendSeed(dst, callID []byte, cseq sip.CSeq, next []byte, reply netip.AddrPort, round string) []byte {
	method := cseq.Method
	if string(method) == "ACK" || string(method) == "CANCEL" {
		method = methodINVITE
	}
	dst = append(append(dst, callID...), 0)
	dst = append(append(dst, next...), 0)
	dst = append(reply.AppendTo(dst), 0)
	dst = append(strconv.AppendUint(dst, uint64(cseq.Number), 10), ' ')
	dst = append(append(dst, method...), 0)
	return append(dst, round...)
}

// newBranch is the branch for a request that goes on.
func (c *Core) newBranch(p *packet, round string) string {
	c.key = appendSeed(c.key[:0], p.callID, p.cseq, p.branch, p.reply, round)
	return c.cfg.Signer.Branch(c.cfg.ID, c.key) + "." + round
}

// proof is what a branch of ours says.
type proof struct {
	worker uint32
	round  string
}

// proves tells whether a branch is of this cluster's making for the message p
// with next as the Via below.
func (c *Core) proves(p *packet, branch []byte, next *sip.Via) (proof, bool) {
	return readBranch(c.cfg.Signer, p.callID, p.cseq, branch, next)
}

func readBranch(signer *token.Signer, callID []byte, cseq sip.CSeq, branch []byte, next *sip.Via) (p proof, ok bool) {
	dot := bytes.LastIndexByte(branch, '.')
	reply, isAddr := next.Target()
	if dot < 0 || !isAddr {
		return p, false
	}
	p.round = string(branch[dot+1:])
	seed := appendSeed(nil, callID, cseq, next.Branch(), reply, p.round)
	p.worker, ok = signer.VerifyBranch(string(branch[:dot]), seed)
	return p, ok
}

// Answered tells which worker sent the request that a response answers, by the
// branch in its top Via. ok is false for requests and for responses to what no
// worker of this cluster sent.
func Answered(signer *token.Signer, m *sip.Message) (worker uint32, ok bool) {
	cseq, err := sip.ParseCSeq(m.Value(sip.HCSeq))
	if m.IsRequest() || err != nil {
		return 0, false
	}
	var vias [2]sip.Via
	n := 0
	for elem := range m.Values(sip.HVia) {
		if vias[n], err = sip.ParseVia(elem); err != nil {
			return 0, false
		}
		if n++; n == len(vias) {
			break
		}
	}
	if n < len(vias) {
		return 0, false
	}
	p, ok := readBranch(signer, m.CallID(), cseq, vias[0].Branch(), &vias[1])
	return p.worker, ok
}

// looped tells whether the request has been here before and was sent the same
// way (RFC 3261 §16.3 step 4).
func (c *Core) looped(p *packet, round string) bool {
	var above sip.Via
	ours := false
	for elem := range p.m.Values(sip.HVia) {
		via, err := sip.ParseVia(elem)
		if err != nil {
			return false
		}
		if ours {
			if made, ok := c.proves(p, above.Branch(), &via); ok && made.round == round {
				return true
			}
		}
		above, ours = via, c.isOurs(via.Host, via.Port)
	}
	return false
}
