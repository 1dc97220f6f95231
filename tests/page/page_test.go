// SPDX-License-Identifier: Apache-2.0

// Package page drives the page of the control API in Debian's Chromium, as an operator would.
package page

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/api/apitest"
)

// open shows the page of a daemon in a browser of the given width and height in pixels.
func open(t *testing.T, d *apitest.Daemon, width, height int) context.Context {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is missing: make test-packages installs it")
		}
		t.Skip("not supported here: no chromium")
	}
	srv := httptest.NewServer(api.New(d.Sources(), "v9", "127.0.0.1"))
	t.Cleanup(srv.Close)
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.WindowSize(width, height),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	do(t, ctx, chromedp.Navigate(srv.URL), chromedp.WaitVisible("#content"))
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func get[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// content is the page's main part.
func content(t *testing.T, ctx context.Context) string {
	t.Helper()
	return get(t, ctx, chromedp.Text("main"))
}

// waitText waits until the page's main part holds text.
func waitText(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	var got string
	for range 100 {
		got = content(t, ctx)
		if strings.Contains(got, text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	shot(t, ctx, "missing")
	t.Fatalf("the page never shows %q, but\n%s", text, got)
}

// shot keeps a picture where PAGE_SHOTS names a folder for them.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	png := get(t, ctx, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// view clicks a view in the navigation and waits for what it shows.
func view(t *testing.T, ctx context.Context, name, text string) {
	t.Helper()
	do(t, ctx, chromedp.Click(`nav a[href="#`+name+`"]`))
	waitText(t, ctx, text)
}

func TestOverviewDrainsAWorker(t *testing.T) {
	d := apitest.New()
	ctx := open(t, d, 1280, 900)
	waitText(t, ctx, "native XDP on eth0")
	do(t, ctx, chromedp.Focus("#drain-w1"), chromedp.KeyEvent(kb.Enter))
	waitText(t, ctx, "draining")
	shot(t, ctx, "overview")
	if s, _ := d.Status(t.Context()); s.Workers[0].State != api.WorkerDraining {
		t.Errorf("the daemon has w1 as %s", s.Workers[0].State)
	}
	do(t, ctx, chromedp.Click("#undrain-w1"), chromedp.WaitVisible("#drain-w1"))
}

func TestDialogsAreSearched(t *testing.T) {
	ctx := open(t, apitest.New(), 1280, 900)
	view(t, ctx, "dialogs", "c1@host")
	shot(t, ctx, "dialogs")
	do(t, ctx, chromedp.SendKeys("#search", "c3@"))
	var rows int
	for range 60 {
		rows = get(t, ctx, chromedp.Evaluate[int](`document.querySelectorAll("tbody tr").length`))
		if rows == 1 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, typed := content(t, ctx), get(t, ctx, chromedp.Value("#search"))
	if rows != 1 || !strings.Contains(text, "c3@host") || typed != "c3@" {
		t.Errorf("%d rows, typed %q:\n%s", rows, typed, text)
	}
}

func TestHostileTextStaysText(t *testing.T) {
	d := apitest.New()
	d.Calls[0].CallID = `<img src=x onerror="document.title='owned'">`
	d.Bindings[0].UserAgent = `<script>document.title='owned'</script>`
	ctx := open(t, d, 1280, 900)
	view(t, ctx, "dialogs", "<img src=x")
	view(t, ctx, "registrations", "<script>")
	if title := get(t, ctx, chromedp.Title()); title != "sipsteer lb1" {
		t.Errorf("the title is %q", title)
	}
}

func TestATelephoneSizedScreenNeedsNoSidewaysScroll(t *testing.T) {
	ctx := open(t, apitest.New(), 800, 800)
	do(t, ctx, chromedp.EmulateViewport(390, 800)) // no window gets that narrow
	for name, text := range map[string]string{"overview": "Workers", "dialogs": "c1@host", "registrations": "alice@example.com"} {
		view(t, ctx, name, text)
		shot(t, ctx, "phone-"+name)
		over := get(t, ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
		if over > 0 {
			t.Errorf("%s is %d pixels too wide", name, over)
		}
	}
}

func TestALostDaemonIsSaid(t *testing.T) {
	d := apitest.New()
	ctx := open(t, d, 1280, 900)
	waitText(t, ctx, "native XDP")
	get(t, ctx, chromedp.Evaluate[bool](`fetch = () => Promise.reject(new Error("gone")); true`))
	do(t, ctx, chromedp.WaitVisible("#link.lost"))
}
