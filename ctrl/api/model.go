// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Status is one consistent look at the daemon. Counters run from the start of
// the datapath, which outlives a restart of the daemon while XDP stays attached.
type Status struct {
	Node          string          `json:"node" doc:"Name of this host, from the config"`
	Version       string          `json:"version"`
	UptimeSeconds float64         `json:"uptime_seconds" doc:"Since this daemon started"`
	Services      []ServiceStatus `json:"services"`
	Datapath      DatapathStatus  `json:"datapath"`
	Control       ControlStatus   `json:"control"`
	Policy        PolicyStatus    `json:"policy"`
	Dialogs       DialogCounts    `json:"dialogs"`
	Registrations uint64          `json:"registrations" doc:"Bindings that have not expired"`
	Workers       []WorkerStatus  `json:"workers"`
}

// ServiceStatus is one service as it runs.
type ServiceStatus struct {
	Name    string   `json:"name"`
	Policy  string   `json:"policy"`
	Listen  []string `json:"listen" doc:"As in the config, such as udp://192.0.2.10:5060"`
	Domains []string `json:"domains" doc:"None with policy direct"`
	Workers []string `json:"workers" doc:"Names of the workers that serve it"`
}

// DatapathStatus counts packets in the kernel, or in user space when the mode
// is off.
type DatapathStatus struct {
	Mode       string            `json:"mode" doc:"The mode in effect: native, generic or off"`
	Interfaces []string          `json:"interfaces"`
	Steered    uint64            `json:"steered" doc:"Packets sent to a pinned worker"`
	Passed     uint64            `json:"passed" doc:"Packets of a service given to the control plane"`
	Dropped    map[string]uint64 `json:"dropped" doc:"Packets dropped, by cause"`
	Outcomes   map[string]uint64 `json:"outcomes" doc:"Every named outcome of the datapath"`
	Direct     map[string]uint64 `json:"direct" doc:"Policy direct: pins made and moved, and new dialogs that got none, by cause"`
}

// ControlStatus counts messages that reached the control plane.
type ControlStatus struct {
	Received   map[string]uint64 `json:"received" doc:"Messages by method, or response"`
	Steered    uint64            `json:"steered" doc:"Messages of pinned calls that user space forwarded"`
	Answered   map[string]uint64 `json:"answered" doc:"Responses sent, by status code"`
	HandedOver uint64            `json:"handed_over" doc:"Initial requests given to a worker"`
	OwnACK     uint64            `json:"own_ack" doc:"ACKs to own final answers, which end here"`
	Dropped    map[string]uint64 `json:"dropped" doc:"Messages dropped, by cause"`
}

// PolicyStatus sums the source policy up; what it drops is counted by datapath and
// control plane.
type PolicyStatus struct {
	Bans     uint64 `json:"bans" doc:"Sources that are banned now"`
	Prefixes uint64 `json:"prefixes" doc:"Prefixes with a rule, those of the config file and of trunks among them"`
}

// DialogCounts counts live pins by state.
type DialogCounts struct {
	Early     uint64 `json:"early"`
	Confirmed uint64 `json:"confirmed"`
	Ended     uint64 `json:"ended" doc:"Kept a while for retransmissions"`
	Total     uint64 `json:"total"`
}

// States of a worker.
const (
	WorkerUp       = "up"       // takes new calls
	WorkerDraining = "draining" // keeps its calls, takes no new ones
	WorkerDrained  = "drained"  // was draining and has no calls left
	WorkerDown     = "down"     // cannot be reached, or does not answer
)

// WorkerStatus is one worker as the control plane sees it.
type WorkerStatus struct {
	Name    string `json:"name"`
	Forward string `json:"forward" doc:"local or l2"`
	Address string `json:"address" doc:"Empty for a local worker"`
	Weight  int    `json:"weight"`
	State   string `json:"state" enum:"up,draining,drained,down"`
	Health  string `json:"health" doc:"In words: how it answers OPTIONS, or why it is down"`
	Probes  Probes `json:"probes"`
	Steered uint64 `json:"steered" doc:"Packets steered to it"`
	Dialogs uint64 `json:"dialogs" doc:"Live pins that point to it"`
}

// Probes counts the OPTIONS that a worker was asked by, by what became of them.
type Probes struct {
	Answered uint64 `json:"answered"`
	Refused  uint64 `json:"refused" doc:"Answered 503"`
	Lost     uint64 `json:"lost" doc:"Not answered in time, or not sent"`
}

