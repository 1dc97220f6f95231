// SPDX-License-Identifier: Apache-2.0

// Package bpf holds the kernel datapath: its C source, the compiled object and the Go bindings made from it.
//
// The object is committed, so that building sipsteer needs no compiler for BPF. After a change in C run go generate
// with clang-19 and llvm-strip-19 installed; the output is the same in every checkout.
package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package bpf -cc clang-19 -strip llvm-strip-19 -target bpfel -type outcome -type service_kind -type service_key -type service -type forward -type worker -type vlan_tag -type method -type pin_state -type pin_key -type pin -type call_info -type note_args -type merge_args -type policy -type direct_args -type prefix_rule -type prefix_key -type source -type rate -type bucket -type policy_table -type source_policy -type charge -type charge_args Steer steer.bpf.c -- -mcpu=v3 -O2 -g -Wall -Wextra -Werror -fno-strict-aliasing -nostdinc

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package bpf -cc clang-19 -strip llvm-strip-19 -target bpfel -type decap_outcome -type address -type prefix Decap decap.bpf.c -- -mcpu=v3 -O2 -g -Wall -Wextra -Werror -fno-strict-aliasing -nostdinc
