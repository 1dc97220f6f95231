// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Read calls fn with each message in a file: the one that a raw file is, or those in a capture (pcap or pcapng, told by
// its first bytes). wanted says which datagrams of a capture count beside those that look like SIP. It returns how many
// packets of a capture were no message. An error names what cannot be read; fn's own error ends it and is returned.
func Read(name string, r io.Reader, wanted func(Packet) bool, fn func(Packet) error) (skipped int, err error) {
	b := bufio.NewReaderSize(r, 1<<16)
	switch magic, _ := b.Peek(4); {
	case bytes.Equal(magic, []byte{0x0a, 0x0d, 0x0d, 0x0a}):
		return readCapture(name, newNG, b, wanted, fn)
	case isPcap(magic):
		return readCapture(name, newPcap, b, wanted, fn)
	}
	payload, err := io.ReadAll(io.LimitReader(b, MaxPayload+1))
	if err != nil {
		return 0, err
	}
	if len(payload) > MaxPayload {
		return 0, fmt.Errorf("neither a capture nor a message: longer than the %d bytes of a UDP datagram", MaxPayload)
	}
	return 0, fn(Packet{File: name, Payload: payload})
}

// isPcap knows both byte orders, with micro- and nanoseconds.
func isPcap(magic []byte) bool {
	switch string(magic) {
	case "\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1", "\xa1\xb2\x3c\x4d", "\x4d\x3c\xb2\xa1":
		return true
	}
	return false
}

// captured is a packet as it stands in a capture.
type captured struct {
	data  []byte
	link  layers.LinkType
	short bool // not all of it was captured
}

// capture gives one packet after the other.
type capture func() (captured, error)

func newPcap(r io.Reader) (capture, error) {
	p, err := pcapgo.NewReader(r)
	if err != nil {
		return nil, err
	}
	return func() (captured, error) {
		data, info, err := p.ReadPacketData()
		return captured{data, p.LinkType(), info.CaptureLength < info.Length}, err
	}, nil
}

func newNG(r io.Reader) (capture, error) {
	p, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
	if err != nil {
		return nil, err
	}
	return func() (captured, error) {
		data, info, err := p.ReadPacketData()
		return captured{data, linkOf(info), info.CaptureLength < info.Length}, err
	}, nil
}

func linkOf(info gopacket.CaptureInfo) layers.LinkType {
	if len(info.AncillaryData) > 0 {
		if link, ok := info.AncillaryData[0].(layers.LinkType); ok {
			return link
		}
	}
	return layers.LinkTypeEthernet
}

func readCapture(name string, open func(io.Reader) (capture, error), r io.Reader, wanted func(Packet) bool, fn func(Packet) error) (skipped int, err error) {
	next, err := open(r)
	if err != nil {
		return 0, fmt.Errorf("reading the capture: %w", err)
	}
	parts := assembler{}
	for number := 1; ; number++ {
		c, err := next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return skipped, nil
		}
		if err != nil {
			return skipped, fmt.Errorf("reading packet %d of the capture: %w", number, err)
		}
		frame, err := ethernet(c.data, c.link)
		if err != nil {
			return skipped, fmt.Errorf("packet %d of the capture: %w", number, err)
		}
		p, ok := dissect(frame, parts, number)
		if !ok || !p.Incomplete && !looksLikeSIP(p.Payload) && !wanted(p) {
			skipped++
			continue
		}
		p.File, p.Short = name, c.short
		if err := fn(p); err != nil {
			return skipped, err
		}
	}
}

// looksLikeSIP tells whether the first line names the protocol.
func looksLikeSIP(payload []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(payload, "\r\n"), []byte{'\n'})
	return bytes.Contains(bytes.ToUpper(line), []byte("SIP/"))
}
