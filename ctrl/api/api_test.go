// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/api/apitest"
)

// ask sends one request to a fresh handler over d.
func ask(t *testing.T, d *apitest.Daemon, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8060"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	api.New(d.Sources(), "1.2.3", "127.0.0.1").ServeHTTP(w, r)
	return w
}

// dig decodes a JSON answer and follows the keys.
func dig(t *testing.T, w *httptest.ResponseRecorder, keys ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("no %v in %s", keys, w.Body)
		}
		if v, ok = m[k]; !ok {
			t.Fatalf("no %v in %s", keys, w.Body)
		}
	}
	return v
}

func TestStatusCarriesWhatTheContractNames(t *testing.T) {
	w := ask(t, apitest.New(), "GET", "/v1/status", "")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for path, want := range map[string]any{
		"node": "lb1", "uptime_seconds": 3725.0, "datapath.mode": "native", "datapath.steered": 1200.0, "datapath.passed": 30.0,
		"datapath.dropped.not_sip": 7.0, "datapath.outcomes.initial": 30.0,
		"dialogs.early": 1.0, "dialogs.confirmed": 1.0, "dialogs.ended": 1.0, "dialogs.total": 3.0, "registrations": 1.0,
		"control.received.INVITE": 20.0, "control.answered.401": 12.0, "control.handed_over": 19.0, "control.steered": 0.0,
	} {
		if got := dig(t, w, strings.Split(path, ".")...); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	worker := dig(t, w, "workers").([]any)[0].(map[string]any)
	if worker["name"] != "w1" || worker["state"] != "up" || worker["steered"] != 600.0 || worker["dialogs"] != 2.0 {
		t.Errorf("worker = %v", worker)
	}
}

func TestEmptyListsAreNeverNull(t *testing.T) {
	d := &apitest.Daemon{}
	for _, path := range []string{"/v1/workers", "/v1/dialogs", "/v1/registrations", "/v1/users", "/v1/aliases"} {
		if w := ask(t, d, "GET", path, ""); strings.TrimSpace(w.Body.String()) != "[]" {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	d.Report.Services = []api.ServiceStatus{{Name: "edge"}}
	if w := ask(t, d, "GET", "/v1/status", ""); strings.Contains(w.Body.String(), "null") {
		t.Errorf("null in %s", w.Body)
	}
}

func TestDialogsAreFilteredAndCut(t *testing.T) {
	tests := map[string]struct {
		calls     []string
		truncated string
	}{
		"/v1/dialogs":                   {[]string{"c1@host", "c2@host", "c3@host"}, ""},
		"/v1/dialogs?state=early":       {[]string{"c3@host"}, ""},
		"/v1/dialogs?call_id=c2%40host": {[]string{"c2@host"}, ""},
		"/v1/dialogs?limit=2":           {[]string{"c1@host", "c2@host"}, "true"},
		"/v1/dialogs?call_id=none":      {nil, ""},
	}
	for path, want := range tests {
		w := ask(t, apitest.New(), "GET", path, "")
		var got []api.Dialog
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want.calls) || w.Header().Get("Sipsteer-Truncated") != want.truncated {
			t.Errorf("%s: %d dialogs, truncated %q: %s", path, len(got), w.Header().Get("Sipsteer-Truncated"), w.Body)
			continue
		}
		for i, call := range want.calls {
			if got[i].CallID != call {
				t.Errorf("%s: %s at %d, want %s", path, got[i].CallID, i, call)
			}
		}
	}
}

func TestTimesThatHaveNotComeAreNull(t *testing.T) {
	w := ask(t, apitest.New(), "GET", "/v1/dialogs?state=early", "")
	for _, want := range []string{`"start":"2026-03-01T12:00:00Z"`, `"ring":null`, `"answer":null`, `"end":null`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in %s", want, w.Body)
		}
	}
}

func TestUserLifeCycle(t *testing.T) {
	d := apitest.New()
	steps := []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"POST", "/v1/users", `{"aor":"sip:alice@Example.com","password":"s3cret"}`, 201, `{"aor":"alice@example.com"}`},
		{"POST", "/v1/users", `{"aor":"alice@example.com","password":"other"}`, 409, "exists already"},
		{"GET", "/v1/users", "", 200, `[{"aor":"alice@example.com"}]`},
		{"POST", "/v1/aliases", `{"alias":"sip:4711@Example.com","user":"alice@example.com"}`, 201, `{"alias":"4711@example.com","user":"alice@example.com"}`},
		{"POST", "/v1/aliases", `{"alias":"4711@example.com","user":"nobody@example.com"}`, 404, "not found"},
		{"POST", "/v1/aliases", `{"alias":"4711","user":"alice@example.com"}`, 422, "is not an address"},
		{"GET", "/v1/aliases", "", 200, `[{"alias":"4711@example.com","user":"alice@example.com"}]`},
		{"DELETE", "/v1/aliases/4711@example.com", "", 204, ""},
		{"DELETE", "/v1/aliases/4711@example.com", "", 404, "not found"},
		{"GET", "/v1/routes", "", 200, `[{"prefix":"+49","groups":["carrier"],"strip":3,"add":"0","reply_seconds":4,"failover":[408,503]}]`},
		{"GET", "/v1/gateways", "", 200, `[{"name":"g1","group":"carrier","address":"udp://203.0.113.5:5060","priority":1,"weight":1,"sources":[]}]`},
		{"POST", "/v1/domains", `{"domain":"b.example"}`, 201, `{"domain":"b.example","service":"edge","config":false}`},
		{"GET", "/v1/domains", "", 200, `[{"domain":"example.com","service":"edge","config":true},{"domain":"b.example","service":"edge","config":false}]`},
		{"DELETE", "/v1/domains/b.example", "", 204, ""},
		{"DELETE", "/v1/domains/b.example", "", 404, "not found"},
		{"PUT", "/v1/users/alice@example.com/password", `{"password":"n3w"}`, 200, `{"aor":"alice@example.com"}`},
		{"PUT", "/v1/users/bob@example.com/password", `{"password":"n3w"}`, 404, "not found"},
		{"DELETE", "/v1/users/alice%40example.com", "", 204, ""},
		{"DELETE", "/v1/users/alice@example.com", "", 404, "not found"},
	}
	for _, s := range steps {
		w := ask(t, d, s.method, s.path, s.body)
		if w.Code != s.status || !strings.Contains(w.Body.String(), s.answer) {
			t.Errorf("%s %s %s: %d %s, want %d %s", s.method, s.path, s.body, w.Code, w.Body, s.status, s.answer)
		}
		if s.method == "PUT" && s.status == 200 && d.Password("alice@example.com") != "n3w" {
			t.Error("the password did not change")
		}
	}
}

