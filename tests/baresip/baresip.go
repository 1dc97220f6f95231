// SPDX-License-Identifier: Apache-2.0

// Package baresip runs the softphone baresip on a host of the lab, without sound devices, and drives it over its
// control socket.
package baresip

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

// modulesPath is where Debian's baresip-core puts its modules.
const modulesPath = "/usr/lib/baresip/modules"

const configText = `poll_method epoll
sip_listen %s
audio_player aufile,%s
audio_source aufile,%s
audio_alert aufile,%s
module_path %s
module g711.so
module aufile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen %s
`

// Phone is a running baresip with one account.
type Phone struct {
	proc   *netns.Process
	conn   net.Conn
	events chan Event
}

// Event is one thing that baresip reports, such as CALL_ESTABLISHED.
type Event struct {
	Type  string `json:"type"`
	Class string `json:"class"`
	Param string `json:"param"`
}

// Start starts baresip for user@domain on a host's own address. It sends everything to proxy and registers. Its
// files go to a new folder under dir.
func Start(h *netns.Host, dir string, local netip.AddrPort, proxy netip.AddrPort, user, domain, password string) (*Phone, error) {
	work, err := os.MkdirTemp(dir, "baresip-"+user+"-")
	if err != nil {
		return nil, fmt.Errorf("making baresip's folder: %w", err)
	}
	control := netip.AddrPortFrom(local.Addr(), 4444)
	spoken, heard := filepath.Join(work, "spoken.wav"), filepath.Join(work, "heard.wav")
	account := fmt.Sprintf("<sip:%s@%s>;auth_user=%s;auth_pass=%s;outbound=\"sip:%s\";regint=600\n",
		user, domain, user, password, proxy)
	for name, text := range map[string]string{
		"config":     fmt.Sprintf(configText, local, heard, spoken, heard, modulesPath, control),
		"accounts":   account,
		"contacts":   "",
		"spoken.wav": silence(),
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("configuring baresip: %w", err)
		}
	}
	proc, err := h.Start(netns.Command{Path: "baresip", Args: []string{"-f", work}, Dir: work})
	if err != nil {
		return nil, err
	}
	p := &Phone{proc: proc, events: make(chan Event, 100)}
	if err := p.connect(h, control); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, proc.Output())
	}
	return p, nil
}

// silence is a WAV file of 30 seconds, 8000 samples a second of 16 bits, one channel. A call ends when the file does.
func silence() string {
	const rate, size = 8000, 30 * 16000
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 36+size)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16) // length of the format chunk
	b = binary.LittleEndian.AppendUint16(b, 1)  // PCM
	b = binary.LittleEndian.AppendUint16(b, 1)  // channels
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, 2*rate)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, size)
	return string(append(b, make([]byte, size)...))
}

func (p *Phone) connect(h *netns.Host, control netip.AddrPort) error {
	var err error
	for range 100 {
		err = h.Do(func() (err error) {
			p.conn, err = net.Dial("tcp", control.String())
			return err
		})
		if err == nil {
			go p.read()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("reaching baresip's control socket: %w", err)
}

// read takes netstrings of JSON from the control socket until it closes.
func (p *Phone) read() {
	defer close(p.events)
	in := bufio.NewReader(p.conn)
	for {
		length, err := in.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
		if err != nil {
			return
		}
		text := make([]byte, n+1) // and the closing comma
		if _, err := io.ReadFull(in, text); err != nil {
			return
		}
		var e Event
		if json.Unmarshal(text[:n], &e) == nil && e.Type != "" {
			p.events <- e
		}
	}
}

// Do sends a command of baresip's menu, such as dial with a URI.
func (p *Phone) Do(command, params string) error {
	b, err := json.Marshal(map[string]string{"command": command, "params": params})
	if err != nil {
		return fmt.Errorf("commanding baresip: %w", err)
	}
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(b), b); err != nil {
		return fmt.Errorf("commanding baresip: %w", err)
	}
	return nil
}

// WaitRegistered waits until the registrar has accepted the phone, which may be before the control socket opens.
func (p *Phone) WaitRegistered(timeout time.Duration) error {
	return p.proc.WaitOutput("200 OK", timeout)
}

// WaitEvent waits for an event of that type and drops those before it.
func (p *Phone) WaitEvent(name string, timeout time.Duration) (Event, error) {
	deadline := time.After(timeout)
	var seen []string
	for {
		select {
		case e, ok := <-p.events:
			if !ok {
				return Event{}, fmt.Errorf("baresip ended before %s\n%s", name, p.proc.Output())
			}
			if e.Type == name {
				return e, nil
			}
			seen = append(seen, e.Type+" "+e.Param)
		case <-deadline:
			return Event{}, fmt.Errorf("baresip: no %s within %s; it reported %q\n%s", name, timeout, seen, p.proc.Output())
		}
	}
}

// Stop ends baresip.
func (p *Phone) Stop() {
	p.conn.Close()
	p.proc.Kill()
}
