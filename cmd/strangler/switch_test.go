package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The test binary is also the program: with STRANGLER_ARGS it runs those arguments.
func TestMain(m *testing.M) {
	if args := os.Getenv("STRANGLER_ARGS"); args != "" {
		os.Args = append(os.Args[:1], strings.Split(args, "\n")...)
		main()
		return
	}
	os.Exit(m.Run())
}

// A town is a monolith and a service, each with its own database, a proxy in front of
// them, an engine that runs, and clients that write.
type town struct {
	t       *testing.T
	dir     string
	proxy   string
	admin   string
	written sync.Map // body of each acknowledged write, by its id
	count   atomic.Int64
	failed  atomic.Int64
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

func (w *town) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "STRANGLER_ARGS="+strings.Join(args, "\n"))
	return cmd
}

// start runs a program until the test ends.
func (w *town) start(args ...string) {
	w.t.Helper()
	cmd := w.command(args...)
	log, err := os.Create(filepath.Join(w.dir, args[0]+".log"))
	if err != nil {
		w.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
		cmd.Wait()                       //nolint:errcheck // its log is shown if anything failed
		log.Close()
		if w.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			w.t.Logf("%v:\n%s", args, tail(text))
		}
	})
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// app serves POST /things from one database, as an application that knows nothing.
func app(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_busy_timeout=20000&_txlock=immediate&_synchronous=normal")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := db.ExecContext(r.Context(), `INSERT INTO things(body) VALUES (?)`, r.URL.Query().Get("body"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		id, _ := res.LastInsertId()
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, id)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func newTown(t *testing.T) *town {
	w := &town{t: t, dir: t.TempDir()}
	source := filepath.Join(w.dir, "source.db")
	db, err := sql.Open("sqlite3", "file:"+source+"?_journal_mode=WAL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT UNIQUE)`); err != nil {
		t.Fatal(err)
	}
	public, admin := free(t), free(t)
	w.proxy, w.admin = "http://"+public, admin
	w.write("strangler.yaml", fmt.Sprintf(`version: 1
listen: %s
admin: { listen: %s }
monolith: %s
services:
  things: { url: %s, breaker: off }
groups:
  moved: { routes: [things], split: things }
routes:
  things: { match: /things, to: things, stage: monolith }
`, public, admin, app(t, source), app(t, filepath.Join(w.dir, "target.db"))))
	w.write("plan.yaml", fmt.Sprintf(`version: 1
split: things
source: { driver: sqlite3, dsn: "file:source.db" }
target: { driver: sqlite3, dsn: "file:target.db" }
tables: [things]
create_target: true
routes: { flip: [things] }
proxies: [http://%s]
limits: { disk: 1MiB, fence: 2s }
`, admin))
	w.start("proxy", "--config", "strangler.yaml")
	w.until(func() bool {
		res, err := http.Get("http://" + admin + "/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return w
}

func (w *town) write(name, text string) {
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) until(ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal("it does not come about")
		}
	}
}

// load lets clients write 200 times a second in all.
func (w *town) load() {
	ctx, stop := context.WithCancel(w.t.Context())
	w.stop = stop
	for client := range 4 {
		w.ended.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				w.post(fmt.Sprintf("c%d-%d", client, n))
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
}

func (w *town) post(body string) {
	res, err := http.Post(w.proxy+"/things?body="+body, "text/plain", nil)
	if err != nil {
		w.failed.Add(1)
		w.t.Errorf("a client got an error: %v", err)
		return
	}
	defer res.Body.Close()
	var text [512]byte
	n, _ := res.Body.Read(text[:])
	if res.StatusCode != http.StatusCreated {
		w.failed.Add(1)
		w.t.Errorf("a client got %d: %s", res.StatusCode, text[:n])
		return
	}
	w.acknowledged(string(text[:n]), body)
}

// acknowledged takes down that a write was.
func (w *town) acknowledged(id, body string) {
	w.count.Add(1)
	if other, twice := w.written.LoadOrStore(id, body); twice {
		w.t.Errorf("id %s was handed out to %s and %s", id, other, body)
	}
}

// switchTo gives a command and returns its report.
func (w *town) switchTo(command string) (held, fenced time.Duration) {
	w.t.Helper()
	cmd := w.command("split", command, "plan.yaml", "--yes", "-o", "json")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%s: %v: %s", command, err, stderr.String())
	}
	var report struct{ Held, Fenced time.Duration }
	if err := json.Unmarshal(out, &report); err != nil {
		w.t.Fatal(err)
	}
	return report.Held, report.Fenced
}

// Pairs of cut-over and rollback while clients write through the proxy: none of them
// notices, each acknowledged write is in the database that owns, and no key is handed out
// twice. SOAK=1 makes 100 pairs.
func TestClientsDoNotNoticeSwitches(t *testing.T) {
	t.Parallel()
	pairs := 5
	if os.Getenv("SOAK") != "" {
		pairs = 100
	}
	w := newTown(t)
	w.load()
	if out, err := w.command("split", "run", "plan.yaml", "--until", "verified").CombinedOutput(); err != nil {
		t.Fatalf("run: %v: %s", err, out)
	}
	w.follow()
	var holds, fences []time.Duration
	for range pairs {
		for _, command := range []string{"cutover", "rollback"} {
			held, fenced := w.switchTo(command)
			holds, fences = append(holds, held), append(fences, fenced)
		}
	}
	w.stop()
	w.ended.Wait()
	w.check("source.db")
	slices.Sort(holds)
	slices.Sort(fences)
	t.Logf("%d writes, %d failed; held p50 %s, p99 %s; fenced p50 %s, p99 %s", w.count.Load(), w.failed.Load(),
		at(holds, 50), at(holds, 99), at(fences, 50), at(fences, 99))
}

// follow lets an engine run, and waits until it answers.
func (w *town) follow() {
	w.t.Helper()
	w.start("split", "run", "plan.yaml")
	w.until(func() bool {
		out, err := w.command("split", "status", "plan.yaml", "-o", "json").Output()
		return err == nil && strings.Contains(string(out), `"live"`)
	})
}

func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)].Round(100 * time.Microsecond)
}

// check compares what is in a database with what was acknowledged.
func (w *town) check(name string) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.dir, name)+"?mode=ro")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(w.t.Context(), `SELECT id, body FROM things`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	found := int64(0)
	for rows.Next() {
		var id int
		var body string
		if err := rows.Scan(&id, &body); err != nil {
			w.t.Fatal(err)
		}
		if want, ok := w.written.Load(strconv.Itoa(id)); !ok || want != body {
			w.t.Errorf("row %d holds %s, acknowledged was %v", id, body, want)
		}
		found++
	}
	if err := rows.Err(); err != nil && !errors.Is(err, context.Canceled) {
		w.t.Fatal(err)
	}
	if found != w.count.Load() {
		w.t.Errorf("%d rows, %d writes were acknowledged", found, w.count.Load())
	}
}
