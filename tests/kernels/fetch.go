// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// modules are those that the tests need and a cloud kernel does not have built in, in the order of loading.
var modules = []string{"veth"}

// kernel is an unpacked one.
type kernel struct {
	image   string  // a file
	modules []entry // compressed, as the package has them, or not
}

// fetch returns a kernel of a version from the user's cache, which it fills from Debian where that has a newer package.
func fetch(version string) (kernel, error) {
	name, err := newest(version)
	if err != nil {
		return kernel{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return kernel{}, fmt.Errorf("finding the user's cache: %w", err)
	}
	dir := filepath.Join(cache, "sipsteer", "kernels", name)
	if _, err := os.Stat(dir); err != nil {
		if err := download(name, dir); err != nil {
			return kernel{}, err
		}
	}
	k := kernel{image: filepath.Join(dir, "vmlinuz")}
	for i, m := range modules {
		data, err := os.ReadFile(filepath.Join(dir, m))
		if err != nil {
			return kernel{}, fmt.Errorf("%w; remove %s to fetch it again", err, dir)
		}
		k.modules = append(k.modules, entry{fmt.Sprintf("modules/%d-%s", i, m), data})
	}
	return k, nil
}

// newest asks apt for the package with the highest patch level. Where apt knows of none, its lists may just be missing.
func newest(version string) (string, error) {
	for _, refresh := range []bool{false, true} {
		if refresh {
			if _, err := command("", "apt-get", "update", "-qq"); err != nil {
				break
			}
		}
		names, err := command("", "apt-cache", "pkgnames", "linux-image-"+version+".")
		if err != nil {
			return "", fmt.Errorf("asking for kernel packages, which takes Debian: %w", err)
		}
		if name := highest(version, strings.Fields(names)); name != "" {
			return name, nil
		}
	}
	return "", fmt.Errorf("apt has no package linux-image-%s.*-cloud-amd64: add the suite that has it to apt's sources "+
		"(Debian 12 with bookworm-security, or bookworm-backports for 6.12) and run apt-get update", version)
}

// highest picks the name with the highest version among the signed cloud kernels.
func highest(version string, names []string) string {
	cloud := regexp.MustCompile(`^linux-image-` + regexp.QuoteMeta(version) + `\.\d[0-9a-z.+~-]*-cloud-amd64$`)
	best := ""
	for _, n := range names {
		if cloud.MatchString(n) && (best == "" || newer(n, best)) {
			best = n
		}
	}
	return best
}

// newer compares the runs of digits of two names as numbers, from the left.
func newer(a, b string) bool {
	digits := regexp.MustCompile(`\d+`)
	as, bs := digits.FindAllString(a, -1), digits.FindAllString(b, -1)
	for i := range min(len(as), len(bs)) {
		if len(as[i]) != len(bs[i]) {
			return len(as[i]) > len(bs[i])
		}
		if as[i] != bs[i] {
			return as[i] > bs[i]
		}
	}
	return len(as) > len(bs)
}

// download fetches a package and keeps of it what boots, in dir. Nothing of it is installed.
func download(name, dir string) error {
	work := dir + ".part"
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return fmt.Errorf("making room for %s: %w", name, err)
	}
	defer os.RemoveAll(work)
	if _, err := command(work, "apt-get", "download", "-qq", name); err != nil {
		// The lists may be older than the archive.
		if _, updateErr := command("", "apt-get", "update", "-qq"); updateErr != nil {
			return err
		}
		if _, err := command(work, "apt-get", "download", "-qq", name); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("downloading %s: %d packages arrived", name, len(packages))
	}
	if err := unpack(packages[0], work); err != nil {
		return fmt.Errorf("unpacking %s: %w", name, err)
	}
	if err := errors.Join(os.Remove(packages[0]), os.Rename(work, dir)); err != nil {
		return fmt.Errorf("keeping %s: %w", name, err)
	}
	return nil
}

// unpack writes image and modules of a package into dir.
func unpack(deb, dir string) error {
	cmd := exec.Command("dpkg-deb", "--fsys-tarfile", deb)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	found, err := pick(tar.NewReader(pipe), dir)
	if err != nil {
		_ = cmd.Process.Kill()
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return err
	}
	if found != 1+len(modules) {
		return fmt.Errorf("of vmlinuz, %s only %d are there", strings.Join(modules, ", "), found)
	}
	return nil
}

func pick(files *tar.Reader, dir string) (found int, err error) {
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		name := kept(h.Name)
		if name == "" || h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(files)
		if err != nil {
			return found, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return found, err
		}
		found++
	}
}

// kept is the short name of a file of the package that is needed, or "".
func kept(name string) string {
	base := path.Base(name)
	if strings.HasPrefix(base, "vmlinuz-") {
		return "vmlinuz"
	}
	for _, m := range modules {
		if base == m+".ko" || base == m+".ko.xz" {
			return m
		}
	}
	return ""
}

// command runs a program in dir and returns what it prints; the error shows it.
func command(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}
