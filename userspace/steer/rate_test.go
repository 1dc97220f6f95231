// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

const second = uint64(time.Second)

func TestABucketGivesItsBurstAndThenItsRate(t *testing.T) {
	r := steer.NewRate(4, 3) // a token each 250 ms
	var b steer.Bucket
	at := 100 * second
	for i, step := range []struct {
		after uint64
		want  bool
	}{
		{0, true}, {0, true}, {0, true}, {0, false}, // the burst
		{second/4 - 1, false}, {1, true}, {0, false}, // one comes back, not a nanosecond sooner
		{second / 2, true}, {0, true}, {0, false},
		{1000 * second, true}, {0, true}, {0, true}, {0, false}, // never more than the burst
	} {
		at += step.after
		if got := b.Take(r, at); got != step.want {
			t.Fatalf("step %d: got %v, want %v", i, got, step.want)
		}
	}
}

func TestNewRate(t *testing.T) {
	if steer.NewRate(0, 10).Limits() {
		t.Error("no requests a second is a limit; want none")
	}
	if r := steer.NewRate(1, 0); !r.Limits() || r.DepthNS != 0 {
		t.Errorf("a burst of 0 is %+v, want one token", r)
	}
	if r := steer.NewRate(2_000_000_000, 2); r.IntervalNS != 1 {
		t.Errorf("above one a nanosecond: %+v", r)
	}
}

// The bucket as one would explain it: tokens in nanoseconds, refilled as time passes.
type plainBucket struct{ tokens, last uint64 }

func (b *plainBucket) take(r steer.Rate, now uint64) bool {
	full := r.DepthNS + r.IntervalNS
	b.tokens = min(full, b.tokens+now-b.last)
	b.last = now
	if b.tokens < r.IntervalNS {
		return false
	}
	b.tokens -= r.IntervalNS
	return true
}

func TestTakeIsAPlainTokenBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := steer.NewRate(rapid.IntRange(1, 5000).Draw(t, "rate"), rapid.IntRange(1, 50).Draw(t, "burst"))
		now := uint64(1) << 40
		plain := plainBucket{r.DepthNS + r.IntervalNS, now}
		var b steer.Bucket
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now += rapid.Uint64Range(0, 3*r.IntervalNS).Draw(t, "later")
			if got, want := b.Take(r, now), plain.take(r, now); got != want {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}
