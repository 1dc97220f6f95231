// SPDX-License-Identifier: Apache-2.0

package main

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package main -cc clang-19 -strip llvm-strip-19 -target bpfel -type vip_key -type flow -type real Reference reference.bpf.c -- -mcpu=v3 -O2 -g -Wall -Wextra -Werror -fno-strict-aliasing -nostdinc
