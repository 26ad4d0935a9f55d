//go:build unix

package strangler_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

const oneMore = "services: { s: http://127.0.0.1:2 }\nroutes:\n  a: { match: /a, to: s, stage: monolith }\n"

// What is no file to edit is refused with one clear line, at once and unchanged.
func TestSetStageOnWhatCannotBeChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	source := header + "monolith: http://127.0.0.1:1\n" + oneMore
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(at("read-only"), []byte(source), 0o444))
	must(os.Symlink("nowhere", at("dangling")))
	must(os.Mkdir(at("folder"), 0o700))
	must(os.WriteFile(at("huge"), make([]byte, yamldoc.LimitBytes+1), 0o600))
	must(syscall.Mkfifo(at("pipe"), 0o600))
	for name, want := range map[string]string{
		"read-only": "is read-only", "dangling": "no such file", "missing": "no such file", "folder": "is a directory",
		"huge": "larger than", "pipe": "not a regular file",
	} {
		err := setStage(at(name), "a", "live")
		if program.Code(err) != program.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: code %d, %v", name, program.Code(err), err)
		}
	}
	if after, err := os.ReadFile(at("read-only")); err != nil || string(after) != source {
		t.Errorf("the read-only file became %q %v", after, err)
	}
	if _, err := strangler.New(t.Context(), strangler.Options{ConfigPath: at("pipe")}); program.Code(err) != program.Usage {
		t.Errorf("a proxy from a pipe: %v", err)
	}
	must(os.WriteFile(at("steering"), []byte("version: 1\x1b[2J\n"), 0o600))
	if err := setStage(at("steering"), "a", "live"); err == nil || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("escape codes go to the terminal: %q", err)
	}
	var problems *yamldoc.ProblemsError
	must(os.WriteFile(at("empty"), nil, 0o600))
	if err := setStage(at("empty"), "a", "live"); !errors.As(err, &problems) {
		t.Errorf("empty: %v", err)
	}
}

// A file of 50 MB is refused without being read: at a start and, with the last good
// one staying in use, at a reload.
func TestFileOf50MB(t *testing.T) {
	t.Parallel()
	r := start(t, "monolith: http://127.0.0.1:1\n"+oneMore)
	if err := os.Truncate(r.path, 50<<20); err != nil {
		t.Fatal(err)
	}
	least := uint64(math.MaxUint64)
	for range 5 { // other tests allocate meanwhile, but hardly that much each time
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		source, err := yamldoc.ReadFile(r.path)
		runtime.ReadMemStats(&after)
		if err == nil || source != nil || !strings.Contains(err.Error(), r.path+": the file is larger than 1 MiB") {
			t.Errorf("%d bytes, %v", len(source), err)
		}
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	if least > 16<<20 {
		t.Errorf("%d bytes were allocated", least)
	}
	if _, err := strangler.New(t.Context(), strangler.Options{ConfigPath: r.path}); program.Code(err) != program.Usage {
		t.Errorf("a proxy from it: %v", err)
	}
	await(t, "the refusal", func() bool { return r.status().Config.State == "rejected" })
	if st := r.status(); st.Config.Version != 1 || len(st.Routes) != 1 {
		t.Errorf("in use: %+v", st.Config)
	}
}

// A file that is emptied and then written line by line is taken over whole: no
// request meets a configuration that is neither the old one nor the new one.
func TestTornWrites(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	config := func(stage string) string {
		return fmt.Sprintf("monolith: %s\nservices: { s: \"%s\" }\nroutes:\n  a: { match: /a, to: s, stage: %s }\n  b: { match: /b, to: s, stage: live }\n", m.URL, s.URL, stage)
	}
	r := start(t, config("live"))
	answering := map[string]string{"monolith": "monolith", "live": "s"}
	rewrite := func(stage string, write func(config string) bool) (kept bool) {
		kept = write(config(stage))
		await(t, "the stage "+stage, func() bool { return r.do("GET", "/a", nil).saw.Server == answering[stage] })
		return kept
	}
	now, next := "live", "monolith"
	for done, tries := 0, 0; done < 2; tries++ {
		if tries == 20 {
			t.Skip("this machine is too busy to write six lines without a long pause")
		}
		before := r.status().Config.Version
		var kept bool
		strange := probing(r, func() { kept = rewrite(next, r.writeSlowly) })
		if !kept { // what nobody promises needs no second look
			rewrite(now, func(config string) bool { r.write(config); return true })
			continue
		}
		if strange != "" {
			t.Errorf("while it was written: %s", strange)
		}
		if v := r.status().Config.Version; v != before+1 {
			t.Errorf("one change led from configuration %d to %d", before, v)
		}
		now, next = next, now
		done++
	}
}

// writeSlowly empties the file and writes it a line at a time, as an editor on a slow
// disk does. It reports whether it was as quick as the proxy can expect: on a busy
// machine the pauses become longer than that.
func (r *rig) writeSlowly(config string) (kept bool) {
	begin := time.Now()
	f, err := os.Create(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	kept = true
	for line := range strings.Lines(header + config) {
		before := time.Now()
		if _, err := f.WriteString(line); err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(60 * time.Millisecond) // longer than a whole file has to stay as it is
		kept = kept && time.Since(before) < 250*time.Millisecond
	}
	return kept && time.Since(begin) < time.Second
}

// probing asks for what no change concerns as long as do lasts, and says what was
// strange.
func probing(r *rig, do func()) (strange string) {
	stop := make(chan struct{})
	var prober sync.WaitGroup
	prober.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got, err := r.try("GET", "/b", nil); err != nil || got.saw.Server != "s" {
				strange = fmt.Sprintf("%q answered (%v)", got.saw.Server, err)
				return
			}
		}
	})
	do()
	close(stop)
	prober.Wait()
	return strange
}

// Ten thousand routes, four lines each, are accepted and found.
func TestManyRoutes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(header + "monolith: http://127.0.0.1:1\nservices: { s: http://127.0.0.1:2 }\nroutes:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  r%d:\n    match: GET /api/things%d/{id}\n    to: s\n    stage: live\n", i, i)
	}
	cfg, _, err := config.Parse("c.yaml", []byte(b.String()), config.Options{})
	if err != nil {
		t.Fatalf("%.300v", err)
	}
	for _, i := range []int{0, 4999, 9999} {
		r, err := cfg.Table.Find(route.Head{Method: "GET", Path: fmt.Sprintf("/api/things%d/7", i)})
		if err != nil || r == nil || r.Name != fmt.Sprintf("r%d", i) {
			t.Errorf("route %d: %v %v", i, r, err)
		}
	}
}