// Dialog is one pin with what the control plane remembers of its call. Times
// are null until they happen.
type Dialog struct {
	CallID    string     `json:"call_id" doc:"Empty when only the kernel knows the call"`
	Key       string     `json:"key" doc:"128-bit key of the pin, 32 hex digits"`
	State     string     `json:"state" enum:"early,confirmed,ended"`
	Service   string     `json:"service"`
	Worker    string     `json:"worker"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Start     *time.Time `json:"start"`
	Ring      *time.Time `json:"ring"`
	Answer    *time.Time `json:"answer"`
	End       *time.Time `json:"end"`
	FinalCode int        `json:"final_code" doc:"Final answer to the initial request, 0 before it"`
	Requests  uint64     `json:"requests"`
	Responses uint64     `json:"responses"`
}

// CallRecord is one call that has ended. Times that never came are null.
type CallRecord struct {
	ID        int64      `json:"id" doc:"Grows from record to record"`
	CallID    string     `json:"call_id"`
	CallIDCut bool       `json:"call_id_cut,omitempty" doc:"The Call-ID is the beginning of a longer one"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Service   string     `json:"service"`
	Worker    string     `json:"worker"`
	Start     time.Time  `json:"start"`
	Ring      *time.Time `json:"ring"`
	Answer    *time.Time `json:"answer"`
	End       time.Time  `json:"end"`
	Duration  float64    `json:"duration" doc:"Seconds from answer to end"`
	FinalCode int        `json:"final_code" doc:"Final answer to the INVITE as the datapath saw it, 0 for none"`
	EndedBy   string     `json:"ended_by" enum:"caller,callee,worker,timeout,unknown"`
	Cause     string     `json:"cause" enum:"bye,cancelled,failed,no_answer,idle,worker_down"`
	Requests  uint64     `json:"requests" doc:"Requests steered"`
	Responses uint64     `json:"responses" doc:"Responses steered"`
	BootID    string     `json:"boot_id"`
	Key       string     `json:"key"`
}

// Registration is one binding of a user's address to a contact.
type Registration struct {
	AOR       string    `json:"aor"`
	Contact   string    `json:"contact"`
	Received  string    `json:"received,omitempty" doc:"Source address, when NAT hides the contact"`
	Expires   time.Time `json:"expires"`
	Q         float64   `json:"q"`
	UserAgent string    `json:"user_agent"`
	CallID    string    `json:"call_id"`
}

// Alias is another address of a user.
type Alias struct {
	Alias string `json:"alias"`
	User  string `json:"user" doc:"Whose bindings and password it stands for"`
}

// Domain is what a service is responsible for.
type Domain struct {
	Domain  string `json:"domain"`
	Service string `json:"service"`
	Config  bool   `json:"config" doc:"In the config file, which alone can take it away"`
}

// Route is one line of the dial plan.
type Route struct {
	Prefix       string   `json:"prefix" doc:"The longest one that a number starts with counts"`
	Groups       []string `json:"groups" doc:"Groups of gateways, in the order in which they are tried"`
	Strip        int      `json:"strip" doc:"Characters taken off the number's front"`
	Add          string   `json:"add" doc:"Put before the rest"`
	ReplySeconds float64  `json:"reply_seconds" doc:"How long a gateway may be silent"`
	Failover     []int    `json:"failover" doc:"Final codes on which the next gateway is tried"`
}

// Gateway is a way to numbers that are not ours.
type Gateway struct {
	Name     string   `json:"name"`
	Group    string   `json:"group"`
	Address  string   `json:"address" doc:"Such as udp://203.0.113.5:5060"`
	Priority int      `json:"priority" doc:"The lower is tried first"`
	Weight   int      `json:"weight"`
	Sources  []string `json:"sources" doc:"Networks whose calls need no password"`
}

// ByOperator is who bans through the API.
const ByOperator = "operator"

// Ban keeps a source from being heard for a time.
type Ban struct {
	Source string    `json:"source" doc:"An IPv4 address, or the /64 of an IPv6 address"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	By     string    `json:"by" enum:"operator,failures" doc:"failures: banned by itself for failing to authenticate"`
}

// Prefix is a range of source addresses with a rule.
type Prefix struct {
	Prefix string `json:"prefix"`
	Rule   string `json:"rule" enum:"allow,deny"`
	Origin string `json:"origin" doc:"api, config, or \"trunk \" and its name; only those of the api can be changed here"`
	Note   string `json:"note"`
}

// User is an account. Its password is not kept, and never shown.
type User struct {
	AOR string `json:"aor"`
}
