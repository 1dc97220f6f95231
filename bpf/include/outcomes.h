// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Every way a packet can end, each with a counter of its own. The names are the same in C, Go, API, metrics and docs.
// "normal" says that the counter moves on a healthy system.
#pragma once

enum outcome {
	UNDECIDED, // never counted

	// Up, to the stack or the control plane.
	PASS_NOT_OURS,         // normal: UDP for an address or port that is no service
	PASS_INITIAL,          // normal: a request that starts something new
	PASS_NO_PIN,           // normal in small numbers: answers to the control plane, calls pinned before a failover
	PASS_FRAGMENT,         // normal where large bodies travel over UDP
	PASS_IP_OPTIONS,       // rare
	PASS_IPV6_EXT,         // rare: an extension header that is not walked over, or too many or too long ones
	PASS_LEADING_CRLF,     // rare: a message behind empty lines
	PASS_NO_HEADER_END,    // not normal: no empty line before the end of the payload
	PASS_NO_CALL_ID,       // not normal
	PASS_REPEATED_CALL_ID, // not normal
	PASS_FOLDED,           // rare: Call-ID, To or CSeq continue on another line
	PASS_ODD_CALL_ID,      // not normal: empty, blanks or control bytes within or behind, too many blanks
	PASS_ODD_TO,           // rare: a To whose tag takes a full parse, a repeated or missing To
	PASS_ODD_CSEQ,         // not normal: repeated or missing CSeq, or not number and method
	PASS_BARE_LF,          // not normal: a header line that ends without CR
	PASS_TOO_LONG,         // rare: header longer than TEXT_MAX bytes or MAX_LINES lines
	PASS_NO_WORKER,        // not normal: the pin names a worker that cannot be forwarded to
	PASS_TOO_BIG,          // rare: too large for the way to its worker, sent on in fragments by user space
	PASS_PARTIAL_CHECKSUM, // normal between containers of one host: the sender left the UDP checksum to its device
	PASS_NO_HEADROOM,      // not normal: the driver leaves no room before the frame for the outer header

	// Dropped.
	DROP_NOT_SIP,      // normal on the open internet: cannot be the start of a SIP message
	DROP_KEEPALIVE,    // normal: up to four bytes of CR, LF, NUL or blank, or nothing at all
	DROP_WORKER_PORT,  // not normal: sent from outside straight to the port of a local worker
	DROP_BAD_LENGTH,   // not normal: UDP length short of its header or beyond the frame
	DROP_TOO_BIG,      // rare: too large for the way to its worker, its sender was told by ICMP to send less
	DROP_DENIED,       // normal where there are deny prefixes
	DROP_BANNED,       // normal on the open internet: a banned source goes on sending
	DROP_SOURCE_RATE,  // not normal: a source begins more than it may
	DROP_SERVICE_RATE, // not normal: all sources together begin more than the service takes

	// Steered to the pinned worker.
	STEER_LOCAL,       // normal: to a socket of this host
	STEER_L2_TX,       // normal: out of the interface it came in by
	STEER_L2_REDIRECT, // normal: out of another interface
	STEER_IPIP,        // normal: in an IP packet
	STEER_GUE,         // normal: in a UDP packet

	OUTCOMES, // how many there are
};
