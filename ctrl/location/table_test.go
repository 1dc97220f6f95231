// SPDX-License-Identifier: Apache-2.0

package location

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// journal is a Journal that commits when the test says so.
type journal struct {
	mu      sync.Mutex
	changes []Change
	dones   []func(error)
	refuse  error
}

func (j *journal) Submit(c Change, done func(error)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refuse != nil {
		return j.refuse
	}
	j.changes, j.dones = append(j.changes, c), append(j.dones, done)
	return nil
}

// commit ends all that is waiting, and what that brings forth in turn.
func (j *journal) commit(err error) {
	for {
		j.mu.Lock()
		dones := j.dones
		j.dones = nil
		j.mu.Unlock()
		if len(dones) == 0 {
			return
		}
		for _, done := range dones {
			done(err)
		}
	}
}

func binding(aor, contact string, q uint16, updated int) Binding {
	at := epoch.Add(time.Duration(updated) * time.Second)
	return Binding{AOR: aor, Contact: contact, Q: q, CallID: "c", CSeq: 1, Updated: at, Expires: at.Add(time.Minute)}
}

// set is an update that replaces all bindings.
func set(bindings ...Binding) func([]Binding) ([]Binding, bool) {
	return func([]Binding) ([]Binding, bool) { return bindings, true }
}

func contacts(bindings []Binding) string {
	var s []string
	for _, b := range bindings {
		s = append(s, b.Contact)
	}
	return strings.Join(s, " ")
}

func TestLookupOrdersByPreferenceThenAge(t *testing.T) {
	j := &journal{}
	table := New(j)
	table.Update("a@x", set(binding("a@x", "old", 500, 1), binding("a@x", "low", 100, 9),
		binding("a@x", "new", 500, 2), binding("a@x", "high", 1000, 0)), func(error) {})
	j.commit(nil)
	if got := contacts(table.Lookup("a@x", epoch)); got != "high new old low" {
		t.Errorf("order %q", got)
	}
	if got := contacts(table.Lookup("a@x", epoch.Add(61*time.Second))); got != "new low" {
		t.Errorf("after 61 s: %q, want the two that have not expired", got)
	}
	if n := len(slices.Collect(table.All(epoch.Add(61 * time.Second)))); n != 2 || table.Count() != 4 {
		t.Errorf("All gave %d, Count %d; want 2 live of 4", n, table.Count())
	}
}

func TestNothingIsVisibleBeforeItIsDurable(t *testing.T) {
	j := &journal{}
	table := New(j)
	answered := false
	table.Update("a@x", set(binding("a@x", "one", 0, 0)), func(err error) { answered = err == nil })
	if answered || table.Lookup("a@x", epoch) != nil {
		t.Fatal("answered or visible before the commit")
	}
	j.commit(nil)
	if !answered || contacts(table.Lookup("a@x", epoch)) != "one" {
		t.Fatal("not answered or not visible after the commit")
	}
}

func TestFailureChangesNothing(t *testing.T) {
	j := &journal{}
	table := New(j)
	table.Update("a@x", set(binding("a@x", "one", 0, 0)), func(error) {})
	j.commit(nil)
	disk := errors.New("disk full")
	for name, fail := range map[string]func(){
		"commit": func() { j.commit(disk) },
		"submit": func() {},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "submit" {
				j.refuse = disk
				defer func() { j.refuse = nil }()
			}
			var got error
			table.Update("a@x", set(binding("a@x", "two", 0, 0)), func(err error) { got = err })
			fail()
			if !errors.Is(got, disk) || contacts(table.Lookup("a@x", epoch)) != "one" || table.Count() != 1 {
				t.Errorf("error %v, bindings %q", got, contacts(table.Lookup("a@x", epoch)))
			}
		})
	}
	table.Update("a@x", set(binding("a@x", "three", 0, 0)), func(error) {})
	j.commit(nil)
	if got := contacts(table.Lookup("a@x", epoch)); got != "three" {
		t.Errorf("after the failures %q, want three", got)
	}
}

func TestUpdatesOfOneUserFollowEachOther(t *testing.T) {
	j := &journal{}
	table := New(j)
	var order []int
	for i := range maxWaiting + 1 {
		table.Update("a@x", func(current []Binding) ([]Binding, bool) {
			if len(current) != i {
				t.Errorf("update %d sees %d bindings", i, len(current))
			}
			return append(slices.Clone(current), binding("a@x", fmt.Sprint("c", i), 0, i)), true
		}, func(error) { order = append(order, i) })
	}
	if len(j.changes) != 1 {
		t.Fatalf("%d changes at the journal, want 1 in flight", len(j.changes))
	}
	var busy error
	table.Update("a@x", set(), func(err error) { busy = err })
	if !errors.Is(busy, ErrBusy) {
		t.Errorf("update beyond the limit: %v, want ErrBusy", busy)
	}
	table.Update("b@x", set(binding("b@x", "other", 0, 0)), func(error) {})
	if len(j.changes) != 2 {
		t.Error("another user's update waits for this one's")
	}
	j.commit(nil)
	if !slices.IsSorted(order) || len(order) != maxWaiting+1 || table.Count() != maxWaiting+2 {
		t.Errorf("order %v, count %d", order, table.Count())
	}
}

