// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/explain"
)

// printExplanation writes one message as a block: a heading, then a line for each thing that is known.
func printExplanation(w io.Writer, x *explain.Explanation) error {
	var b strings.Builder
	b.WriteString(plain(x.File))
	if x.Packet > 0 {
		fmt.Fprintf(&b, " packet %d, %s to %s", x.Packet, x.Source, x.Destination)
	}
	b.WriteString("\n")
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", name, value)
		}
	}
	line("message", messageLine(x))
	line("verdict", verdictLine(x))
	line("why", wrap(x.Reason))
	line("Call-ID", orNone(x.CallID))
	line("key", x.Key)
	line("worker", workerLine(x))
	line("hint", x.Hint)
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks a text into lines that stand below each other in a block.
func wrap(text string) string {
	const width = 88
	var b strings.Builder
	n := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && n+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", 11))
			n = 0
		case i > 0:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String()
}

func messageLine(x *explain.Explanation) string {
	tag := ", no To tag"
	if x.ToTag != "" {
		tag = ", To tag " + x.ToTag
	}
	switch {
	case x.Status != 0:
		return fmt.Sprintf("response %d%s", x.Status, tag)
	case x.Method != "":
		return x.Method + tag
	}
	return "none that can be read"
}

func verdictLine(x *explain.Explanation) string {
	switch {
	case x.Kernel == "":
		return x.Twin + " (twin)"
	case x.Agree():
		return x.Kernel + " (kernel and twin)"
	}
	return fmt.Sprintf("!!! KERNEL AND TWIN DISAGREE !!! kernel %s, twin %s", x.Kernel, x.Twin)
}

func workerLine(x *explain.Explanation) string {
	if x.Worker == "" {
		return ""
	}
	return fmt.Sprintf("%s (pin: %s)", x.Worker, x.State)
}

func orNone(s string) string {
	if s == "" {
		return "none to use"
	}
	return s
}

// plainPathError leaves out the path that the line names already.
func plainPathError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
