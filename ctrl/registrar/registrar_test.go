// SPDX-License-Identifier: Apache-2.0

package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/ctrl/registrar"
	"github.com/sipsteer/sipsteer/ctrl/store"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

var (
	epoch  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	phone  = netip.MustParseAddrPort("198.51.100.7:40000")
	vip    = netip.MustParseAddrPort("192.0.2.10:5060")
	limits = registrar.Limits{DefaultExpires: time.Hour, MinExpires: time.Minute, MaxExpires: 2 * time.Hour, MaxContacts: 3}
)

func register(t testing.TB, cseq int, contact string) *sip.Message {
	t.Helper()
	text := fmt.Sprintf("REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1\r\n"+
		"From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: c\r\nCSeq: %d REGISTER\r\n", cseq)
	if contact != "" {
		text += "Contact: " + contact + "\r\n"
	}
	m := new(sip.Message)
	if err := sip.Parse([]byte(text+"\r\n"), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// slow is a journal that commits when told.
type slow struct {
	dones  []func(error)
	refuse error
}

func (j *slow) Submit(_ location.Change, done func(error)) error {
	if j.refuse == nil {
		j.dones = append(j.dones, done)
	}
	return j.refuse
}

func (j *slow) commit(err error) {
	for len(j.dones) > 0 {
		done := j.dones[0]
		j.dones = j.dones[1:]
		done(err)
	}
}

func TestTheAnswerWaitsForTheCommit(t *testing.T) {
	j := &slow{}
	table := location.New(j)
	r := registrar.New(table, limits)
	var codes []int
	answer := func(a registrar.Answer) { codes = append(codes, a.Code) }

	m := register(t, 1, "<sip:b@203.0.113.9>")
	r.Register(epoch, m, phone, vip, "bob@example.com", answer)
	later := register(t, 2, "<sip:b2@203.0.113.9>")
	r.Register(epoch, later, phone, vip, "bob@example.com", answer)
	clear(m.Raw) // the buffers are used again
	clear(later.Raw)
	if len(codes) != 0 || table.Lookup("bob@example.com", epoch) != nil {
		t.Fatalf("answered %v before the commit", codes)
	}
	j.commit(nil)
	if fmt.Sprint(codes) != "[200 200]" {
		t.Fatalf("answers %v", codes)
	}
	var got []string
	for _, b := range table.Lookup("bob@example.com", epoch) {
		got = append(got, b.Contact)
	}
	if want := "sip:b@203.0.113.9 sip:b2@203.0.113.9"; strings.Join(got, " ") != want {
		t.Errorf("bound to %q, want %q", got, want)
	}
}

func TestNothingToWriteIsAnsweredAtOnce(t *testing.T) {
	j := &slow{}
	table := location.New(j)
	r := registrar.New(table, limits)
	r.Register(epoch, register(t, 5, "<sip:b@203.0.113.9>"), phone, vip, "bob@example.com", func(registrar.Answer) {})
	j.commit(nil)
	for _, tt := range []struct {
		name, contact string
		cseq, code    int
	}{
		{"query", "", 6, 200},
		{"malformed", "<sip:", 6, 400},
		{"too brief", "<sip:x@h>;expires=1", 6, 423},
		{"old CSeq", "<sip:b@203.0.113.9>", 5, 500},
		{"removing what is not there", "<sip:x@h>;expires=0", 6, 200},
	} {
		code := 0
		r.Register(epoch, register(t, tt.cseq, tt.contact), phone, vip, "bob@example.com", func(a registrar.Answer) { code = a.Code })
		if code != tt.code {
			t.Errorf("%s: answer %d at once, want %d", tt.name, code, tt.code)
		}
	}
}

func TestStorageFailureIsAnsweredAndChangesNothing(t *testing.T) {
	for _, tt := range []struct {
		name           string
		refuse, commit error
		code           int
	}{
		{"commit fails", nil, errors.New("disk full"), 500},
		{"store is closed", errors.New("closed"), nil, 500},
		{"store is overloaded", location.ErrBusy, nil, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := &slow{refuse: tt.refuse}
			table := location.New(j)
			var got registrar.Answer
			registrar.New(table, limits).Register(epoch, register(t, 1, "<sip:b@h>"), phone, vip, "bob@example.com",
				func(a registrar.Answer) { got = a })
			j.commit(tt.commit)
			if got.Code != tt.code || table.Count() != 0 {
				t.Errorf("answer %d, %d bindings; want %d and none", got.Code, table.Count(), tt.code)
			}
		})
	}
}

// open makes a registrar over a real store.
func open(t testing.TB, path string) (*registrar.Registrar, *location.Table, *store.Store) {
	t.Helper()
	s, err := store.Open("sqlite://" + path)
	if err != nil {
		t.Fatal(err)
	}
	table := location.New(s)
	if err := table.Load(s.Bindings()); err != nil {
		t.Fatal(err)
	}
	return registrar.New(table, limits), table, s
}

func TestRegistrationsOutliveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sip.db")
	r, table, s := open(t, path)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Add(1)
		m := register(t, 1, fmt.Sprintf("<sip:b@192.168.0.%d>;q=0.5, <sip:gone@h>;expires=0", i))
		r.Register(epoch, m, phone, vip, fmt.Sprintf("u%d@example.com", i), func(a registrar.Answer) {
			if a.Code != 200 {
				t.Errorf("answer %d %s", a.Code, a.Reason)
			}
			wg.Done()
		})
	}
	wg.Wait()
	before := table.Lookup("u7@example.com", epoch)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, table, s = open(t, path)
	defer s.Close()
	after := table.Lookup("u7@example.com", epoch)
	if table.Count() != 200 || len(after) != 1 {
		t.Fatalf("%d bindings after the restart, u7 has %d", table.Count(), len(after))
	}
	b, a := before[0], after[0]
	if a.Contact != b.Contact || a.Received != phone || a.Local != vip || a.Q != 500 || !a.Expires.Equal(b.Expires) || a.CSeq != 1 {
		t.Errorf("came back as %+v, was %+v", a, b)
	}
}

func TestADeletedUserLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sip.db")
	r, table, s := open(t, path)
	ctx := context.Background()
	u, err := store.NewUser("bob@example.com", "x", epoch)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	r.Register(epoch, register(t, 1, "<sip:b@h>"), phone, vip, "bob@example.com", func(registrar.Answer) {})
	if err := s.DeleteUser(ctx, "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	removed := make(chan int, 1)
	table.Remove("bob@example.com", func(n int, err error) { removed <- n })
	if n := <-removed; n != 1 {
		t.Errorf("removed %d", n)
	}
	s.Close()
	_, table, s = open(t, path)
	defer s.Close()
	if table.Count() != 0 {
		t.Errorf("%d bindings after the restart", table.Count())
	}
}

func BenchmarkRegister(b *testing.B) {
	r, _, s := open(b, filepath.Join(b.TempDir(), "sip.db"))
	defer s.Close()
	room := make(chan struct{}, 256)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		room <- struct{}{}
		i++
		m := register(b, i, "<sip:bob@192.168.1.7:5060;ob>;expires=600")
		r.Register(epoch, m, phone, vip, fmt.Sprintf("u%d@example.com", i%10_000), func(a registrar.Answer) {
			if a.Code != 200 {
				b.Error(a.Code, a.Reason)
			}
			<-room
		})
	}
}
