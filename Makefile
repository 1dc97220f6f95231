# SPDX-License-Identifier: Apache-2.0

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)
BINARY  := bin/sipsteer

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
C_SOURCES    = $(wildcard bpf/*.c bpf/include/*.h tests/bench/*/*.c)
SCRIPTS      = $(wildcard scripts/*.sh) .ci/run deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm
UNIT         = $$($(GO) list ./... | grep -v /tests/)
GENERATED    = '*_bpfel.go' '*_bpfel.o'

.DEFAULT_GOAL := help
.PHONY: help build deb run demo test test-packages race lint generate check-generate bench kernels fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/sipsteer; needs Go and make only
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/sipsteer

deb: build ## build bin/sipsteer_VERSION_ARCH.deb (needs dpkg-deb)
	@scripts/deb.sh

run: build ## build and run on 127.0.0.1:5060 with two demo users (root: with XDP on lo)
	$(BINARY) run

demo: build ## show a whole site in network namespaces, with calls through it (root)
	$(GO) run ./tests/demo

test: test-packages ## install what the tests need and run them all (root: also in the kernel and end to end)
	@if [ "$$(id -u)" != 0 ]; then \
		echo 'not root: tests of the kernel program, network namespaces and end-to-end calls are skipped'; fi
	@status=0; \
	if [ "$$(id -u)" = 0 ] && command -v dpkg-query >/dev/null; then export CI=true; fi; \
	$(GO) test -count=1 -timeout 15m $(UNIT) || status=1; \
	$(GO) test -count=1 -timeout 15m -p 1 ./tests/... || status=1; \
	exit $$status

test-packages: ## install the Debian packages that tests and generate need, if any is missing
	@scripts/test-packages.sh

race: ## run the unit tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 15m $(UNIT)

lint: ## gofmt, go vet, staticcheck, clang-format, shellcheck
	@files=$$(gofmt -l bpf cmd ctrl tests userspace); \
	if [ -n "$$files" ]; then echo "gofmt -w would change:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	clang-format-19 --dry-run -Werror $(C_SOURCES)
	shellcheck $(SCRIPTS)

generate: ## rebuild the committed BPF objects and bindings (needs clang-19 and llvm-19)
	$(GO) generate ./...

check-generate: generate ## fail when the committed BPF objects are not what generate makes
	@changed=$$(git status --porcelain -- $(GENERATED)); \
	if [ -n "$$changed" ]; then \
		echo 'the committed BPF objects are stale: run make generate and commit the result'; \
		echo "$$changed"; exit 1; fi

kernels: test-packages ## boot Linux 6.1 and 6.12 under qemu: load every BPF program, run the kernel tests, print verifier figures
	$(GO) run ./tests/kernels

bench: build ## measure the datapath, alone and against Kamailio, and print tables (root)
	$(GO) run ./tests/bench/kernel
	$(GO) run ./tests/bench

N      ?= 1000000
CORPUS ?= ../shared/corpus/*/messages/*
fuzz: ## hold kernel, twin and a plain parser against each other on N random packets (root; else without the kernel)
	$(GO) run ./tests/fuzz -n $(N) -corpus '$(CORPUS)' $(if $(SEED),-seed $(SEED))

clean: ## remove what build made
	rm -rf bin
