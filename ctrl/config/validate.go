// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math/big"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
)

// checkConfig reports everything that is wrong with c beyond the types of its
// values.
func (r *report) checkConfig(c *Config) {
	r.checkName("node", c.Node)
	r.checkDatapath(&c.Datapath)
	r.checkServices(c)
	r.checkWorkers(c.Workers, c.needsWorkers())
	r.checkHealth(&c.Health)
	r.checkRegistrar(&c.Registrar)
	r.checkAuth(&c.Auth)
	r.checkDialogs(&c.Dialogs)
	r.checkForking(&c.Forking)
	r.checkGateways(c)
	r.checkRecords(&c.Records)
	r.checkPolicy(c)
	r.checkStore(c)
	r.checkLog(&c.Log)
	if _, _, err := SplitListen(c.API.Listen); err != nil {
		r.fail("api.listen", "%v", err)
	}
}

func (r *report) checkDatapath(d *Datapath) {
	r.checkOneOf("datapath.mode", "datapath.mode", d.Mode, ModeAuto, ModeNative, ModeGeneric, ModeOff)
	if len(d.Interfaces) == 0 && d.Mode != ModeOff {
		r.fail("datapath.interfaces", "mode %s needs at least one interface to attach to; for user space only say mode: off", d.Mode)
	}
	for i, name := range d.Interfaces {
		key := fmt.Sprintf("datapath.interfaces[%d]", i)
		if !validInterface(name) {
			r.fail(key, "%q cannot be the name of an interface", name)
		}
		if first := slices.Index(d.Interfaces, name); first < i {
			r.fail(key, "%s is listed twice", name)
		}
	}
	r.checkRange("datapath.max_pins", d.MaxPins, 1024, 1<<24)
	if d.BPFFS != "" {
		r.checkPath("datapath.bpffs", d.BPFFS)
	}
}

func (r *report) checkServices(c *Config) {
	if len(c.Services) == 0 {
		r.fail("services", "is missing: at least one service is needed")
	}
	names := map[string]string{}
	sockets := map[netip.AddrPort]string{}
	for i, s := range c.Services {
		key := fmt.Sprintf("services[%d]", i)
		r.checkName(key+".name", s.Name)
		r.checkUnique(names, key+".name", s.Name)
		r.checkOneOf(key+".policy", "services.policy", s.Policy, PolicyProxy, PolicyRedirect, PolicyDirect)
		r.checkListens(sockets, key+".listen", s.Listen)
		if s.Policy == PolicyDirect {
			r.checkDirect(key, &s, c.Workers)
		} else {
			r.checkDomains(key+".domains", s.Domains)
		}
		r.checkServiceWorkers(key, &s, c.Workers)
	}
}

// checkDirect wants what only a service without a control plane can do with.
func (r *report) checkDirect(key string, s *Service, workers []WorkerSpec) {
	if len(s.Domains) > 0 {
		r.fail(key+".domains", "policy direct registers and routes nobody; remove the domains, or say policy: proxy")
	}
	for _, w := range workers {
		if w.Forward == ForwardLocal && s.Serves(w.Name) {
			r.fail(key+".workers", "%s is local, a proxy that takes requests from the control plane alone; with policy direct, name workers that authenticate their callers themselves", w.Name)
		}
	}
	r.checkRange(key+".new_pins_per_source", s.NewPinsPerSource, 1, 1000000)
}

func (r *report) checkServiceWorkers(key string, s *Service, workers []WorkerSpec) {
	for i, name := range s.Workers {
		at := fmt.Sprintf("%s.workers[%d]", key, i)
		if !slices.ContainsFunc(workers, func(w WorkerSpec) bool { return w.Name == name }) {
			r.fail(at, "%q is not the name of a worker in this file", name)
		}
		if slices.Index(s.Workers, name) < i {
			r.fail(at, "%s is listed twice", name)
		}
	}
	r.checkRange(key+".maglev_size", s.MaglevSize, minMaglev, maxMaglev)
	if s.MaglevSize > 0 && !big.NewInt(int64(s.MaglevSize)).ProbablyPrime(0) {
		r.fail(key+".maglev_size", "%d is not a prime number; 65537 is one, and 4099, 16411, 262147 and 1048573", s.MaglevSize)
	}
}

// Bounds of a Maglev table: below, a few workers would not get even shares;
// above, a change of workers would take long.
const (
	minMaglev = 251
	maxMaglev = 1048573
)

