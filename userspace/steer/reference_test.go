// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// A plain, slow reading of the rules, by regular expressions, that shares nothing with Scan.
var (
	refKeepalive = regexp.MustCompile(`^[\r\n \x00]{0,4}$`)
	refToken     = regexp.MustCompile("^[A-Za-z0-9.!%*_+`'~-]")
	refStatus    = regexp.MustCompile(`^[Ss][Ii][Pp]/2\.0 ([1-6][0-9][0-9])[ \r]`)
	refHeader    = regexp.MustCompile(`(?s)^(?i:(call-id|i)|(to|t)|(cseq))(?:([ \t]{0,8}):|[ \t]{9})([ \t]*)(.*)$`)
	refName      = regexp.MustCompile(`^(?i:(call-id|i)|(to|t)|(cseq))`)
	refTooWide   = regexp.MustCompile(`(?s)^(?i:call-id|i|to|t|cseq)([ \t]{9}|[ \t]{0,8}:[ \t]{9})`)
	refCSeq      = regexp.MustCompile(`(?s)^([0-9]{1,10})[ \t]{1,8}([^ \t].*)$`)
	refToAngles  = regexp.MustCompile(`(?s)^("[^"\\]{0,255}"[^<>"]*|[^<>"]*)<([^<>]*)>(.*)$`)
	refToTag     = regexp.MustCompile("(?s)^;(?i:tag)=[A-Za-z0-9.!%*_+`'~-]")
)

type refLine struct {
	kind   string
	value  string
	folded bool
	wide   bool
}

func reference(p string) steer.Message {
	var m steer.Message
	switch {
	case refKeepalive.MatchString(p):
		m.Unjudged = steer.DropKeepalive
	case len(p) < 16:
		m.Unjudged = steer.DropNotSIP
	case p[0] == '\r' || p[0] == '\n':
		m.Unjudged = steer.PassLeadingCRLF
	case !refToken.MatchString(p):
		m.Unjudged = steer.DropNotSIP
	}
	if m.Unjudged != steer.Undecided {
		return m
	}
	if s := refStatus.FindStringSubmatch(p); s != nil {
		code, _ := strconv.Atoi(s[1])
		m.Status = uint16(code)
	} else {
		m.Request = true
		name, _, _ := strings.Cut(p[:16], " ")
		m.Method = refMethod(name)
	}
	lines, flaw := refLines(p)
	if m.Unjudged = flaw; flaw == steer.Undecided {
		refJudge(&m, lines)
	}
	return m
}

func refMethod(name string) steer.Method {
	known := map[string]steer.Method{"INVITE": steer.MethodInvite, "ACK": steer.MethodAck, "BYE": steer.MethodBye, "CANCEL": steer.MethodCancel}
	if method, ok := known[name]; ok {
		return method
	}
	return steer.MethodOther
}

// refLines splits the header; a line ends with CR LF and at least two more bytes.
func refLines(p string) ([]refLine, steer.Outcome) {
	noEnd := steer.PassNoHeaderEnd
	if len(p) > 4096 {
		p, noEnd = p[:4096], steer.PassTooLong
	}
	var lines []refLine
	for {
		line, rest, ok := strings.Cut(p, "\n")
		switch {
		case !ok:
			return nil, noEnd
		case !strings.HasSuffix(line, "\r"):
			return nil, steer.PassBareLF
		}
		line = strings.TrimSuffix(line, "\r")
		if line == "" && len(lines) > 0 {
			return lines, steer.Undecided
		}
		if len(rest) < 2 {
			return nil, noEnd
		}
		if n := len(lines); n > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			lines = append(lines, lines[n-1])
			lines[n-1].folded, lines[n].folded = true, true
			lines[n].kind = "fold of " + strings.TrimPrefix(lines[n].kind, "fold of ")
		} else {
			lines = append(lines, refRead(line))
		}
		if len(lines) >= 128 && !strings.HasPrefix(rest, "\r\n") {
			return nil, steer.PassTooLong
		}
		p = rest
	}
}

