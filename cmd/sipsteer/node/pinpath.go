// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/userspace/datapath"
)

// pinRoot holds the directories of nodes whose config names none.
const pinRoot = "/sys/fs/bpf/sipsteer"

// Detach removes what a daemon that is gone left attached and pinned.
func Detach(cfg *config.Config) error {
	err := datapath.Remove(PinPath(cfg))
	_ = os.Remove(pinRoot) // stays while another node has pins there
	return err
}

// PinPath is the directory for pinned maps and links: the config's, or one by the
// node's name. The bpf file system is shared by all network namespaces while
// interfaces are not, so a node that is not known to be in the host's own adds
// its namespace's number.
func PinPath(cfg *config.Config) string {
	if cfg.Datapath.BPFFS != "" {
		return cfg.Datapath.BPFFS
	}
	// The bpf file system allows no dots in names.
	path := pinRoot + "/" + strings.ReplaceAll(cfg.Node, ".", "_")
	mine, ok := namespace("/proc/self/ns/net")
	if first, okFirst := namespace("/proc/1/ns/net"); ok && !(okFirst && mine == first) {
		path += fmt.Sprintf("-ns%d", mine)
	}
	return path
}

func namespace(path string) (inode uint64, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Ino, true
}