func (r *report) checkListens(taken map[netip.AddrPort]string, key string, listens []Listen) {
	if len(listens) == 0 {
		r.fail(key, "is missing: at least one address such as udp://192.0.2.10:5060 is needed")
	}
	for i, l := range listens {
		at := fmt.Sprintf("%s[%d]", key, i)
		if first, again := taken[l.Addr]; again {
			r.fail(at, "%s is listed already, in %s", l, first)
			continue
		}
		taken[l.Addr] = at
		if slices.ContainsFunc(listens[:i], l.sameFamily) {
			r.fail(at, "%s is the second address of its family in this service; make it a service of its own", l)
		}
	}
}

func (r *report) checkDomains(key string, domains []string) {
	if len(domains) == 0 {
		r.fail(key, "is missing: name at least one domain whose users are served here")
	}
	for i, d := range domains {
		at := fmt.Sprintf("%s[%d]", key, i)
		canonical, ok := CanonicalDomain(d)
		if !ok {
			r.fail(at, "%q is neither a domain name nor a literal IP address", d)
			continue
		}
		domains[i] = canonical
		if slices.Index(domains, canonical) < i {
			r.fail(at, "%s is listed twice", canonical)
		}
	}
}

// forwards are the ways to a worker.
var forwards = []string{ForwardLocal, ForwardL2, ForwardIPIP, ForwardGUE}

// needsWorkers tells whether a service hands requests over.
func (c *Config) needsWorkers() bool {
	return slices.ContainsFunc(c.Services, func(s Service) bool { return s.Policy != PolicyRedirect }) || len(c.Services) == 0
}

func (r *report) checkWorkers(workers []WorkerSpec, needed bool) {
	if len(workers) == 0 && needed {
		r.fail("workers", "is missing: at least one worker is needed, such as {name: w1, forward: local}")
	}
	names := map[string]string{}
	addresses := map[netip.Addr]string{}
	for i, w := range workers {
		key := fmt.Sprintf("workers[%d]", i)
		r.checkName(key+".name", w.Name)
		r.checkUnique(names, key+".name", w.Name)
		r.checkRange(key+".weight", w.Weight, 1, 1000)
		if w.Forward == "" {
			r.fail(key+".forward", "is missing; allowed: %s", strings.Join(forwards, ", "))
		}
		r.checkOneOf(key+".forward", "workers.forward", w.Forward, forwards...)
		if w.Forward == ForwardGUE && w.Port == 0 {
			workers[i].Port = DefaultGUEPort
		}
		r.checkOneOf(key+".health", "workers.health", w.Health, HealthOptions, HealthOff)
		r.checkTunnel(key, workers[i])
		r.checkWorkerAddress(addresses, key+".address", w)
	}
}

func (r *report) checkWorkerAddress(taken map[netip.Addr]string, key string, w WorkerSpec) {
	switch w.Forward {
	case ForwardLocal:
		if w.Address.IsValid() {
			r.fail(key, "a local worker runs inside this process and has no address; remove it, or say forward: l2")
		}
	case ForwardL2, ForwardIPIP, ForwardGUE:
		if !w.Address.IsValid() {
			r.fail(key, "is missing: %s needs the literal address of the worker's host", w.Forward)
			return
		}
		if why := notUnicast(w.Address); why != "" {
			r.fail(key, "%s %s", w.Address, why)
			return
		}
		if w.Address.IsLoopback() {
			r.fail(key, "%s is this host; a worker in this process is forward: local", w.Address)
		}
		if first, again := taken[w.Address]; again {
			r.fail(key, "%s is already the address of %s", w.Address, first)
			return
		}
		taken[w.Address] = w.Name
	}
}

func (r *report) checkHealth(h *Health) {
	r.checkDuration("health.interval", h.Interval, 100*time.Millisecond, time.Hour)
	r.checkDuration("health.timeout", h.Timeout, 50*time.Millisecond, time.Minute)
	r.checkRange("health.down", h.Down, 1, 100)
	r.checkRange("health.up", h.Up, 1, 100)
}