func refRead(line string) refLine {
	if refTooWide.MatchString(line) {
		return refLine{kind: refKind(line), wide: true}
	}
	if h := refHeader.FindStringSubmatch(line); h != nil {
		return refLine{kind: refKind(line), value: h[6]}
	}
	return refLine{}
}

func refKind(line string) string {
	n := refName.FindStringSubmatch(line)
	switch {
	case n[1] != "":
		return "call-id"
	case n[2] != "":
		return "to"
	}
	return "cseq"
}

func refJudge(m *steer.Message, lines []refLine) {
	lines = lines[1:]
	of := func(kind string) (all []refLine) {
		for _, l := range lines {
			if l.kind == kind {
				all = append(all, l)
			}
		}
		return all
	}
	ids, tos, cseqs := of("call-id"), of("to"), of("cseq")
	needTo := m.Request && m.Method != steer.MethodAck && m.Method != steer.MethodCancel
	needCSeq := !m.Request || m.Method == steer.MethodAck
	folded := func(l refLine) bool { return l.folded }
	m.Unjudged = func() steer.Outcome {
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
		if needCSeq && (len(cseqs) != 1 || cseqs[0].wide || !refReadCSeq(m, cseqs[0].value)) {
			return steer.PassOddCSeq
		}
		return steer.Undecided
	}()
}

func refTo(m *steer.Message, v string) bool {
	behind := ""
	if a := refToAngles.FindStringSubmatch(v); a != nil {
		if name := strings.TrimPrefix(a[1], `"`); len(a[1]) > 256 && !strings.Contains(name[:min(len(name), 256)], `"`) || len(a[2]) > 255 {
			return false
		}
		if _, after, ok := strings.Cut(strings.TrimPrefix(a[1], `"`), `"`); ok && len(after) > 255 {
			return false
		}
		behind = a[3]
	} else {
		if v == "" || strings.ContainsAny(v, `<>"`) || len(v) > 256 {
			return false
		}
		if i := strings.IndexByte(v, ';'); i >= 0 {
			behind = v[i:]
		}
	}
	m.HasToTag = refToTag.MatchString(behind)
	return behind == "" || m.HasToTag
}

func refReadCSeq(m *steer.Message, v string) bool {
	c := refCSeq.FindStringSubmatch(v)
	if c == nil || v[len(v)-1] <= ' ' {
		return false
	}
	n, err := strconv.ParseUint(c[1], 10, 32)
	if err != nil {
		return false
	}
	m.CSeq, m.CSeqMethod = uint32(n), refMethod(c[2])
	return true
}

// longTo says that a To is near the limit on how far Scan looks, which the reference does not count out.
func longTo(p string) bool {
	for _, l := range strings.Split(p, "\n") {
		if len(l) > 250 && (l[0]|0x20) == 't' {
			return true
		}
	}
	return false
}

func sameMessage(a, b steer.Message) bool {
	if a.Unjudged != steer.Undecided || b.Unjudged != steer.Undecided {
		return a.Unjudged == b.Unjudged
	}
	return a.Request == b.Request && a.Method == b.Method && a.Status == b.Status && string(a.CallID) == string(b.CallID) &&
		a.HasToTag == b.HasToTag && a.CSeq == b.CSeq && a.CSeqMethod == b.CSeqMethod
}

func TestScanAgreesWithThePlainReference(t *testing.T) {
	for _, m := range steertest.Messages() {
		got, want := steer.Scan([]byte(m.Text)), reference(m.Text)
		if !longTo(m.Text) && !sameMessage(got, want) {
			t.Errorf("%s: Scan says %+v, the reference %+v", m.Name, got, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, m := range steertest.Messages() {
		f.Add([]byte(m.Text))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got := steer.Scan(p)
		if want := reference(string(p)); !longTo(string(p)) && !sameMessage(got, want) {
			t.Fatalf("Scan says %+v, the reference %+v of %q", got, want, p)
		}
		judged := steer.Judge(p)
		if got.Unjudged == steer.Undecided && !sameMessage(got, judged) {
			t.Fatalf("Judge says %+v of what Scan judged as %+v", judged, got)
		}
	})
}
