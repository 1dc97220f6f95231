// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const workerBase = "name: w1\nlisten: [udp://192.0.2.10:5060]\n"

func TestParseWorker(t *testing.T) {
	w, err := ParseWorker([]byte(workerBase+"secret: 0123456789abcdef\n"), "worker.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "w1" || w.Listen[0].Addr.Port() != 5060 || string(w.Secret.Reveal()) != "0123456789abcdef" || w.Log.Level != "info" {
		t.Errorf("got %+v", w)
	}
}

func TestParseWorkerRefuses(t *testing.T) {
	tests := map[string]string{
		workerBase:                     "secret_file: is missing",
		workerBase + "secret: short\n": "secret: the secret has fewer than 16 bytes",
		workerBase + "secret: 0123456789abcdef\nsecret_file: /s\n":                            "secret_file: secret is given as well",
		workerBase + "secret_file: s\n":                                                       `secret_file: "s" is not an absolute path`,
		workerBase + "secret_file: /s\napi: {listen: '192.0.2.1:80'}\n":                       "api.listen: 192.0.2.1 is not a loopback address",
		"name: w1\nsecret_file: /s\n":                                                         "listen: is missing",
		workerBase + "secret_file: /s\nforward: l2\n":                                         "forward: unknown key; known here: name",
		strings.Replace(workerBase, "]", ", udp://192.0.2.10:5060]", 1) + "secret_file: /s\n": "listen[1]: udp://192.0.2.10:5060 is listed already",
	}
	for text, want := range tests {
		_, err := ParseWorker([]byte(text), "w")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	w := Worker{Secret: "0123456789abcdef"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("worker", "secret", w.Secret, "all", w)
	for _, s := range []string{fmt.Sprint(w), fmt.Sprintf("%+v %#v %s", w, w, w.Secret), log.String()} {
		if strings.Contains(s, "0123456789") {
			t.Errorf("the secret shows in %s", s)
		}
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "  0123456789abcdef\n", 0o600)
	if s, err := ReadSecret(good); err != nil || string(s) != "0123456789abcdef" {
		t.Errorf("got %q, %v", s, err)
	}
	for path, want := range map[string]string{
		write("open", "0123456789abcdef", 0o644): "open to every user",
		write("short", "0123", 0o600):            "fewer than 16 bytes",
		filepath.Join(dir, "none"):               "no such file",
	} {
		if _, err := ReadSecret(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	w := Worker{SecretFile: good}
	if s, err := w.ClusterSecret(); err != nil || string(s) != "0123456789abcdef" {
		t.Errorf("cluster secret: %q, %v", s, err)
	}
}

func TestExampleFilesAreAccepted(t *testing.T) {
	files, err := filepath.Glob("../../deploy/examples/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "worker") {
			_, err = LoadWorker(file)
		} else {
			_, err = Load(file)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "no such file",
		dir:                             "is a directory",
	} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}