func TestBadRequestsAreProblemsThatNeverRepeatAPassword(t *testing.T) {
	tests := []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/users", `{"aor":"alice","password":"hunter2"}`, 422},
		{"POST", "/v1/users", `{"aor":"a b@example.com","password":"hunter2"}`, 422},
		{"POST", "/v1/users", `{"aor":"a@example.com","password":""}`, 422},
		{"POST", "/v1/users", `{"aor":"a@example.com","password":"hunter2\n"}`, 422},
		{"POST", "/v1/users", `{"aor":"a@example.com","passwd":"hunter2"}`, 422},
		{"POST", "/v1/users", `{"aor":"a@example.com","password":["hunter2"]}`, 422},
		{"POST", "/v1/users", `{"password":"hunter2"`, 400},
		{"POST", "/v1/users", `{"aor":"a@example.com","password":"` + strings.Repeat("hunter2", 5000) + `"}`, 413},
		{"POST", "/v1/workers/none/drain", "", 404},
		{"DELETE", "/v1/registrations/nobody@example.com", "", 404},
		{"GET", "/v1/registrations?aor=nobody", "", 422},
		{"GET", "/v1/dialogs?state=odd", "", 422},
		{"GET", "/v1/dialogs?limit=0", "", 422},
		{"GET", "/v1/dialogs?stat=early", "", 422},
		{"GET", "/v1/nothing", "", 404},
		{"POST", "/v1/status", "", 404},
	}
	for _, tt := range tests {
		w := ask(t, apitest.New(), tt.method, tt.path, tt.body)
		if w.Code != tt.status {
			t.Errorf("%s %s %.60s: %d %s, want %d", tt.method, tt.path, tt.body, w.Code, w.Body, tt.status)
		}
		if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s %s: content type %s", tt.method, tt.path, got)
		}
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s %s: the password is in %s", tt.method, tt.path, w.Body)
		}
	}
}

func TestDrainAndUndrain(t *testing.T) {
	d := apitest.New()
	for _, step := range [][2]string{{"drain", "draining"}, {"drain", "draining"}, {"undrain", "up"}} {
		w := ask(t, d, "POST", "/v1/workers/w1/"+step[0], "")
		if w.Code != 200 || dig(t, w, "state") != step[1] {
			t.Errorf("%s: %d %s", step[0], w.Code, w.Body)
		}
	}
}

func TestWeight(t *testing.T) {
	d := apitest.New()
	for body, want := range map[string]int{`{"weight":3}`: 200, `{"weight":0}`: 200, `{"weight":1001}`: 422, `{"weight":-1}`: 422, `{"weight":"x"}`: 422, `{}`: 422} {
		if w := ask(t, d, "PUT", "/v1/workers/w1/weight", body); w.Code != want {
			t.Errorf("%s: %d %s, want %d", body, w.Code, w.Body, want)
		}
	}
	if w := ask(t, d, "PUT", "/v1/workers/w1/weight", `{"weight":3}`); dig(t, w, "weight") != 3.0 {
		t.Errorf("weight: %s", w.Body)
	}
	if w := ask(t, d, "PUT", "/v1/workers/none/weight", `{"weight":3}`); w.Code != 404 {
		t.Errorf("unknown worker: %d %s", w.Code, w.Body)
	}
}

func TestRemoveRegistrations(t *testing.T) {
	d := apitest.New()
	w := ask(t, d, "DELETE", "/v1/registrations/sip:alice@example.com", "")
	if w.Code != 200 || dig(t, w, "removed") != 1.0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, d, "GET", "/v1/registrations?aor=alice@example.com", ""); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("still there: %s", w.Body)
	}
}

