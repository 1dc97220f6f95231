// SPDX-License-Identifier: Apache-2.0

package config

import "strings"

// notInThisVersion names the values that the file format has and this version
// of sipsteer does not act on. Take a line out when its feature arrives, and
// add the value to the list that the check of the key allows.
func notInThisVersion(field, value string) bool {
	switch field {
	case "auth.algorithms":
		return value == "SHA-512-256"
	case "store":
		return strings.HasPrefix(value, "postgres://") || strings.HasPrefix(value, "postgresql://")
	case "location":
		return strings.HasPrefix(value, "redis://") || strings.HasPrefix(value, "valkey://")
	}
	return false
}
