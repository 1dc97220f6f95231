// SPDX-License-Identifier: Apache-2.0

// Package arch holds the repository to the shape that docs/architecture.md
// describes.
package arch

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/sipsteer/sipsteer/"
	ebpf   = "github.com/cilium/ebpf"
)

// pure are the packages of user space that ctrl may use: they hold no packet
// path, and of transport only its plain types are meant.
var pure = []string{"userspace/handover", "userspace/sip", "userspace/steer", "userspace/token", "userspace/transport"}

// forbidden says why a file in folder may not import path, or "". Both are
// slash paths, path as it stands in the import.
func forbidden(folder, path string, isTest bool) string {
	ours, isOurs := strings.CutPrefix(path, module)
	switch {
	case isOurs && under(folder, "bpf") && !isTest:
		return "bpf imports nothing of ours"
	case isOurs && under(folder, "userspace") && (under(ours, "ctrl") || under(ours, "cmd")):
		return "user space does not know the control plane"
	case isOurs && under(folder, "ctrl") && under(ours, "cmd"):
		return "only main programs are in cmd"
	case isOurs && under(folder, "ctrl") && !isTest && under(ours, "bpf"),
		isOurs && under(folder, "ctrl") && !isTest && under(ours, "userspace") && !anyUnder(ours, pure):
		return "ctrl reaches packets through interfaces it declares, and imports only " + strings.Join(pure, ", ")
	case isOurs && under(ours, "tests") && !under(folder, "tests") && !isTest:
		return "the product does not import its tests"
	case under(path, ebpf) && !isTest && !anyUnder(folder, []string{"bpf", "userspace/datapath", "tests"}):
		return "only userspace/datapath touches the kernel's maps"
	}
	return ""
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func anyUnder(path string, folders []string) bool {
	for _, f := range folders {
		if under(path, f) {
			return true
		}
	}
	return false
}

func TestImportsRunOneWay(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return checkFile(t, path, filepath.ToSlash(rel))
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("only %d Go files found: the walk looks in the wrong place", files)
	}
}

func checkFile(t *testing.T, path, rel string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	folder, isTest := filepath.ToSlash(filepath.Dir(rel)), strings.HasSuffix(rel, "_test.go")
	for _, imp := range parsed.Imports {
		target, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return errors.New(rel + ": " + err.Error())
		}
		if why := forbidden(folder, target, isTest); why != "" {
			t.Errorf("%s imports %s: %s", rel, target, why)
		}
	}
	return nil
}

func TestTheRulesForbidWhatTheyShould(t *testing.T) {
	tests := []struct {
		folder, path string
		isTest, want bool
	}{
		{"bpf", module + "userspace/steer", false, true},
		{"bpf", ebpf, false, false},
		{"userspace/forward", module + "ctrl/pool", false, true},
		{"userspace/forward", module + "ctrl/pool", true, true},
		{"userspace/forward", module + "userspace/sip", false, false},
		{"userspace/forward", ebpf + "/link", false, true},
		{"userspace/datapath", ebpf + "/link", false, false},
		{"ctrl/chain", module + "userspace/steer", false, false},
		{"ctrl/chain", module + "userspace/datapath", false, true},
		{"ctrl/chain", module + "userspace/forward", true, false},
		{"ctrl/chain", module + "userspace/forward", false, true},
		{"ctrl/chain", module + "bpf", false, true},
		{"ctrl/pool", ebpf, false, true},
		{"cmd/sipsteer", module + "userspace/datapath", false, false},
		{"cmd/sipsteer", module + "tests/netns", false, true},
		{"tests/bench/kernel", ebpf, false, false},
	}
	for _, tt := range tests {
		if why := forbidden(tt.folder, tt.path, tt.isTest); (why != "") != tt.want {
			t.Errorf("%s imports %s (test %v): forbidden %q, want %v", tt.folder, tt.path, tt.isTest, why, tt.want)
		}
	}
}
