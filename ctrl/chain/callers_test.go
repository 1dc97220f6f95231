// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"bytes"
	"testing"
)

func TestAnAliasStandsForItsUser(t *testing.T) {
	f := newFixture(t, 100)
	alias := "<sip:4711@example.org>"
	code := f.signed(alice, request{
		method: "REGISTER", uri: "sip:example.org", from: alias + ";tag=r", to: alias, callID: "reg-alias",
		extra: "Contact: <sip:alice@198.51.100.7:5062>\r\n", auth: "alice",
	})
	if code != 200 {
		t.Fatalf("registering the alias: %d\n%s", code, f.last())
	}
	if code := f.signed(bob, request{auth: "bob", from: "<sip:bob@example.com>;tag=b", uri: "sip:4711@example.org"}); code != 0 {
		t.Fatalf("calling the alias: %d", code)
	}
	if !bytes.HasPrefix(f.delivered[0].Data, []byte("INVITE sip:alice@198.51.100.7:5062 ")) {
		t.Fatalf("handed over:\n%s", f.delivered[0].Data)
	}
	if code := f.signed(alice, request{auth: "alice", from: alias + ";tag=1", uri: "sip:alice@example.com", callID: "c2"}); code != 0 {
		t.Fatalf("calling under the alias: %d", code)
	}
	if code := f.signed(bob, request{auth: "bob", from: alias + ";tag=1", callID: "c3"}); code != 403 {
		t.Fatalf("calling under another's alias: %d", code)
	}
}

func TestNumbersGoToGatewaysForUsersAndTrunksAlone(t *testing.T) {
	f := newFixture(t, 100)
	if code := f.from(alice, request{uri: "sip:0049123@example.com"}.String()); code != 407 {
		t.Fatalf("without a password: %d", code)
	}
	if code := f.signed(alice, request{auth: "alice", uri: "sip:0049123@example.com"}); code != 0 ||
		!bytes.HasPrefix(f.delivered[0].Data, []byte("INVITE sip:0049123@203.0.113.77:5060 ")) {
		t.Fatalf("answered %d", code)
	}
	f.register("bob", "<sip:bob@198.51.100.8>", bob)
	from := request{from: "<sip:+4930@carrier.example>;tag=t", callID: "c2", extra: "P-Asserted-Identity: <tel:+4930>\r\n"}
	if code := f.from(carrier, from.String()); code != 0 || len(f.delivered) != 2 ||
		!bytes.Contains(f.delivered[1].Data, []byte("P-Asserted-Identity: <tel:+4930>")) {
		t.Fatalf("a call of the trunk was answered %d", code)
	}
	from.uri, from.callID = "sip:0049123@example.com", "c3"
	if code := f.from(carrier, from.String()); code != 480 {
		t.Fatalf("a call of the trunk back to it was answered %d", code)
	}
}
