// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile is far above any real file and keeps a mistaken path (a disk image,
// a device) from being read into memory.
const maxFile = 256 << 10

// Load reads and checks the file of `sipsteer run`. A returned error that is an
// Errors lists every mistake; any other says why the file could not be read.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	return Parse(data, path)
}

// Parse checks the text of such a file; name stands for it in messages. The
// error is always an Errors.
func Parse(data []byte, name string) (*Config, error) {
	c := Default()
	r := &report{file: name, lines: map[string]int{}}
	if r.parse(data, reflect.ValueOf(c).Elem()) {
		r.checkConfig(c)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// LoadWorker reads and checks the file of `sipsteer worker`, as Load does.
func LoadWorker(path string) (*Worker, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	return ParseWorker(data, path)
}

// ParseWorker checks the text of a worker's file, as Parse does.
func ParseWorker(data []byte, name string) (*Worker, error) {
	w := DefaultWorker()
	r := &report{file: name, lines: map[string]int{}}
	if r.parse(data, reflect.ValueOf(w).Elem()) {
		r.checkWorker(w)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return w, nil
}

// parse binds the one YAML document in data to v. It returns false when there
// is no document to check.
func (r *report) parse(data []byte, v reflect.Value) bool {
	if len(data) > maxFile {
		r.failAt(1, "", "has %d bytes; at most %d are read", len(data), maxFile)
		return false
	}
	if line := tooDeep(data); line > 0 {
		r.failAt(line, "", "nested too deep for a config")
		return false
	}
	file, err := parseYAML(data)
	if err != nil {
		line := 1
		msg := err.Error()
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			msg = syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				line = t.Position.Line
			}
		}
		r.failAt(line, "", "not valid YAML: %s", msg)
		return false
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			r.failAt(nodeLine(doc.Body, 1), "", "a second document starts here; the file has one")
			return false
		}
		body = doc.Body
	}
	if body == nil {
		r.failAt(1, "", "the file is empty")
		return false
	}
	r.bind("", body, v)
	return true
}

// parseYAML turns a panic of the YAML parser, which has had some on damaged
// input, into an error: a file must never take the daemon down with it.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, errors.New("the YAML parser gave up on it")
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// tooDeep returns the line on which data nests beyond what any config needs, or
// 0. The parser's time grows with the square of the depth, and its stack too.
func tooDeep(data []byte) int {
	line, brackets, prefix, inPrefix := 1, 0, 0, true
	for _, c := range data {
		switch c {
		case '\n':
			line++
			prefix, inPrefix = 0, true
			continue
		case '[', '{':
			brackets++
		case ']', '}':
			brackets = max(brackets-1, 0)
		case ' ', '\t', '-', '?', ':':
			if inPrefix {
				prefix++
			}
		default:
			inPrefix = false
		}
		if brackets > 64 || prefix > 128 {
			return line
		}
	}
	return 0
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}
