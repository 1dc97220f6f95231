// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"strings"
)

// Escape makes any bytes readable in one way only: printable ASCII as it is, a backslash as \\, all else as \xNN.
func Escape(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		switch {
		case c == '\\':
			s.WriteString(`\\`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&s, `\x%02x`, c)
		default:
			s.WriteByte(c)
		}
	}
	return s.String()
}
