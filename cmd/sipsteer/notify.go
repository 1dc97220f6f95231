// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"os"
)

// notifyReady tells systemd (Type=notify) that the daemon serves; it does
// nothing when systemd did not start it.
func notifyReady() error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	// A leading @ means an abstract socket, which net understands.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte("READY=1"))
	return errors.Join(err, conn.Close())
}
