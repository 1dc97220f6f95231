// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// minSecret is the shortest cluster secret accepted, in bytes.
const minSecret = 16

// ReadSecret returns the content of a secret_file without the blanks around
// it. It refuses a file that every user of the host can read, and one with
// fewer than 16 bytes.
func ReadSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster secret: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("reading the cluster secret: %s is open to every user of this host; chmod 600 %s", path, path)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster secret: %w", err)
	}
	secret := bytes.TrimSpace(data)
	if err := checkSecret(secret); err != nil {
		return nil, fmt.Errorf("reading the cluster secret: %s: %w", path, err)
	}
	return secret, nil
}

// ClusterSecret returns the secret the file gives or points to.
func (w *Worker) ClusterSecret() ([]byte, error) {
	if w.SecretFile != "" {
		return ReadSecret(w.SecretFile)
	}
	return bytes.TrimSpace(w.Secret.Reveal()), nil
}

func checkSecret(secret []byte) error {
	if len(bytes.TrimSpace(secret)) < minSecret {
		return errors.New("the secret has fewer than 16 bytes; make one with: openssl rand -hex 32")
	}
	return nil
}
