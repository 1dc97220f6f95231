// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/sipsteer/sipsteer/ctrl/route"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// redirect tells the caller where to go by itself (RFC 3261 §8.3). Nothing is
// pinned and no worker hears of it; the answer is remembered as any other, for a
// repeated request.
func (h *Handler) redirect(d transport.Datagram, tx steer.Key, targets []route.Target) {
	var contacts []string
	for i := range targets {
		contacts = append(contacts, "Contact: <"+alone(&targets[i])+">;q="+formatQ(targets[i].Q)+"\r\n")
	}
	h.concludeWith(d, tx, &sip.Error{Code: 302, Reason: "Moved Temporarily"}, contacts...)
}

// alone is a target's contact with the route to it, where it has one, as the URI's
// Route header (RFC 3261 §19.1.1).
func alone(t *route.Target) string {
	if len(t.Route) == 0 {
		return t.Contact
	}
	return t.Contact + "?Route=" + strings.ReplaceAll(url.QueryEscape(strings.Join(t.Route, ",")), "+", "%20")
}

// formatQ writes thousandths as a q value: "1.0", "0.7", "0.0".
func formatQ(q uint16) string {
	return strconv.FormatFloat(float64(q)/1000, 'f', decimals(q), 64)
}

func decimals(q uint16) int {
	switch {
	case q%100 == 0:
		return 1
	case q%10 == 0:
		return 2
	}
	return 3
}
