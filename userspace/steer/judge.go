// SPDX-License-Identifier: Apache-2.0

package steer

import "bytes"

// Judge judges a payload in full: first as the kernel does, and where that leaves it open by complete parsing, with
// folded lines, lone LFs, leading empty lines, any length, and every form of To. The answer is final: what it still
// leaves unjudged is wrong and can be answered with 400 (PassNoHeaderEnd, PassNoCallID, PassRepeatedCallID,
// PassOddCallID, PassOddTo, PassOddCSeq), or is to be dropped (DropNotSIP, DropKeepalive).
func Judge(payload []byte) Message {
	m := Scan(payload)
	switch m.Unjudged {
	case Undecided, DropNotSIP, DropKeepalive, PassNoCallID, PassRepeatedCallID:
		return m
	}
	return judgeFull(bytes.TrimLeft(payload, "\r\n"))
}

func judgeFull(p []byte) Message {
	m := Message{Full: true}
	if m.Unjudged = readStartLine(&m, p); m.Unjudged != Undecided {
		return m
	}
	h := readHeaders(p)
	switch {
	case h.cut:
		m.Unjudged = PassNoHeaderEnd
	case h.count[headerCallID] == 0:
		m.Unjudged = PassNoCallID
	case h.count[headerCallID] > 1:
		m.Unjudged = PassRepeatedCallID
	case !isWord(h.value[headerCallID]):
		m.Unjudged = PassOddCallID
	default:
		m.CallID = h.value[headerCallID]
		m.Unjudged = h.judgeRest(&m)
		if h.count[headerTo] == 1 {
			m.setParties(p, h.value[headerTo])
		}
	}
	return m
}

func (h *allHeaders) judgeRest(m *Message) Outcome {
	if m.needsTo() {
		has, ok := parseTo(h.value[headerTo])
		if !ok || h.count[headerTo] != 1 {
			return PassOddTo
		}
		m.HasToTag = has
		if m.Makes() != MethodNone && h.count[headerCSeq] == 1 {
			parseCSeq(m, h.value[headerCSeq])
			m.CSeqMethod = MethodNone
		}
	}
	if m.needsCSeq() && (h.count[headerCSeq] != 1 || !parseCSeq(m, h.value[headerCSeq])) {
		return PassOddCSeq
	}
	return Undecided
}

// allHeaders is what complete parsing leaves: values without the blanks and line breaks around them.
type allHeaders struct {
	count [headers]int
	value [headers][]byte
	cut   bool // no empty line
}

func readHeaders(p []byte) allHeaders {
	var h allHeaders
	_, p = cutLine(p) // the start line
	for {
		if len(p) == 0 {
			h.cut = true
			return h
		}
		line, rest := cutLine(p)
		if len(line) == 0 {
			return h
		}
		// Lines that begin with a blank continue this one (RFC 3261 section 7.3.1).
		for len(rest) > 0 && isBlank(rest[0]) {
			_, rest = cutLine(rest)
		}
		h.read(p[: len(p)-len(rest) : len(p)-len(rest)])
		p = rest
	}
}

func (h *allHeaders) read(line []byte) {
	kind, n := headerNamed(line)
	if kind == headerOther {
		return
	}
	rest := trimLeft(line[n:])
	if len(rest) == 0 || rest[0] != ':' {
		return
	}
	h.count[kind]++
	h.value[kind] = bytes.TrimRight(trimLeft(rest[1:]), lws)
}

const lws = " \t\r\n"

func trimLeft(p []byte) []byte { return bytes.TrimLeft(p, lws) }

// cutLine splits behind the first LF; the line comes without its CR and LF.
func cutLine(p []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(p, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest
}

// parseCSeq reads number and method with any white space between them.
func parseCSeq(m *Message, v []byte) bool {
	var number uint64
	n := 0
	for ; n < len(v) && isDigit(v[n]); n++ {
		if number = number*10 + uint64(v[n]-'0'); number > 0xffffffff {
			return false
		}
	}
	method := trimLeft(v[n:])
	if n == 0 || len(method) == 0 || len(method) == len(v)-n || len(skipToken(method)) > 0 {
		return false
	}
	m.CSeq, m.CSeqMethod = uint32(number), methodNamed(method)
	return true
}

func skipToken(p []byte) []byte {
	for len(p) > 0 && isToken(p[0]) {
		p = p[1:]
	}
	return p
}

// skipString returns what follows the quoted string that p begins with; false when it does not end.
func skipString(p []byte) ([]byte, bool) {
	for i := 1; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '"':
			return p[i+1:], true
		}
	}
	return nil, false
}

// parseTo reads a To value by RFC 3261 section 25.1 and reports whether it has a tag, and whether it is well formed.
func parseTo(v []byte) (hasTag, ok bool) {
	if len(v) == 0 {
		return false, false
	}
	rest, ok := skipAddress(v)
	if !ok {
		return false, false
	}
	return parseParams(rest)
}

// skipAddress returns the parameters behind a name-addr or addr-spec.
func skipAddress(v []byte) ([]byte, bool) {
	rest := v
	if v[0] == '"' {
		after, ok := skipString(v)
		if rest = trimLeft(after); !ok || len(rest) == 0 || rest[0] != '<' {
			return nil, false
		}
	}
	open := bytes.IndexAny(rest, `<>"`)
	if open < 0 { // addr-spec: the first semicolon ends it
		if semicolon := bytes.IndexByte(rest, ';'); semicolon >= 0 {
			return rest[semicolon:], semicolon > 0
		}
		return nil, true
	}
	end := bytes.IndexAny(rest[open+1:], "<>")
	if rest[open] != '<' || end < 0 || rest[open+1+end] != '>' {
		return nil, false
	}
	return rest[open+1+end+1:], true
}

func parseParams(p []byte) (hasTag, ok bool) {
	for {
		if p = trimLeft(p); len(p) == 0 {
			return hasTag, true
		}
		if p[0] != ';' {
			return false, false
		}
		name := trimLeft(p[1:])
		p = skipToken(name)
		name = name[:len(name)-len(p)]
		if len(name) == 0 {
			return false, false
		}
		value, rest, ok := cutValue(trimLeft(p))
		if foldEqual(name, "tag") {
			hasTag = true
			ok = ok && len(value) > 0 && len(skipToken(value)) == 0
		}
		if !ok {
			return false, false
		}
		p = rest
	}
}

// cutValue splits off "= value", if p begins with one.
func cutValue(p []byte) (value, rest []byte, ok bool) {
	if len(p) == 0 || p[0] != '=' {
		return nil, p, true
	}
	p = trimLeft(p[1:])
	if len(p) > 0 && p[0] == '"' {
		rest, ok = skipString(p)
		return p[:len(p)-len(rest)], rest, ok
	}
	n := bytes.IndexAny(p, "; \t\r\n")
	if n < 0 {
		n = len(p)
	}
	return p[:n], p[n:], n > 0
}
