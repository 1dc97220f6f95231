// SPDX-License-Identifier: Apache-2.0

// Package daemon runs sipsteer itself on a host of the lab: the daemon with a config made to order, and its command line.
package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"text/template"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

// Settings fill the config file. Zero values stand for native mode, two local workers, the default algorithms, and folders that no other
// daemon uses.
type Settings struct {
	Mode       string
	Workers    []Worker
	Algorithms string // a comma between them
	Health     string // keys of the section, a comma between them
	State      string // folder of the database
	BPFFS      string // folder of the pinned maps
	Records    string // path of the file of call records; empty: none
	Secret     string // path of the cluster secret; empty: the daemon makes one
	Policy     string // proxy when empty
	Extra      string // more of the config
	Ring       string // forking.ring
	Direct     string // lines of a service with policy direct, in place of the policy and domain
	More       string // further services, as in the config
}

// Worker is one line of the workers in the config.
type Worker struct{ Name, Forward, Address string }

var configTemplate = template.Must(template.New("config").Parse(`node: lb1
datapath:
  interfaces: [eth0]
  mode: {{.Mode}}
  max_pins: 16384
  bpffs: {{.BPFFS}}
services:
  - name: edge
    listen: ["udp://192.0.2.10:5060", "udp://[2001:db8::10]:5060"]
{{- if .Direct}}
    policy: direct
{{.Direct}}
{{- else}}
    policy: {{.Policy}}
    domains: [example.com]
{{- end}}
{{- if .More}}
{{.More}}
{{- end}}
workers:
{{- range .Workers}}
  - {name: {{.Name}}, forward: {{.Forward}}{{if .Address}}, address: "{{.Address}}"{{end}}}
{{- end}}
{{- if .Algorithms}}
auth: {algorithms: [{{.Algorithms}}]}
{{- end}}
{{- if .Ring}}
forking: {ring: {{.Ring}}}
{{- end}}
{{- if .Health}}
health: { {{.Health}} }
{{- end}}
{{- if .Records}}
records: {file: {{.Records}}}
{{- end}}
{{- if .Secret}}
secret_file: {{.Secret}}
{{- end}}
{{- if .Extra}}
{{.Extra}}
{{- end}}
store: sqlite://{{.State}}/sipsteer.db
location: memory
api: {listen: "127.0.0.1:8060"}
`))

// Daemon is sipsteer on one host, running or not.
type Daemon struct {
	Settings
	Config string // path of the config file

	host   *netns.Host
	binary string
	dir    string
	proc   *netns.Process
	output strings.Builder // of the runs before this one
}

// count tells the folders under bpffs of one process apart.
var count atomic.Uint32

// New writes the config to a new folder under dir and leaves the daemon to be started.
func New(h *netns.Host, binary, dir string, set Settings) (*Daemon, error) {
	work, err := os.MkdirTemp(dir, "sipsteer-")
	if err != nil {
		return nil, fmt.Errorf("making the daemon's folder: %w", err)
	}
	set.fill(work)
	d := &Daemon{Settings: set, Config: filepath.Join(work, "sipsteer.yaml"), host: h, binary: binary, dir: work}
	f, err := os.Create(d.Config)
	if err != nil {
		return nil, fmt.Errorf("writing the config: %w", err)
	}
	defer f.Close()
	if err := configTemplate.Execute(f, set); err != nil {
		return nil, fmt.Errorf("writing the config: %w", err)
	}
	return d, nil
}

func (s *Settings) fill(work string) {
	if s.Mode == "" {
		s.Mode = "native"
	}
	if s.Policy == "" {
		s.Policy = "proxy"
	}
	if s.Workers == nil {
		s.Workers = []Worker{{Name: "w1", Forward: "local"}, {Name: "w2", Forward: "local"}}
	}
	if s.State == "" {
		s.State = work
	}
	if s.BPFFS == "" {
		s.BPFFS = fmt.Sprintf("/sys/fs/bpf/sipsteer-test-%d-%d", os.Getpid(), count.Add(1))
	}
}

// Dir is the folder of the config, and of the database where the settings name no other.
func (d *Daemon) Dir() string { return d.dir }

// Start runs the daemon as root and waits until it answers.
func (d *Daemon) Start() error { return d.StartAs(0) }

// StartAs runs the daemon as a user and waits until it answers.
func (d *Daemon) StartAs(uid uint32) error {
	if d.proc != nil {
		d.output.WriteString(d.proc.Output())
	}
	run := d.command("run", "-c", d.Config)
	run.UID = uid
	proc, err := d.host.Start(run)
	if err != nil {
		return err
	}
	d.proc = proc
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := d.Status()
		if err == nil {
			return nil
		}
		if !proc.Running() || time.Now().After(deadline) {
			return fmt.Errorf("sipsteer does not come up (%s): %w\n%s", proc.State(), err, proc.Output())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Stop sends a signal and waits for a clean end.
func (d *Daemon) Stop(sig syscall.Signal) error {
	if err := d.proc.Signal(sig); err != nil {
		return err
	}
	return d.proc.Wait(10 * time.Second)
}

// Remove ends the daemon and takes what it left in bpffs.
func (d *Daemon) Remove() {
	if d.proc != nil {
		d.proc.Kill()
	}
	os.RemoveAll(d.BPFFS)
}

// CPU is the processor time that the running daemon has used.
func (d *Daemon) CPU() (time.Duration, error) { return d.proc.CPU() }

// Output is what the daemon has written, over all of its runs.
func (d *Daemon) Output() string {
	if d.proc == nil {
		return ""
	}
	return d.output.String() + d.proc.Output()
}

// Command runs a command of sipsteer's command line against the daemon and returns its output.
func (d *Daemon) Command(args ...string) (string, error) {
	return d.host.Run(d.command(args...), 10*time.Second)
}

func (d *Daemon) command(args ...string) netns.Command {
	return netns.Command{Path: d.binary, Args: args, Dir: d.dir}
}

// AddUsers adds users of example.com who share a password.
func (d *Daemon) AddUsers(password string, names ...string) error {
	for _, name := range names {
		if _, err := d.Command("users", "add", name+"@example.com", "--password", password); err != nil {
			return err
		}
	}
	return nil
}

// Status asks the daemon how it is.
func (d *Daemon) Status() (Status, error) {
	var st Status
	out, err := d.Command("status", "--json")
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		return st, fmt.Errorf("reading status: %w\n%s", err, out)
	}
	return st, nil
}

// Settled is the status once the counters stand still, so that the last packets of a run are in it.
func (d *Daemon) Settled() (Status, error) {
	last, err := d.Status()
	for range 30 {
		if err != nil {
			return last, err
		}
		time.Sleep(100 * time.Millisecond)
		var now Status
		now, err = d.Status()
		if now.Datapath.Steered == last.Datapath.Steered && now.Control.Steered == last.Control.Steered &&
			now.Dialogs == last.Dialogs {
			return now, err
		}
		last = now
	}
	return last, fmt.Errorf("the counters do not come to rest: %+v", last)
}
