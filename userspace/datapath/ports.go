// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"net/netip"

	"github.com/cilium/ebpf"
)

// The map service_ports holds a bit for each port, in network order; see bpf/include/maps.h.
const bitsOfPorts = 64

func openPort(m *ebpf.Map, port uint16) error {
	word := uint32(port) / bitsOfPorts
	var bits uint64
	if err := m.Lookup(word, &bits); err != nil {
		return err
	}
	return m.Put(word, bits|1<<(port%bitsOfPorts))
}

// closePorts takes away the bits of ports that no service wanted has.
func closePorts(m *ebpf.Map, wanted map[netip.AddrPort]Service) error {
	open := make([]uint64, m.MaxEntries())
	for addr := range wanted {
		port := networkOrder(addr.Port())
		open[port/bitsOfPorts] |= 1 << (port % bitsOfPorts)
	}
	for word, bits := range open {
		var is uint64
		if err := m.Lookup(uint32(word), &is); err != nil {
			return err
		}
		if is == bits {
			continue
		}
		if err := m.Put(uint32(word), bits); err != nil {
			return err
		}
	}
	return nil
}
