// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a file. The JSON form is what
// `sipsteer config check --json` prints.
type Error struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1; 0 when the file could not be read
	Key  string `json:"key"`  // such as workers[1].forward; empty for the whole file
	Msg  string `json:"message"`
}

// Error returns "FILE:LINE: KEY: what is wrong".
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Msg)
	return b.String()
}

// Errors are all mistakes of one file in the order of their lines. It is what
// Parse and Load return.
type Errors []Error

// Error returns one line for each mistake.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// report gathers mistakes and knows on which line each key stands.
type report struct {
	file  string
	lines map[string]int
	errs  Errors
	// guessed are the keys that a mistyped one probably stands for: it would
	// only confuse to report those as missing as well.
	guessed []string
}

// fail notes a mistake at key unless the same place has one already: a value
// that could not be read is not also reported as missing.
func (r *report) fail(key, format string, args ...any) {
	for _, e := range r.errs {
		if within(e.Key, key) || within(key, e.Key) {
			return
		}
	}
	if slices.Contains(r.guessed, key) {
		return
	}
	r.failAt(r.line(key), key, format, args...)
}

// maxErrors ends the list for a file that is not a config at all.
const maxErrors = 100

// failAt notes a mistake on a line, whatever else is wrong there.
func (r *report) failAt(line int, key, format string, args ...any) {
	if len(r.errs) >= maxErrors {
		return
	}
	r.errs = append(r.errs, Error{File: r.file, Line: line, Key: key, Msg: fmt.Sprintf(format, args...)})
}

// err returns the gathered mistakes, or nil.
func (r *report) err() error {
	if len(r.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(r.errs, func(a, b Error) int { return cmp.Compare(a.Line, b.Line) })
	return r.errs
}

// line finds the line of key, or of the nearest enclosing key that is there.
func (r *report) line(key string) int {
	for key != "" {
		if n, ok := r.lines[key]; ok {
			return n
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return 1
}

// within says whether inner is outer or a part of it.
func within(outer, inner string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && (rest == "" || outer == "" || rest[0] == '.' || rest[0] == '[')
}

// nearest returns the candidate that is a typing mistake away from word, or "".
func nearest(word string, candidates []string) string {
	best, bestDistance := "", 3
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), c); d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's distance in bytes; words beyond a key's length
// are simply far away.
func editDistance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
