// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
)

func sample(i int) location.Binding {
	return location.Binding{
		AOR: fmt.Sprintf("user%06d@example.com", i), Contact: fmt.Sprintf("sip:user%06d@192.168.1.7:5060;ob", i),
		Received: netip.MustParseAddrPort("198.51.100.7:40000"), Local: netip.MustParseAddrPort("[2001:db8::1]:5060"),
		Path: []string{`<sip:p1.example.com;lr>;a="x,y"`, "<sip:p2.example.com;lr>"}, Q: 700,
		CSeq: 1<<32 - 1, CallID: fmt.Sprintf("%032x@192.168.1.7", i), Expires: time.UnixMilli(epoch.UnixMilli() + 3600_000),
		Updated: time.UnixMilli(epoch.UnixMilli() + 1), UserAgent: "Phone 1.0", Instance: `"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"`,
	}
}

// put writes bindings and waits.
func put(t testing.TB, s *Store, bindings ...location.Binding) {
	t.Helper()
	var wg sync.WaitGroup
	for _, b := range bindings {
		wg.Add(1)
		err := s.Submit(location.Change{AOR: b.AOR, Put: []location.Binding{b}}, func(err error) {
			if err != nil {
				t.Error(err)
			}
			wg.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

func all(t testing.TB, s *Store) []location.Binding {
	t.Helper()
	var list []location.Binding
	for b, err := range s.Bindings() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

func TestBindingsComeBackAsTheyWere(t *testing.T) {
	s, loc := newStore(t)
	bare := location.Binding{AOR: "bare@example.com", Contact: "tel:+5511", Expires: time.UnixMilli(5), Updated: time.UnixMilli(0)}
	put(t, s, bare, sample(1))
	s.Close()
	got := all(t, reopen(t, loc))
	if want := []location.Binding{bare, sample(1)}; !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v, want\n%+v", got, want)
	}
}

func TestAChangePutsAndDrops(t *testing.T) {
	s, _ := newStore(t)
	a, b := sample(1), sample(1)
	b.Contact = "sip:other"
	put(t, s, a, b, sample(2))
	b.CSeq = 5
	done := make(chan error, 1)
	if err := s.Submit(location.Change{AOR: a.AOR, Put: []location.Binding{b}, Drop: []string{a.Contact, "unknown"}},
		func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, want := all(t, s), []location.Binding{b, sample(2)}; !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v, want\n%+v", got, want)
	}
}

func TestBindingsAreReadInPages(t *testing.T) {
	s, _ := newStore(t)
	var want []location.Binding
	for i := range 2*pageSize + 1 {
		want = append(want, sample(i))
	}
	put(t, s, want...)
	if got := all(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("read %d bindings, want %d in order", len(got), len(want))
	}
	for b, err := range s.Bindings() {
		if err != nil || b.AOR != want[0].AOR {
			t.Fatalf("first is %q, %v", b.AOR, err)
		}
		break
	}
}

func TestDeletingAUserDeletesItsBindings(t *testing.T) {
	s, _ := newStore(t)
	if err := s.AddUser(context.Background(), mustUser(t, sample(1).AOR, "x")); err != nil {
		t.Fatal(err)
	}
	put(t, s, sample(1), sample(2))
	if err := s.DeleteUser(context.Background(), sample(1).AOR); err != nil {
		t.Fatal(err)
	}
	if got := all(t, s); len(got) != 1 || got[0].AOR != sample(2).AOR {
		t.Errorf("left: %+v", got)
	}
}

func TestAFailedGroupLeavesNothingAndTheNextOneWorks(t *testing.T) {
	s, _ := newStore(t)
	broken := errors.New("broken")
	gate, started := make(chan struct{}), make(chan struct{})
	var errs []error
	var wg sync.WaitGroup
	submit := func(apply func() error) {
		wg.Add(1)
		if err := s.journal.submit(write{apply, func(err error) { errs = append(errs, err); wg.Done() }}); err != nil {
			t.Fatal(err)
		}
	}
	one := sample(1)
	submit(func() error { close(started); <-gate; return nil }) // holds the journal until the next two wait
	<-started
	submit(func() error { return s.applyChange(&location.Change{AOR: one.AOR, Put: []location.Binding{one}}) })
	submit(func() error { return broken })
	close(gate)
	wg.Wait()
	if errs[0] != nil || !errors.Is(errs[1], broken) || !errors.Is(errs[2], broken) {
		t.Errorf("errors %v, want the second and third to fail together", errs)
	}
	if got := all(t, s); len(got) != 0 {
		t.Errorf("left from the failed group: %+v", got)
	}
	put(t, s, one)
}

func TestTheJournalIsBounded(t *testing.T) {
	s, _ := newStore(t)
	gate, started := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	hold := write{func() error { close(started); <-gate; return nil }, func(error) { wg.Done() }}
	if err := s.journal.submit(hold); err != nil {
		t.Fatal(err)
	}
	<-started
	idle := write{func() error { return nil }, func(error) { wg.Done() }}
	wg.Add(maxWaiting)
	for i := range maxWaiting {
		if err := s.journal.submit(idle); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
	}
	if err := s.Submit(location.Change{}, func(error) {}); !errors.Is(err, location.ErrBusy) {
		t.Errorf("one too many: %v, want ErrBusy", err)
	}
	close(gate)
	wg.Wait()
}

// More than one group holds must not wait for the next submission to be written.
func TestTheRestOfALargeGroupIsWrittenToo(t *testing.T) {
	s, _ := newStore(t)
	gate, started := make(chan struct{}), make(chan struct{})
	left := make(chan struct{}, maxBatch+2)
	done := func(error) { left <- struct{}{} }
	if err := s.journal.submit(write{func() error { close(started); <-gate; return nil }, done}); err != nil {
		t.Fatal(err)
	}
	<-started
	for range maxBatch + 1 {
		if err := s.journal.submit(write{func() error { return nil }, done}); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	for n := range maxBatch + 2 {
		select {
		case <-left:
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d written, the rest is forgotten", n, maxBatch+2)
		}
	}
}

func TestCloseWritesWhatIsWaiting(t *testing.T) {
	s, loc := newStore(t)
	const n = 500
	acknowledged := 0
	for i := range n {
		b := sample(i)
		if err := s.Submit(location.Change{AOR: b.AOR, Put: []location.Binding{b}}, func(err error) {
			if err == nil {
				acknowledged++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if err := s.Submit(location.Change{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Submit after Close: %v", err)
	}
	if got := len(all(t, reopen(t, loc))); got != n || acknowledged != n {
		t.Errorf("%d on disk, %d acknowledged, want %d", got, acknowledged, n)
	}
}

const killedEnv = "SIPSTEER_TEST_STORE"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if loc := os.Getenv(killedEnv); loc != "" {
		writeForEver(loc)
	}
	os.Exit(m.Run())
}

// writeForEver submits bindings without pause and prints the number of each one
// that was acknowledged.
func writeForEver(loc string) {
	s, err := Open(loc)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	room := make(chan struct{}, 256)
	for i := 0; ; i++ {
		room <- struct{}{}
		b := sample(i)
		err := s.Submit(location.Change{AOR: b.AOR, Put: []location.Binding{b}}, func(err error) {
			if err == nil {
				fmt.Println(i)
			}
			<-room
		})
		if err != nil {
			os.Exit(1)
		}
	}
}

func TestAcknowledgedBindingsSurviveSIGKILL(t *testing.T) {
	for round := range 3 {
		loc := fmt.Sprintf("sqlite://%s/sip.db", t.TempDir())
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedEnv+"="+loc)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			acknowledged = append(acknowledged, lines.Text())
			if len(acknowledged) == 1000+777*round {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		if len(acknowledged) < 1000 {
			t.Fatalf("the writer ended early: %s", strings.Join(acknowledged, " "))
		}
		var kept []string
		for _, b := range all(t, reopen(t, loc)) {
			kept = append(kept, b.AOR)
		}
		for _, line := range acknowledged {
			var i int
			if _, err := fmt.Sscan(line, &i); err != nil {
				t.Fatalf("the writer said %q", line)
			}
			if _, found := slices.BinarySearch(kept, sample(i).AOR); !found {
				t.Fatalf("round %d: binding %d was acknowledged and is lost", round, i)
			}
		}
	}
}

// A refresh is one binding written over; in flight is how many wait at a time.
func BenchmarkRefresh(b *testing.B) {
	for _, inFlight := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("in flight ", inFlight), func(b *testing.B) {
			s, _ := newStore(b)
			var list []location.Binding
			for i := range 20_000 {
				list = append(list, sample(i))
			}
			put(b, s, list...)
			room := make(chan struct{}, inFlight)
			b.ReportAllocs()
			i := 0
			cpu := cpuTime()
			for b.Loop() {
				room <- struct{}{}
				one := list[i*7919%len(list)]
				one.CSeq, i = uint32(i), i+1
				if err := s.Submit(location.Change{AOR: one.AOR, Put: []location.Binding{one}}, func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-room
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}