func TestOnlyDifferencesAreWritten(t *testing.T) {
	j := &journal{}
	table := New(j)
	a, b, c := binding("a@x", "a", 3, 0), binding("a@x", "b", 2, 0), binding("a@x", "c", 1, 0)
	table.Update("a@x", set(a, b), func(error) {})
	j.commit(nil)
	b.CSeq++
	table.Update("a@x", set(b, c), func(error) {})
	last := j.changes[1]
	if contacts(last.Put) != "b c" || !slices.Equal(last.Drop, []string{"a"}) {
		t.Errorf("put %q drop %v", contacts(last.Put), last.Drop)
	}
	j.commit(nil)
	done := 0
	table.Update("a@x", set(b, c), func(error) { done++ })
	table.Update("a@x", func(cur []Binding) ([]Binding, bool) { return nil, false }, func(error) { done++ })
	if done != 2 || len(j.changes) != 2 {
		t.Errorf("%d of 2 answered at once, %d changes written", done, len(j.changes))
	}
}

func TestRemoveTellsHowMany(t *testing.T) {
	j := &journal{}
	table := New(j)
	table.Update("a@x", set(binding("a@x", "a", 3, 0), binding("a@x", "b", 2, 0)), func(error) {})
	j.commit(nil)
	removed := -1
	table.Remove("a@x", func(n int, err error) { removed = n })
	j.commit(nil)
	if removed != 2 || table.Count() != 0 || table.Lookup("a@x", epoch) != nil {
		t.Errorf("removed %d, %d left", removed, table.Count())
	}
	table.Remove("a@x", func(n int, err error) { removed = n })
	if removed != 0 {
		t.Errorf("second time removed %d", removed)
	}
}

func TestSweepRemovesOnlyWhatHasExpired(t *testing.T) {
	j := &journal{}
	table := New(j)
	table.Update("a@x", set(binding("a@x", "old", 0, 0), binding("a@x", "new", 0, 9)), func(error) {})
	table.Update("b@x", set(binding("b@x", "old", 0, 0)), func(error) {})
	j.commit(nil)
	if n := table.Sweep(epoch.Add(60 * time.Second)); n != 2 {
		t.Errorf("swept %d users, want 2", n)
	}
	j.commit(nil)
	if table.Count() != 1 || contacts(table.Lookup("a@x", epoch)) != "new" {
		t.Errorf("%d left, a has %q", table.Count(), contacts(table.Lookup("a@x", epoch)))
	}
	if n := table.Sweep(epoch.Add(60 * time.Second)); n != 0 {
		t.Errorf("second sweep found %d", n)
	}
}

func TestLoadGivesTheErrorOfTheStore(t *testing.T) {
	broken := errors.New("broken page")
	var seq iter.Seq2[Binding, error] = func(yield func(Binding, error) bool) {
		_ = yield(binding("a@x", "one", 0, 0), nil) && yield(Binding{}, broken)
	}
	table := New(&journal{})
	if err := table.Load(seq); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if table.Count() != 1 {
		t.Errorf("count %d", table.Count())
	}
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	j := &journal{}
	table := New(j)
	var wg, answers sync.WaitGroup
	stop := make(chan struct{})
	committer := make(chan struct{})
	go func() {
		defer close(committer)
		for {
			select {
			case <-stop:
				return
			default:
				j.commit(nil)
				runtime.Gosched()
			}
		}
	}()
	for g := range 4 {
		for u := range 5 {
			aor := fmt.Sprintf("u%d@x", u)
			answers.Add(5)
			wg.Go(func() {
				for i := range 5 {
					b := binding(aor, fmt.Sprintf("%d-%d", g, i), 0, i)
					table.Update(aor, func(cur []Binding) ([]Binding, bool) {
						return append(slices.Clone(cur), b), true
					}, func(err error) {
						if err != nil {
							t.Error(err)
						}
						answers.Done()
					})
					table.Lookup(aor, epoch)
				}
			})
		}
	}
	wg.Wait()
	answers.Wait()
	close(stop)
	<-committer
	if table.Count() != 100 {
		t.Errorf("%d bindings, want 100", table.Count())
	}
	for i := range table.shards {
		if n := len(table.shards[i].inFlight); n != 0 {
			t.Errorf("%d users still in flight", n)
		}
	}
}

// typical is a binding as a phone behind NAT makes it, no string shared.
func typical(i int) Binding {
	return Binding{
		AOR:      fmt.Sprintf("user%06d@sip.example.com", i),
		Contact:  fmt.Sprintf("sip:user%06d@192.168.1.%d:5060;ob", i, i%250),
		Received: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 40000),
		Local:    netip.MustParseAddrPort("192.0.2.10:5060"),
		CallID:   fmt.Sprintf("%032x@192.168.1.7", i), CSeq: 7, Q: 1000,
		Expires: epoch.Add(time.Hour), Updated: epoch, UserAgent: strings.Clone("Yealink SIP-T46S 66.85.0.5"),
	}
}

func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		table := New(&journal{})
		table.Load(func(yield func(Binding, error) bool) {
			for i := range n {
				yield(typical(i), nil)
			}
		})
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/binding")
		runtime.KeepAlive(table)
	}
}

func BenchmarkLookup(b *testing.B) {
	table := New(&journal{})
	table.Load(func(yield func(Binding, error) bool) {
		for i := range 100_000 {
			yield(typical(i), nil)
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		if len(table.Lookup("user000777@sip.example.com", epoch)) != 1 {
			b.Fatal("not found")
		}
	}
}