func (r *report) checkRegistrar(g *Registrar) {
	const week = 7 * 24 * 3600
	r.checkRange("registrar.min_expires", g.MinExpires, 1, week)
	r.checkRange("registrar.default_expires", g.DefaultExpires, 1, week)
	r.checkRange("registrar.max_expires", g.MaxExpires, 1, week)
	r.checkRange("registrar.max_contacts", g.MaxContacts, 1, 100)
	for i, uri := range g.ServiceRoute {
		rest, ok := strings.CutPrefix(uri, "sip:")
		if _, _, loose := strings.Cut(rest, ";lr"); !ok || !loose || !printable(uri) || strings.ContainsAny(uri, "<>\", ") {
			r.fail(fmt.Sprintf("registrar.service_route[%d]", i), "%q is not the URI of a loose router, such as sip:192.0.2.10;lr", uri)
		}
	}
	if g.MaxExpires < g.MinExpires {
		r.fail("registrar.max_expires", "%d is below min_expires, %d", g.MaxExpires, g.MinExpires)
	} else if g.DefaultExpires < g.MinExpires || g.DefaultExpires > g.MaxExpires {
		r.fail("registrar.default_expires", "%d is not between min_expires, %d, and max_expires, %d", g.DefaultExpires, g.MinExpires, g.MaxExpires)
	}
}

func (r *report) checkAuth(a *Auth) {
	if len(a.Algorithms) == 0 {
		r.fail("auth.algorithms", "is empty: without one nobody could log in; allowed: SHA-256, MD5")
	}
	for i, name := range a.Algorithms {
		key := fmt.Sprintf("auth.algorithms[%d]", i)
		r.checkOneOf(key, "auth.algorithms", name, "SHA-256", "MD5")
		if slices.Index(a.Algorithms, name) < i {
			r.fail(key, "%s is listed twice", name)
		}
	}
	r.checkDuration("auth.nonce_lifetime", a.NonceLifetime, 10*time.Second, 24*time.Hour)
}

func (r *report) checkDialogs(d *DialogTimeouts) {
	r.checkDuration("dialogs.early", d.Early, time.Second, 24*time.Hour)
	r.checkDuration("dialogs.confirmed", d.Confirmed, time.Second, 365*24*time.Hour)
	r.checkDuration("dialogs.ended", d.Ended, time.Second, time.Hour)
}

func (r *report) checkForking(f *Forking) {
	r.checkRange("forking.max_targets", f.MaxTargets, 1, 16)
	r.checkDuration("forking.ring", f.Ring, time.Second, 3*time.Minute)
	if f.Ring%time.Second != 0 {
		r.fail("forking.ring", "%s is not whole seconds", f.Ring)
	}
}

func (r *report) checkRecords(c *Records) {
	if c.File != "" {
		r.checkPath("records.file", c.File)
	}
	r.checkDuration("records.keep", c.Keep, time.Hour, 3650*24*time.Hour)
}

func (r *report) checkStore(c *Config) {
	if notInThisVersion("store", c.Store) {
		r.fail("store", "postgres:// is not in this version; allowed: sqlite:///PATH")
	} else if file, ok := strings.CutPrefix(c.Store, "sqlite://"); !ok {
		r.fail("store", "%q is not a store; allowed: sqlite:///PATH", c.Store)
	} else if !strings.HasPrefix(file, "/") || strings.HasSuffix(file, "/") || !printable(file) || strings.ContainsAny(file, "?#") {
		r.fail("store", "%q does not name a file; three slashes start an absolute path, as in sqlite:///var/lib/sipsteer/sipsteer.db", c.Store)
	}
	r.checkOneOf("location", "location", c.Location, "memory")
	if c.SecretFile != "" {
		r.checkPath("secret_file", c.SecretFile)
	}
}

func (r *report) checkLog(l *Log) {
	r.checkOneOf("log.level", "log.level", l.Level, "debug", "info", "warn", "error")
	r.checkOneOf("log.format", "log.format", l.Format, "text", "json")
}

// checkWorker does the same for a worker's file.
func (r *report) checkWorker(w *Worker) {
	r.checkName("name", w.Name)
	r.checkListens(map[netip.AddrPort]string{}, "listen", w.Listen)
	switch {
	case w.Secret == "" && w.SecretFile == "":
		r.fail("secret_file", "is missing: the worker needs the cluster secret that the balancer's secret_file holds")
	case w.Secret != "" && w.SecretFile != "":
		r.fail("secret_file", "secret is given as well; keep one of the two")
	case w.SecretFile != "":
		r.checkPath("secret_file", w.SecretFile)
	default:
		if err := checkSecret([]byte(w.Secret)); err != nil {
			r.fail("secret", "%v", err)
		}
	}
	if w.API.Listen != "" {
		if _, _, err := SplitListen(w.API.Listen); err != nil {
			r.fail("api.listen", "%v", err)
		}
	}
	r.checkLog(&w.Log)
}

// checkPath wants a clean absolute path: a relative one would depend on where
// the daemon was started.
func (r *report) checkPath(key, p string) {
	if !path.IsAbs(p) || !printable(p) {
		r.fail(key, "%q is not an absolute path", p)
	}
}
