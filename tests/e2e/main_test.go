// SPDX-License-Identifier: Apache-2.0

// Package e2e runs the real sipsteer in network namespaces, between real user agents and workers, and holds it to what
// it promises. It needs root.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaryName is where TestMain puts the program under test, in a folder that the environment names.
const binaryName = "sipsteer"

// binaryEnv names that folder for the tests; TestMain sets it.
const binaryEnv = "SIPSTEER_E2E_BIN"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Println("e2e: skipped, network namespaces need root")
		if os.Getenv("CI") != "" {
			return 1 // all skipped is not green
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "sipsteer-e2e-")
	if err != nil {
		fmt.Println("e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Everybody may run it: one test does so without privileges.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Println("e2e:", err)
		return 1
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, binaryName), "../../cmd/sipsteer").CombinedOutput()
	if err != nil {
		fmt.Printf("e2e: building sipsteer: %v\n%s", err, out)
		return 1
	}
	os.Setenv(binaryEnv, dir)
	return m.Run()
}

// binary is the path of the program under test.
func binary() string { return filepath.Join(os.Getenv(binaryEnv), binaryName) }