func TestBrowserPagesOfOtherSitesAreRefused(t *testing.T) {
	const page = "https://evil.example"
	tests := map[string]struct {
		method, path string
		header       []string
		status       int
	}{
		"no browser":                 {"POST", "/v1/workers/w1/drain", nil, 200},
		"own page":                   {"POST", "/v1/workers/w1/drain", []string{"Origin", "http://127.0.0.1:8060", "Sec-Fetch-Site", "same-origin"}, 200},
		"other origin":               {"POST", "/v1/workers/w1/drain", []string{"Origin", page}, 403},
		"cross site":                 {"DELETE", "/v1/registrations/alice@example.com", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"opaque origin":              {"POST", "/v1/workers/w1/drain", []string{"Origin", "null"}, 403},
		"rebound name, read":         {"GET", "/v1/users", []string{"Host", "evil.example:8060"}, 403},
		"rebound name, change":       {"POST", "/v1/workers/w1/drain", []string{"Host", "evil.example:8060", "Origin", "http://evil.example:8060"}, 403},
		"rebound name, metrics":      {"GET", "/metrics", []string{"Host", "evil.example"}, 403},
		"localhost through a tunnel": {"GET", "/v1/users", []string{"Host", "localhost:9000"}, 200},
		"IPv6 loopback":              {"GET", "/v1/users", []string{"Host", "[::1]:8060"}, 200},
		"no host":                    {"GET", "/v1/users", []string{"Host", ""}, 403},
	}
	for name, tt := range tests {
		w := ask(t, apitest.New(), tt.method, tt.path, "", tt.header...)
		if w.Code != tt.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tt.status)
		}
		if w.Code == 403 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: refused with %s", name, w.Header().Get("Content-Type"))
		}
	}
}

func TestHealthFollowsTheStatus(t *testing.T) {
	d := apitest.New()
	if w := ask(t, d, "GET", "/healthz", ""); w.Code != 200 || dig(t, w, "status") != "ok" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d.Err = errors.New("reading the counters: gone")
	if w := ask(t, d, "GET", "/healthz", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "gone") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, d, "GET", "/v1/status", ""); w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOpenAPIDescribesEveryEndpoint(t *testing.T) {
	w := ask(t, apitest.New(), "GET", "/openapi.json", "")
	if w.Code != 200 || dig(t, w, "info", "version") != "1.2.3" {
		t.Fatalf("%d %.200s", w.Code, w.Body)
	}
	paths := dig(t, w, "paths").(map[string]any)
	for path, methods := range map[string][]string{
		"/v1/status": {"get"}, "/v1/workers": {"get"}, "/v1/workers/{name}/drain": {"post"}, "/v1/workers/{name}/undrain": {"post"},
		"/v1/workers/{name}/weight": {"put"},
		"/v1/dialogs":               {"get"}, "/v1/registrations": {"get"}, "/v1/registrations/{aor}": {"delete"},
		"/v1/users": {"get", "post"}, "/v1/users/{aor}": {"delete"}, "/v1/users/{aor}/password": {"put"}, "/healthz": {"get"},
	} {
		for _, m := range methods {
			if item, ok := paths[path].(map[string]any); !ok || item[m] == nil {
				t.Errorf("openapi.json lacks %s %s", m, path)
			}
		}
	}
}

func TestParseAOR(t *testing.T) {
	for in, want := range map[string]string{
		"alice@example.com": "alice@example.com", "sip:alice@Example.COM": "alice@example.com", "SIP:Bob@h": "Bob@h",
		"+4930123@192.0.2.1": "+4930123@192.0.2.1", "a@[2001:db8::1]": "a@[2001:db8::1]",
		"alice": "", "@h": "", "a@": "", "a@b@c": "", "a b@c": "", "a@b c": "", "sips:a@b": "", "a@b:5060": "", "a@b;x=1": "",
		"<sip:a@b>": "", "a@-b": "", "a@b..c": "", "a@[::1%lo]": "", "a\x00@b": "", "a@" + strings.Repeat("b", 300): "",
	} {
		got, err := api.ParseAOR(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
		if err != nil && !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%q: %v is no ErrInvalid", in, err)
		}
	}
}

func TestRefuseKeepsTextAndGainsAMeaning(t *testing.T) {
	cause := errors.New("adding user a@b: it is there")
	err := api.Refuse(api.ErrExists, cause)
	if err.Error() != cause.Error() || !errors.Is(err, api.ErrExists) || !errors.Is(err, cause) || errors.Is(err, api.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseAOR(f *testing.F) {
	f.Add("sip:alice@example.com")
	f.Add("a@[::1]")
	f.Fuzz(func(t *testing.T, in string) {
		aor, err := api.ParseAOR(in)
		if err != nil {
			return
		}
		if again, err := api.ParseAOR(aor); err != nil || again != aor {
			t.Errorf("%q becomes %q and then %q, %v", in, aor, again, err)
		}
	})
}
