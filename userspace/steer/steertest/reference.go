// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

const tokenChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"

const refBlanks = " \t"

// Reference is a third reading of the rules: the payload taken apart by plain string functions, with nothing in common
// with steer.Scan but its limits and its types. It is meant to be compared with, not to be fast.
func Reference(payload string) steer.Message {
	m := refStartLine(payload)
	if m.Unjudged != steer.Undecided {
		return m
	}
	lines, flaw := refLines(payload)
	if flaw != steer.Undecided {
		m.Unjudged = flaw
		return m
	}
	m.Unjudged = refJudge(&m, lines)
	return m
}

func refStartLine(p string) (m steer.Message) {
	switch {
	case len(p) <= steer.MaxKeepalive && strings.Trim(p, "\r\n \x00") == "":
		m.Unjudged = steer.DropKeepalive
	case len(p) < steer.MinMessage:
		m.Unjudged = steer.DropNotSIP
	case strings.HasPrefix(p, "\r"), strings.HasPrefix(p, "\n"):
		m.Unjudged = steer.PassLeadingCRLF
	case strings.IndexByte(tokenChars, p[0]) < 0:
		m.Unjudged = steer.DropNotSIP
	default:
		if m.Status = refStatus(p); m.Status == 0 {
			word, _, _ := strings.Cut(p[:steer.MinMessage], " ")
			m.Request, m.Method = true, refMethod(word)
			m.Subscribes = word == "SUBSCRIBE" || word == "REFER"
		}
	}
	return m
}

// refStatus reads "SIP/2.0 DDD" before a blank or CR.
func refStatus(p string) uint16 {
	if !refSame(p[:8], "SIP/2.0 ") || strings.Trim(p[8:11], "0123456789") != "" || p[11] != ' ' && p[11] != '\r' {
		return 0
	}
	code, _ := strconv.Atoi(p[8:11])
	if code < 100 || code > 699 {
		return 0
	}
	return uint16(code)
}

