// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func sameMessage(a, b steer.Message) bool {
	if a.Unjudged != steer.Undecided || b.Unjudged != steer.Undecided {
		return a.Unjudged == b.Unjudged
	}
	return a.Request == b.Request && a.Method == b.Method && a.Status == b.Status && string(a.CallID) == string(b.CallID) &&
		a.HasToTag == b.HasToTag && a.CSeq == b.CSeq && a.CSeqMethod == b.CSeqMethod
}

func TestScanAgreesWithThePlainReference(t *testing.T) {
	for _, m := range steertest.Messages() {
		got, want := steer.Scan([]byte(m.Text)), steertest.Reference(m.Text)
		if !sameMessage(got, want) {
			t.Errorf("%s: Scan says %+v, the reference %+v", m.Name, got, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, m := range steertest.Messages() {
		f.Add([]byte(m.Text))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got := steer.Scan(p)
		if want := steertest.Reference(string(p)); !sameMessage(got, want) {
			t.Fatalf("Scan says %+v, the reference %+v of %q", got, want, p)
		}
		judged := steer.Judge(p)
		if got.Unjudged == steer.Undecided && !sameMessage(got, judged) {
			t.Fatalf("Judge says %+v of what Scan judged as %+v", judged, got)
		}
	})
}
