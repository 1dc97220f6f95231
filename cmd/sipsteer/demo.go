// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// demoUser is an account of the embedded config.
type demoUser struct {
	AOR      string // alice@127.0.0.1
	Password string
}

// demoFile holds "USER PASSWORD" lines in the state directory.
const demoFile = "demo-users"

// demoUsers returns accounts for names at domain. Their passwords are random
// and kept in dir, so that a softphone set up once goes on working.
func demoUsers(dir, domain string, names ...string) ([]demoUser, error) {
	path := filepath.Join(dir, demoFile)
	known, err := readDemo(path)
	if err != nil {
		return nil, fmt.Errorf("reading the demo passwords: %w", err)
	}
	var users []demoUser
	var lines strings.Builder
	for _, name := range names {
		if known[name] == "" {
			known[name] = strings.ToLower(rand.Text()[:12]) // 60 bits
		}
		users = append(users, demoUser{AOR: name + "@" + domain, Password: known[name]})
		fmt.Fprintf(&lines, "%s %s\n", name, known[name])
	}
	if err := writeDemo(path, lines.String()); err != nil {
		return nil, fmt.Errorf("keeping the demo passwords: %w", err)
	}
	return users, nil
}

func readDemo(path string) (map[string]string, error) {
	known := map[string]string{}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		if name, password, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			known[name] = password
		}
	}
	return known, nil
}

// writeDemo replaces the file as a whole, readable by its owner alone.
func writeDemo(path, content string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), demoFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	if _, err := tmp.WriteString(content); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
