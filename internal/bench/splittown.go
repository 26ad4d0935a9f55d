package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	townRate  = 200 // writes a second
	townPairs = 20
)

// townFigures are what clients noticed of the switches.
type townFigures struct {
	pairs  int
	got    outcome
	rows   int // in the database that owns at the end
	holds  []time.Duration
	fences []time.Duration
}

// A town is a monolith and a service, each with its own database, and a proxy before them.
type town struct {
	*splitRun
	dir   string
	proxy string // address
	stop  []func()
}

// measureTown gives the ownership of a table there and back while clients write.
func (r *splitRun) measureTown(ctx context.Context) error {
	w, err := r.newTown(ctx)
	defer w.close()
	if err != nil {
		return err
	}
	r.town.pairs = townPairs
	if r.short {
		r.town.pairs = 2
	}
	done, switched := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		switched <- w.switches(ctx)
	}()
	r.town.got, err = load{
		Method: http.MethodPost, Rate: townRate, Duration: time.Hour, Connections: 32, Done: done,
		URL: func(i int64) string { return fmt.Sprintf("http://%s/things?body=%d", w.proxy, i) },
		Check: func(res *http.Response) error {
			if res.StatusCode != http.StatusCreated {
				return fmt.Errorf("POST %s: status %s", res.Request.URL, res.Status)
			}
			return nil
		},
	}.run(ctx)
	if err := <-switched; err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return w.count(ctx)
}

// townConfig wants the addresses of proxy and admin, monolith and service.
const townConfig = `version: 1
listen: %s
admin: { listen: %s }
monolith: http://%s
services:
  things: { url: http://%s, breaker: off }
groups:
  moved: { routes: [things], split: things }
routes:
  things: { match: /things, to: things, stage: monolith }
`

// newTown starts everything but the engine.
func (r *splitRun) newTown(ctx context.Context) (*town, error) {
	dir, err := r.folder("town")
	w := &town{splitRun: r, dir: dir}
	if err != nil {
		return w, err
	}
	if err := execAll(ctx, file(filepath.Join(dir, "source.db")), `CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT UNIQUE)`); err != nil {
		return w, err
	}
	var apps [2]string
	for i, name := range []string{"source.db", "target.db"} {
		if apps[i], err = w.app(ctx, filepath.Join(dir, name)); err != nil {
			return w, err
		}
	}
	addrs, err := freeAddresses(ctx, 2)
	if err != nil {
		return w, err
	}
	w.proxy = addrs[0]
	config := filepath.Join(dir, "strangler.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, townConfig, addrs[0], addrs[1], apps[0], apps[1]), 0o600); err != nil {
		return w, fmt.Errorf("configure the proxy: %w", err)
	}
	if err := r.plan(dir, file("source.db"), file("target.db"), []string{"things"},
		fmt.Sprintf("routes: { flip: [things] }\nproxies: [\"http://%s\"]\n", addrs[1])); err != nil {
		return w, err
	}
	p, err := start(ctx, r.strangler, "http://"+addrs[1]+"/healthz", 30*time.Second, "proxy", "--config", config, "--log-level", "warn")
	if err == nil {
		w.stop = append(w.stop, p.stop)
	}
	return w, err
}

func (w *town) close() {
	for _, stop := range slices.Backward(w.stop) {
		stop()
	}
}

// app serves POST /things from one database, as an application that knows of nothing.
func (w *town) app(ctx context.Context, path string) (addr string, err error) {
	db, err := openSQLite(path, "normal")
	if err != nil {
		return "", err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		db.Close()
		return "", fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if _, err := db.ExecContext(req.Context(), `INSERT INTO things (body) VALUES (?)`, req.URL.Query().Get("body")); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		rw.WriteHeader(http.StatusCreated)
	})}
	go server.Serve(listener) //nolint:errcheck // it ends with close
	w.stop = append(w.stop, func() { server.Close(); db.Close() })
	return listener.Addr().String(), nil
}

