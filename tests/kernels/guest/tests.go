// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// maySkip is the one test that may: its messages lie beside the repository on some machines.
const maySkip = "TestKernelAndTwinAgreeOnTheTortureMessages"

// runTests runs a test program and reports how many tests passed. A skipped one is a failure: everything that the others
// need is here. What they print is shown only when they fail, for the console is slow.
func runTests(file string) error {
	cmd := exec.Command(file, "-test.v", "-test.timeout=4m")
	cmd.Dir = filepath.Dir(file)
	cmd.Env = []string{"PATH=/", "HOME=/tmp", "CI=true"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	passed, skipped, others := count(out.String())
	if err == nil && skipped > 0 {
		err = fmt.Errorf("%d tests were skipped", skipped)
	}
	if err != nil {
		fmt.Println(strings.Join(others, "\n"))
		return err
	}
	say("tests", fmt.Sprint(passed))
	return nil
}

// count tells tests that passed and that were skipped from everything else worth reading.
func count(output string) (passed, skipped int, others []string) {
	for line := range strings.Lines(output) {
		words := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(words, "--- PASS"):
			passed++
			continue
		case words == "PASS" || strings.HasPrefix(words, "=== "):
			continue
		case strings.HasPrefix(words, "--- SKIP") && !strings.HasPrefix(words, "--- SKIP: "+maySkip+" "):
			skipped++
		}
		others = append(others, strings.TrimRight(line, "\n"))
	}
	return passed, skipped, others
}
