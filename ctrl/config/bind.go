// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// maxEntries bounds each list, so that checks which compare every entry with
// every other one stay cheap on a hostile file.
const maxEntries = 4096

// defaulter fills in what an entry of a list may leave out.
type defaulter interface{ setDefaults() }

// bind copies the YAML node into v, which is settable, and reports every key
// that does not fit. It is stricter than YAML: no anchors, aliases or tags, no
// null, no conversion between text and numbers.
func (r *report) bind(key string, n ast.Node, v reflect.Value) {
	r.lines[key] = nodeLine(n, r.line(key))
	if n.Type() == ast.NullType {
		r.fail(key, "has no value; give one or remove the key")
		return
	}
	if d, ok := v.Addr().Interface().(defaulter); ok {
		d.setDefaults()
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if s, ok := r.text(key, n); ok {
			if err := u.UnmarshalText([]byte(s)); err != nil {
				r.fail(key, "%v", textError(v, s, err))
			}
		}
		return
	}
	switch v.Interface().(type) {
	case time.Duration:
		r.bindDuration(key, n, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.bindStruct(key, n, v)
	case reflect.Slice:
		r.bindSlice(key, n, v)
	case reflect.Int:
		r.bindInt(key, n, v)
	default:
		if s, ok := r.text(key, n); ok {
			v.SetString(s)
		}
	}
}

func (r *report) bindStruct(key string, n ast.Node, v reflect.Value) {
	pairs, ok := mapping(n)
	if !ok {
		r.fail(key, "want key: value pairs, found %s", describe(n))
		return
	}
	fields := yamlFields(v.Type())
	seen := map[string]int{}
	for _, pair := range pairs {
		line := nodeLine(pair.Key, r.line(key))
		name, ok := keyText(pair.Key)
		path := join(key, name)
		if !ok {
			r.failAt(line, key, "%s cannot be a key here", describe(pair.Key))
			continue
		}
		if first, again := seen[name]; again {
			r.failAt(line, path, "is given twice, first on line %d", first)
			continue
		}
		seen[name] = line
		i, known := fields[name]
		if !known {
			r.unknownKey(line, key, name, v.Type())
			continue
		}
		r.lines[path] = line
		r.bind(path, pair.Value, v.Field(i))
	}
}

func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode: // how the parser sees [name: w1]
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (r *report) bindSlice(key string, n ast.Node, v reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(key, "want a list, such as [a, b], found %s", describe(n))
		return
	}
	if len(seq.Values) > maxEntries {
		r.fail(key, "has %d entries; at most %d are allowed", len(seq.Values), maxEntries)
		return
	}
	// An entry that cannot be read still takes its place, so that later
	// messages count the entries as the file does.
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, entry := range seq.Values {
		r.bind(fmt.Sprintf("%s[%d]", key, i), entry, v.Index(i))
	}
}

func (r *report) bindInt(key string, n ast.Node, v reflect.Value) {
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		r.fail(key, "want a whole number, found %s", describe(n))
		return
	}
	switch x := i.Value.(type) {
	case int64:
		v.SetInt(x)
	case uint64:
		if x > 1<<62 {
			r.fail(key, "%d is too large", x)
			return
		}
		v.SetInt(int64(x))
	default:
		r.fail(key, "want a whole number, found %s", describe(n))
	}
}

func (r *report) bindDuration(key string, n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		r.fail(key, "want a duration with its unit, such as 40s, 5m or 12h, found %s", describe(n))
		return
	}
	d, err := parseDuration(s.Value)
	if err != nil {
		r.fail(key, "%q is not a duration with its unit, such as 40s, 5m, 12h or 90d", s.Value)
		return
	}
	v.SetInt(int64(d))
}

// parseDuration also knows whole days, of 24 hours.
func parseDuration(text string) (time.Duration, error) {
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	return time.Duration(n) * 24 * time.Hour, err
}

func (r *report) text(key string, n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		r.fail(key, "want text, found %s; put it in quotes", describe(n))
	case *ast.MappingNode, *ast.MappingValueNode:
		// Inside { } the parser takes udp://ADDR for a key and its value.
		r.fail(key, "want text, found key: value pairs; put text with a colon in quotes")
	default:
		r.fail(key, "want text, found %s", describe(n))
	}
	return "", false
}

// textError words the error of a type from the standard library for a reader
// of the file; our own types word theirs.
func textError(v reflect.Value, s string, err error) error {
	if v.Type().PkgPath() != "net/netip" {
		return err
	}
	if v.Type() == reflect.TypeFor[netip.Prefix]() {
		return fmt.Errorf("%q is not a network such as 203.0.113.0/24 or 203.0.113.5/32", s)
	}
	return fmt.Errorf("%q is not a literal IP address without a port, such as 192.0.2.21", s)
}

func (r *report) unknownKey(line int, section, name string, t reflect.Type) {
	var names []string
	for i := range t.NumField() {
		names = append(names, yamlName(t.Field(i)))
	}
	if near := nearest(name, names); near != "" {
		r.guessed = append(r.guessed, join(section, near))
		r.failAt(line, join(section, name), "unknown key; did you mean %s?", near)
		return
	}
	r.failAt(line, join(section, name), "unknown key; known here: %s", strings.Join(names, ", "))
}

func yamlFields(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		fields[yamlName(t.Field(i))] = i
	}
	return fields
}

func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

func keyText(n ast.Node) (string, bool) {
	s, ok := n.(*ast.StringNode)
	if !ok || !printable(s.Value) || s.Value == "" || len(s.Value) > 100 {
		return "", false
	}
	return s.Value, true
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func nodeLine(n ast.Node, otherwise int) int {
	if n == nil {
		return otherwise
	}
	if t := n.GetToken(); t != nil && t.Position != nil && t.Position.Line > 0 {
		return t.Position.Line
	}
	return otherwise
}

func describe(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "key: value pairs"
	case ast.SequenceType:
		return "a list"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.BoolType:
		return "true or false"
	case ast.StringType, ast.LiteralType:
		return "text"
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType:
		return "an anchor or alias, which this file may not use"
	case ast.TagType:
		return "a tag, which this file may not use"
	case ast.NullType:
		return "nothing"
	}
	return "something else"
}
