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

const townRate = 200 // writes a second

// townFigures are what clients noticed of the switches.
type townFigures struct {
	name   string     // of the kind of databases
	goal   [3]float64 // of a hold at p50 and p99 and of a fence at p99, in milliseconds
	pairs  int
	got    outcome
	rows   int // in the database that owns at the end
	holds  []time.Duration
	fences []time.Duration
}

// A town is a monolith and a service, each with its own database, and a proxy before them.
type town struct {
	*splitRun
	figures *townFigures
	sides   [2]database // source and target
	dir     string
	proxy   string // address
	stop    []func()
}

// measureTowns gives the ownership of a table there and back while clients write: between
// files of SQLite and between databases of PostgreSQL.
func (r *splitRun) measureTowns(ctx context.Context) error {
	dir, err := r.folder("town")
	if err != nil {
		return err
	}
	r.towns = append(r.towns, &townFigures{name: "SQLite", pairs: 100, goal: [3]float64{80, 250, 100}})
	if err := r.measureTown(ctx, r.towns[0], file(filepath.Join(dir, "source.db")), file(filepath.Join(dir, "target.db"))); err != nil || r.server == nil {
		return err
	}
	r.towns = append(r.towns, &townFigures{name: "PostgreSQL", pairs: 50, goal: [3]float64{150, 500, 200}})
	source, err := r.fresh(ctx, "town_source")
	if err != nil {
		return err
	}
	target, err := r.fresh(ctx, "town_target")
	if err != nil {
		return err
	}
	return r.measureTown(ctx, r.towns[1], source, target)
}

func (r *splitRun) measureTown(ctx context.Context, f *townFigures, source, target database) error {
	w, err := r.newTown(ctx, f, source, target)
	defer w.close()
	if err != nil {
		return err
	}
	if r.short {
		f.pairs = 2
	}
	done, switched := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		switched <- w.switches(ctx)
	}()
	f.got, err = load{
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
func (r *splitRun) newTown(ctx context.Context, f *townFigures, source, target database) (*town, error) {
	dir, err := r.folder("town")
	w := &town{splitRun: r, figures: f, sides: [2]database{source, target}, dir: dir}
	if err != nil {
		return w, err
	}
	numbered := map[string]string{"sqlite3": "INTEGER PRIMARY KEY AUTOINCREMENT", "pgx": "BIGSERIAL PRIMARY KEY"}[source.driver]
	if err := execAll(ctx, source, `CREATE TABLE things (id `+numbered+`, body TEXT UNIQUE)`); err != nil {
		return w, err
	}
	var apps [2]string
	for i, side := range w.sides {
		if apps[i], err = w.app(ctx, side); err != nil {
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
	if err := r.plan(dir, source, target, []string{"things"},
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
func (w *town) app(ctx context.Context, side database) (addr string, err error) {
	db, err := side.open()
	if err != nil {
		return "", err
	}
	insert := param(side.driver, `INSERT INTO things (body) VALUES (?)`)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		db.Close()
		return "", fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if _, err := db.ExecContext(req.Context(), insert, req.URL.Query().Get("body")); err != nil {
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
	for pair := range w.figures.pairs {
		fmt.Fprintf(w.say, "split: %s, cut-over and rollback %d of %d\n", w.figures.name, pair+1, w.figures.pairs)
		for _, command := range []string{"cutover", "rollback"} {
			_, out, err := w.split(ctx, w.dir, command, "--yes", "-o", "json")
			if err != nil {
				return err
			}
			var report struct{ Held, Fenced time.Duration }
			if err := json.Unmarshal(out, &report); err != nil {
				return fmt.Errorf("report of %s: %w", command, err)
			}
			w.figures.holds, w.figures.fences = append(w.figures.holds, report.Held), append(w.figures.fences, report.Fenced)
		}
	}
	slices.Sort(w.figures.holds)
	slices.Sort(w.figures.fences)
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
	db, err := w.sides[0].open()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM things`).Scan(&w.figures.rows); err != nil {
		return fmt.Errorf("count the rows: %w", err)
	}
	if written := w.figures.got.sent() - int(w.figures.got.failed); w.figures.rows < written {
		return fmt.Errorf("%d writes were acknowledged and %d rows are there: writes were lost", written, w.figures.rows)
	}
	return nil
}

// open opens one side as an application does.
func (d database) open() (*sql.DB, error) {
	if d.driver == "sqlite3" {
		return openSQLite(strings.TrimPrefix(d.dsn, "file:"), "normal")
	}
	db, err := sql.Open(d.driver, d.dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.dsn, err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	return db, nil
}

func at(sorted []time.Duration, p float64) time.Duration {
	return outcome{latencies: sorted}.percentile(p)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (f *townFigures) goals(s section) section {
	s.rows = append(s.rows,
		atMostOrNone(f.name+", failed requests at the switches", 0, float64(f.got.failed), ""),
		atMost(f.name+", hold at a switch, p50", f.goal[0], millis(at(f.holds, 50)), "ms"), atMost("the same, p99", f.goal[1], millis(at(f.holds, 99)), "ms"),
		atMost(f.name+", fence at a switch, p99", f.goal[2], millis(at(f.fences, 99)), "ms"))
	return s
}

func (r *splitRun) townsSection() section {
	s := section{
		title: "Ownership moves there and back under clients",
		text: fmt.Sprintf("Pairs of `strangler split cutover` and `rollback` between two databases of one kind, while clients write %d rows a second through the proxy (open loop): requests wait while they are held, and writers of the database while it is fenced.",
			townRate),
		header: []string{"databases", "pairs", "writes", "failed", "p50 of the writes", "p99", "longest", "held p50", "held p99", "fenced p50", "fenced p99"},
	}
	for _, f := range r.towns {
		s.rows = append(s.rows, []string{
			f.name, fmt.Sprint(f.pairs), fmt.Sprint(f.got.sent()), failures(f.got), ms(f.got.percentile(50)), ms(f.got.percentile(99)), ms(f.got.percentile(100)),
			ms(at(f.holds, 50)), ms(at(f.holds, 99)), ms(at(f.fences, 50)), ms(at(f.fences, 99)),
		})
	}
	return s
}
