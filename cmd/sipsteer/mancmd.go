// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes the manual pages; packages run it, people seldom do.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages, one a command, to a directory",
		Hidden: true,
		Args:   exactly("DIRECTORY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("making the directory: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			date := time.Time{}
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "sipsteer " + version, Manual: "sipsteer", Date: &date}, args[0]); err != nil {
				return fmt.Errorf("writing manual pages: %w", err)
			}
			return nil
		},
	}
}
