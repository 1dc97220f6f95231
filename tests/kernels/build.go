// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// build makes what runs inside: the first process, every compiled BPF object of the repository, and the tests with their
// data, each where guest/main.go looks for it.
func build(dir string) ([]entry, error) {
	entries := []entry{}
	add := func(name, file string) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		entries = append(entries, entry{name, data})
		return nil
	}
	init := filepath.Join(dir, "init")
	if err := compile("build", "-o", init, "./tests/kernels/guest"); err != nil {
		return nil, err
	}
	if err := add("init", init); err != nil {
		return nil, err
	}
	for _, pkg := range testPackages {
		binary := filepath.Join(dir, "test")
		if err := compile("test", "-c", "-o", binary, pkg); err != nil {
			return nil, err
		}
		if err := add(path.Join("tests", pkg, "run.test"), binary); err != nil {
			return nil, err
		}
	}
	return entries, walkFiles(func(file string) error { return add(inGuest(file), file) })
}

// walkFiles calls fn for each file of the repository that goes inside as it is.
func walkFiles(fn func(file string) error) error {
	return filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || inGuest(file) == "":
			return nil
		}
		return fn(file)
	})
}

// inGuest is where a file of the repository stands in the guest, or "" when it does not go there.
func inGuest(file string) string {
	if strings.HasSuffix(file, "_bpfel.o") {
		return path.Join("objects", strings.ReplaceAll(file, "/", "+"))
	}
	for _, pkg := range testPackages {
		if strings.HasPrefix(file, path.Join(pkg, "testdata")+"/") {
			return path.Join("tests", file)
		}
	}
	return ""
}

func compile(verb string, args ...string) error {
	cmd := exec.Command("go", append([]string{verb, "-trimpath", "-ldflags", "-s -w"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s %s: %w\n%s", verb, args[len(args)-1], err, out.Bytes())
	}
	return nil
}
