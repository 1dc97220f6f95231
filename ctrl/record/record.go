// SPDX-License-Identifier: Apache-2.0

// Package record makes call records of calls that have ended, in the store and,
// where one is wanted, in a file of JSON lines. Each call has exactly one, however
// often the daemon is killed: the store takes a call once, by boot, key and start,
// before its pin goes, and the file follows the store's rows in order.
package record

import (
	"encoding/hex"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Record is one call. Times have milliseconds; those that never came are zero.
type Record struct {
	ID      int64  // grows from record to record
	Boot    string // boot id of the host; with Key and StartNS what makes the call one
	Key     string // of the pin, 32 hex digits
	StartNS uint64 // of the monotonic clock

	CallID    string
	CallIDCut bool   // it is the beginning of a longer one
	From, To  string // URIs
	Service   string
	Worker    string

	Start, Ring, Answer, End time.Time

	FinalCode           int    // final answer to the INVITE that the datapath saw last; 0 for none
	EndedBy             string // caller, callee, worker, timeout or unknown
	Cause               string // one of the Cause constants
	Requests, Responses uint64 // packets steered
}

// Why a call ended.
const (
	CauseBye        = "bye"         // somebody hung up
	CauseCancelled  = "cancelled"   // the caller gave up before the answer
	CauseFailed     = "failed"      // refused, redirected or not reachable: see FinalCode
	CauseNoAnswer   = "no_answer"   // neither answered nor refused; dialogs.early is over
	CauseIdle       = "idle"        // answered, and silent for dialogs.confirmed
	CauseWorkerDown = "worker_down" // one of the last two, and the worker that had the call is down
)

// Names tells what the numbers in pins stand for.
type Names interface {
	ServiceName(id uint16) string
	// WorkerName also tells whether the worker is up.
	WorkerName(id uint32) (name string, up bool)
}

// of makes the record of a call.
func of(e dialog.Ended, boot string, names Names) Record {
	p := e.Pin
	r := Record{
		Boot: boot, Key: hex.EncodeToString(e.Key[:]), StartNS: p.StartNS,
		CallID: e.Call.CallID, CallIDCut: e.Call.Cut, From: e.Call.From, To: e.Call.To,
		Service: names.ServiceName(p.Service),
		Start:   millis(e.Start), Ring: millis(e.Ring), Answer: millis(e.Answer), End: millis(e.End),
		FinalCode: int(p.FinalCode), Requests: p.Requests, Responses: p.Responses,
	}
	var up bool
	r.Worker, up = names.WorkerName(p.Worker)
	r.EndedBy, r.Cause = ending(p)
	if p.EndedBy == steer.ByTimeout && !up {
		r.Cause = CauseWorkerDown
	}
	return r
}

func millis(t time.Time) time.Time { return t.Truncate(time.Millisecond).UTC() }

// ending says by whom and why. The datapath sees answers on their way to the
// worker: a final code is the called side's, an ACK without one is to an answer
// of the worker's own.
func ending(p steer.Pin) (by, cause string) {
	by = p.EndedBy.String()
	switch {
	case p.AnswerNS != 0 && p.EndedBy == steer.ByTimeout:
		return by, CauseIdle
	case p.AnswerNS != 0:
		return by, CauseBye
	case p.FinalCode == 487 || p.Cancelled && p.FinalCode == 0:
		return steer.ByCaller.String(), CauseCancelled
	case p.FinalCode >= 300:
		return steer.ByCallee.String(), CauseFailed
	case p.EndedBy == steer.ByTimeout:
		return by, CauseNoAnswer
	case p.EndedBy != steer.ByUnknown:
		return by, CauseBye
	}
	return "worker", CauseFailed
}