// switches lets an engine follow, and gives the ownership there and back.
func (w *town) switches(ctx context.Context) error {
	if _, _, err := w.split(ctx, w.dir, "run", "--until", "verified"); err != nil {
		return err
	}
	engine := exec.Command(w.strangler, "split", "run", "plan.yaml") //nolint:noctx // it is stopped gracefully below
	var said bytes.Buffer
	engine.Dir, engine.Stderr = w.dir, &said
	if err := engine.Start(); err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	err := w.pairs(ctx)
	engine.Process.Signal(syscall.SIGINT) //nolint:errcheck // it may have ended
	if ended := engine.Wait(); err == nil && ended != nil {
		err = fmt.Errorf("the engine: %w", ended)
	}
	if err != nil {
		return fmt.Errorf("%w; the engine said: %s", err, said.Bytes())
	}
	return nil
}

func (w *town) pairs(ctx context.Context) error {
	if err := w.following(ctx); err != nil {
		return err
	}
	for pair := range w.town.pairs {
		fmt.Fprintf(w.say, "split: cut-over and rollback %d of %d\n", pair+1, w.town.pairs)
		for _, command := range []string{"cutover", "rollback"} {
			_, out, err := w.split(ctx, w.dir, command, "--yes", "-o", "json")
			if err != nil {
				return err
			}
			var report struct{ Held, Fenced time.Duration }
			if err := json.Unmarshal(out, &report); err != nil {
				return fmt.Errorf("report of %s: %w", command, err)
			}
			w.town.holds, w.town.fences = append(w.town.holds, report.Held), append(w.town.fences, report.Fenced)
		}
	}
	slices.Sort(w.town.holds)
	slices.Sort(w.town.fences)
	return nil
}

// following waits until the engine says that it follows.
func (w *town) following(ctx context.Context) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, out, err := w.split(ctx, w.dir, "status", "-o", "json")
		if err == nil && strings.Contains(string(out), `"live"`) {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("the engine does not follow: %s (%w)", out, err)
		}
	}
}

// count counts what is in the database that owns at the end: each write that was
// answered must be there.
func (w *town) count(ctx context.Context) error {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.dir, "source.db")+"?mode=ro")
	if err != nil {
		return fmt.Errorf("count the rows: %w", err)
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM things`).Scan(&w.town.rows); err != nil {
		return fmt.Errorf("count the rows: %w", err)
	}
	if written := w.town.got.sent() - int(w.town.got.failed); w.town.rows < written {
		return fmt.Errorf("%d writes were acknowledged and %d rows are there: writes were lost", written, w.town.rows)
	}
	return nil
}

func at(sorted []time.Duration, p float64) time.Duration {
	return outcome{latencies: sorted}.percentile(p)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (f townFigures) goals(s section) section {
	s.rows = append(s.rows,
		atMostOrNone("failed requests at the switches", 0, float64(f.got.failed), ""),
		atMost("hold at a switch, p50", 80, millis(at(f.holds, 50)), "ms"), atMost("the same, p99", 250, millis(at(f.holds, 99)), "ms"),
		atMost("fence at a switch, p99", 100, millis(at(f.fences, 99)), "ms"))
	return s
}

func (f townFigures) section() section {
	return section{
		title: "Ownership moves there and back under clients",
		text: fmt.Sprintf("%d pairs of `strangler split cutover` and `rollback` between two SQLite files, while clients write %d rows a second through the proxy (open loop): requests wait while they are held, and writers of the database while it is fenced.",
			f.pairs, townRate),
		header: []string{"writes", "failed", "p50 of the writes", "p99", "longest", "held p50", "held p99", "fenced p50", "fenced p99"},
		rows: [][]string{{
			fmt.Sprint(f.got.sent()), failures(f.got), ms(f.got.percentile(50)), ms(f.got.percentile(99)), ms(f.got.percentile(100)),
			ms(at(f.holds, 50)), ms(at(f.holds, 99)), ms(at(f.fences, 50)), ms(at(f.fences, 99)),
		}},
	}
}
