// SPDX-License-Identifier: Apache-2.0

package steer

import "time"

// Rate is that of a token bucket, tokens as nanoseconds; struct rate in C. The zero Rate is no limit.
type Rate struct {
	IntervalNS uint64 // a token comes back in this time
	DepthNS    uint64 // what all tokens of a full bucket but one take
}

// NewRate makes the rate of so many tokens a second in the mean and burst at once. perSecond 0 is no limit; a burst
// below 1 counts as 1.
func NewRate(perSecond, burst int) Rate {
	if perSecond <= 0 {
		return Rate{}
	}
	interval := uint64(time.Second) / uint64(perSecond)
	return Rate{IntervalNS: max(interval, 1), DepthNS: uint64(max(burst, 1)-1) * max(interval, 1)}
}

// Limits tells whether the rate is a limit at all.
func (r Rate) Limits() bool { return r.IntervalNS != 0 }

// Bucket is the time at which a token bucket will be full again, in nanoseconds; 0 and every time that is over mean
// full. struct bucket in C.
type Bucket uint64

// Take takes one token at a rate; false leaves the bucket as it is. The twin of take_token in C.
func (b *Bucket) Take(r Rate, nowNS uint64) bool {
	from := max(uint64(*b), nowNS)
	if from-nowNS > r.DepthNS {
		return false
	}
	*b = Bucket(from + r.IntervalNS)
	return true
}
