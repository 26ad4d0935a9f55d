package storefront_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	desktopWidth = 1280
	phoneWidth   = 360
	patience     = 20 * time.Second // for a page to change
)

// A tab is one page of a browser that notes everything the page complains about.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site *site

	mu         sync.Mutex
	complaints []string
}

// browse opens a browser of its own, or skips where there is none; CI must have one.
func (s *site) browse(t *testing.T) *tab {
	t.Helper()
	path, err := browserPath()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no chromium on this machine: CI must test the pages in a browser")
		}
		t.Skip("no chromium on this machine: the pages are not tested in a browser")
	}
	b := &tab{t: t, site: s}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(desktopWidth, 900),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithListener(b.listen))
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("close the browser: %v", err)
		}
		cancel()
		cancelAlloc()
	})
	b.ctx = ctx
	must(t, chromedp.Do(ctx)) // starts the browser
	return b
}

func browserPath() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// listen notes errors and warnings of the console, among them what the content
// policy has stopped and what could not be loaded.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value))
			}
			b.complaints = append(b.complaints, strings.Join(words, " "))
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	}
}

// quiet fails if a page complained since the last call.
func (b *tab) quiet() {
	b.t.Helper()
	for _, c := range b.complained() {
		b.t.Errorf("the browser complains: %s", c)
	}
}

// complained returns what pages complained about since the last call.
func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.complaints
	b.complaints = nil
	return said
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\n%s", err, b.text())
	}
}

func (b *tab) text() string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.site.URL + path))
}

// until waits for a condition of the page, also across a change of the page.
func (b *tab) until(condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+condition+`)`)); err == nil && ok {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("never came: %s\n%s", condition, b.text())
		case <-tick.C:
		}
	}
}

// shows waits until the page holds text.
func (b *tab) shows(text string) {
	b.t.Helper()
	b.until(`document.readyState === "complete" && document.body.innerText.includes(` + strconv.Quote(text) + `)`)
}

// press clicks what selector names, as a person does.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// write types text into a field.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// shoot keeps pictures of the page as wide screens and phones show it, and fails if
// the phone has to scroll sideways.
func (b *tab) shoot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("img").forEach(image => image.loading = "eager")`))
	b.until(`[...document.images].every(image => image.complete && image.naturalWidth > 0)`)
	for _, width := range []int64{phoneWidth, desktopWidth} {
		suffix, opts := "-desktop.png", []chromedp.EmulateViewportOption{}
		if width == phoneWidth {
			suffix, opts = "-phone.png", append(opts, chromedp.EmulateMobile, chromedp.EmulatePortrait)
		}
		must(b.t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 800, opts...)))
		wide, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](fmt.Sprintf(tooWide, width)))
		must(b.t, err)
		if len(wide) > 0 {
			b.t.Errorf("%s at %d px scrolls sideways because of %s", name, width, strings.Join(wide, ", "))
		}
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		must(b.t, err)
		must(b.t, os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+suffix), picture, 0o644))
	}
	must(b.t, chromedp.Do(ctx, chromedp.ResetViewport()))
}

// tooWide names the elements that make the document wider than the window.
const tooWide = `(() => {
	const width = %d;
	if (document.documentElement.scrollWidth <= width) return [];
	return ["document " + document.documentElement.scrollWidth, ...[...document.querySelectorAll("body *")]
		.filter(e => e.getBoundingClientRect().right > width + 0.5 && !e.closest("ul.wrap"))
		.slice(0, 5).map(e => e.tagName + "." + e.className + " " + e.getBoundingClientRect().right)];
})()`