// refSame compares without regard to case; what folds into ASCII from outside it has another length.
func refSame(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

func refMethod(name string) steer.Method {
	switch name {
	case "INVITE":
		return steer.MethodInvite
	case "ACK":
		return steer.MethodAck
	case "BYE":
		return steer.MethodBye
	case "CANCEL":
		return steer.MethodCancel
	}
	return steer.MethodOther
}

// refLine is a header line as far as it matters here.
type refLine struct {
	kind   string // call-id, to, cseq, or ""
	value  string
	wide   bool // more blanks around the colon than are taken
	folded bool
}

// refLines splits the header behind the start line. A line ends with CR LF, and at least two bytes follow each.
func refLines(p string) ([]refLine, steer.Outcome) {
	noEnd := steer.PassNoHeaderEnd
	if len(p) > steer.TextMax {
		p, noEnd = p[:steer.TextMax], steer.PassTooLong
	}
	var lines []refLine
	for number := 1; ; number++ {
		line, rest, ok := strings.Cut(p, "\n")
		switch {
		case !ok:
			return nil, noEnd
		case !strings.HasSuffix(line, "\r"):
			return nil, steer.PassBareLF
		case len(rest) < 2:
			return nil, noEnd
		}
		line = strings.TrimSuffix(line, "\r")
		switch {
		case number > 1 && line != "" && strings.Contains(refBlanks, line[:1]):
			lines[len(lines)-1].folded = true
		case number == 1:
			lines = append(lines, refLine{}) // the start line
		default:
			lines = append(lines, refRead(line))
		}
		if strings.HasPrefix(rest, "\r\n") {
			return lines, steer.Undecided
		}
		if number >= steer.MaxLines {
			return nil, steer.PassTooLong
		}
		p = rest
	}
}

func refRead(line string) refLine {
	end := strings.IndexAny(line, refBlanks+":")
	if end < 0 {
		return refLine{}
	}
	l := refLine{kind: refKind(line[:end])}
	if l.kind == "" {
		return refLine{}
	}
	behind := strings.TrimLeft(line[end:], refBlanks)
	if len(line)-end-len(behind) > steer.MaxBlanks {
		l.wide = true
		return l
	}
	if !strings.HasPrefix(behind, ":") {
		return refLine{}
	}
	l.value = strings.TrimLeft(behind[1:], refBlanks)
	l.wide = len(behind)-1-len(l.value) > steer.MaxBlanks
	return l
}

func refKind(name string) string {
	switch {
	case refSame(name, "Call-ID"), refSame(name, "i"):
		return "call-id"
	case refSame(name, "To"), refSame(name, "t"):
		return "to"
	case refSame(name, "CSeq"):
		return "cseq"
	}
	return ""
}

func refJudge(m *steer.Message, lines []refLine) steer.Outcome {
	of := map[string][]refLine{}
	for _, l := range lines {
		of[l.kind] = append(of[l.kind], l)
	}
	ids, tos, cseqs := of["call-id"], of["to"], of["cseq"]
	needTo := m.Request && m.Method != steer.MethodAck && m.Method != steer.MethodCancel
	needCSeq := !m.Request || m.Method == steer.MethodAck
	folded := func(l refLine) bool { return l.folded }
	switch {
	case len(ids) == 0:
		return steer.PassNoCallID
	case len(ids) > 1:
		return steer.PassRepeatedCallID
	case ids[0].folded, needTo && slices.ContainsFunc(tos, folded), needCSeq && slices.ContainsFunc(cseqs, folded):
		return steer.PassFolded
	case ids[0].wide, ids[0].value == "", strings.ContainsFunc(ids[0].value, func(r rune) bool { return r <= ' ' }):
		return steer.PassOddCallID
	}
	m.CallID = []byte(ids[0].value)
	if needTo && (len(tos) != 1 || tos[0].wide || !refTo(m, tos[0].value)) {
		return steer.PassOddTo
	}
	if needTo && !m.HasToTag && (m.Method == steer.MethodInvite || m.Subscribes) && len(cseqs) == 1 && !cseqs[0].wide && !cseqs[0].folded {
		refCSeq(m, cseqs[0].value)
		m.CSeqMethod = steer.MethodNone
	}
	if needCSeq && (len(cseqs) != 1 || cseqs[0].wide || !refCSeq(m, cseqs[0].value)) {
		return steer.PassOddCSeq
	}
	return steer.Undecided
}

// refTo reads the everyday forms of To; false for all others. Nothing is looked for further than FindMax bytes.
func refTo(m *steer.Message, v string) bool {
	rest := v
	if strings.HasPrefix(v, `"`) {
		name, _, ok := strings.Cut(refNear(v[1:]), `"`)
		if !ok || strings.Contains(name, `\`) {
			return false
		}
		rest = v[len(name)+2:]
	}
	open := strings.IndexAny(refNear(rest), "<>")
	if open < 0 {
		plain := v != "" && rest == v && len(v) <= steer.FindMax && !strings.Contains(v, `"`)
		address, _, _ := strings.Cut(v, ";")
		return plain && refTag(m, v[len(address):])
	}
	if rest[open] != '<' || strings.Contains(rest[:open], `"`) {
		return false
	}
	uri := rest[open+1:]
	end := strings.IndexAny(refNear(uri), "<>")
	return end >= 0 && uri[end] == '>' && refTag(m, uri[end+1:])
}

func refNear(s string) string { return s[:min(len(s), steer.FindMax)] }

// refTag takes what stands behind the address: nothing, or a tag at once.
func refTag(m *steer.Message, params string) bool {
	m.HasToTag = len(params) > 5 && refSame(params[:5], ";tag=") && strings.IndexByte(tokenChars, params[5]) >= 0
	return params == "" || m.HasToTag
}

func refCSeq(m *steer.Message, v string) bool {
	behind := strings.TrimLeft(v, "0123456789")
	number := v[:len(v)-len(behind)]
	method := strings.TrimLeft(behind, refBlanks)
	blanks := len(behind) - len(method)
	if len(number) > steer.CSeqDigits || blanks < 1 || blanks > steer.MaxBlanks || method == "" || method[len(method)-1] <= ' ' {
		return false
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return false
	}
	m.CSeq, m.CSeqMethod = uint32(n), refMethod(method)
	return true
}
