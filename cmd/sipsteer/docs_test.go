// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A command that a page shows has to be one the program takes.
func TestCommandsInThePagesAreAccepted(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)(?:^    |` + "`" + `)(?:sudo )?(?:bin/)?sipsteer ([a-z][^#` + "`" + `\n]*)`)
	found := 0
	for _, page := range append(pages, "../../README.md") {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range shown.FindAllStringSubmatch(string(data), -1) {
			found++
			if err := accepts(strings.Fields(m[1])); err != nil {
				t.Errorf("%s: sipsteer %s: %v", page, m[1], err)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d commands found in the pages", found)
	}
}

// accepts checks a command line without running it.
func accepts(args []string) error {
	cmd, rest, err := newRoot().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

func TestAWrongCommandInAPageWouldBeNoticed(t *testing.T) {
	for _, line := range []string{"stat", "users ad x", "status --jsno", "workers drain", "status now"} {
		if accepts(strings.Fields(line)) == nil {
			t.Errorf("sipsteer %s is accepted", line)
		}
	}
}
