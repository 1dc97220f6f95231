// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

func TestRedirectAnswers302AndKeepsNothing(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{Policy: "redirect"})
	telephones(s, b, vip4)
	caller := s.sipp(s.ua, vip4, sipp.Run{Scenario: "call_refused", Calls: 20, Rate: 20, Final: 302, Trace: true})
	s.passed(caller, 20)
	if n := strings.Count(caller.Messages(), "Contact: <sip:bob@10.66.0.12:5060>;q=1.0"); n != 20 {
		t.Errorf("bob's contact is named %d times, want 20", n)
	}
	for final, callee := range map[int]string{404: "nobody", 480: "carol"} {
		s.passed(s.sipp(s.ua, vip4, sipp.Run{Scenario: "call_refused", Final: final, Keys: map[string]string{"callee": callee}}), 1)
	}
	if st := b.settled(); st.Dialogs.Total != 0 || st.Control.HandedOver != 0 || st.Control.OwnACK == 0 {
		t.Errorf("after redirected calls: %+v, %+v", st.Dialogs, st.Control)
	}
}
