// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sipsteer/sipsteer/ctrl/config"
)

// BannerInfo is what a person needs to try out a daemon that just started.
type BannerInfo struct {
	Version string
	Listen  []string // such as 127.0.0.1:5060
	Domain  string
	Users   []demoUser
	API     string // such as http://127.0.0.1:8060
	Mode    string // the mode in effect: native, generic or off
	Why     string // why XDP is not used, or ""
	Links   []string
}

func bannerInfo(cfg *config.Config, users []demoUser, r readyInfo) BannerInfo {
	b := BannerInfo{
		Version: version,
		Domain:  cfg.Services[0].Domains[0], // the embedded config's: it has one
		Users:   users,
		API:     "http://" + cfg.API.Listen,
		Mode:    r.Mode,
		Why:     r.Why,
		Links:   cfg.Datapath.Interfaces,
	}
	for _, s := range cfg.Services {
		for _, l := range s.Listen {
			b.Listen = append(b.Listen, l.Addr.String())
		}
	}
	return b
}

// printBanner tells a person where to point a softphone and where to look.
func printBanner(w io.Writer, b BannerInfo) {
	fmt.Fprintf(w, "\nsipsteer %s is running.\n\n", b.Version)
	fmt.Fprintf(w, "  %-12s %s\n", "datapath", bannerDatapath(b))
	fmt.Fprintf(w, "  %-12s %s over UDP\n", "SIP", strings.Join(b.Listen, ", "))
	fmt.Fprintf(w, "  %-12s %s/v1/status, described in %s/openapi.json\n", "API", b.API, b.API)
	fmt.Fprintf(w, "  %-12s %s/metrics\n", "metrics", b.API)
	if len(b.Users) > 0 {
		fmt.Fprintf(w, "\nPoint two softphones on this machine at it:\n\n")
		fmt.Fprintf(w, "  %-12s %s, transport UDP, domain %s\n", "server", strings.Join(b.Listen, ", "), b.Domain)
		for _, u := range b.Users {
			name, _, _ := strings.Cut(u.AOR, "@")
			fmt.Fprintf(w, "  %-12s user %s, password %s\n", "sip:"+u.AOR, name, u.Password)
		}
	}
	fmt.Fprintf(w, "\nLook at it with: sipsteer status. Stop it with Ctrl-C.\n\n")
}

func bannerDatapath(b BannerInfo) string {
	if b.Mode != config.ModeOff {
		return b.Mode + " XDP on " + strings.Join(b.Links, ", ")
	}
	if b.Why != "" {
		why, _, _ := strings.Cut(b.Why, ";") // the way out is in the log
		return "XDP is not available (" + why + "); using the user-space twin"
	}
	return "user-space twin, without XDP"
}
