// Package pgtest gives tests a real PostgreSQL server: found on this machine, made
// afresh in a temporary folder, reachable only through a socket in it, and gone with
// the test process, however that ends.
//
// Database is what most tests need: an empty database of its own on a server that
// the whole test process shares. A test that restarts, fills or breaks its server
// takes one of its own with Start. Where no server is installed a test skips and says
// so; with CI set it fails instead, because a proof that was skipped proves nothing.
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver "pgx"
)

// shared is the server of the test process, started by the first test that asks.
var shared = sync.OnceValues(func() (*Server, error) { return Launch(Options{}) })

// Database creates an empty database on the shared server and returns its DSN. It is
// dropped when the test ends, whoever is still connected to it.
func Database(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		absent(t, err)
	}
	return s.Database(t)
}

// Shared returns the server that Database uses.
func Shared(t testing.TB) *Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		absent(t, err)
	}
	return s
}

// Start launches a server for this test alone and stops it when the test ends.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	s, err := Launch(opts)
	if err != nil {
		absent(t, err)
	}
	t.Cleanup(s.Close)
	return s
}

// StartSeveral launches n servers at the same time, for this test alone.
func StartSeveral(t testing.TB, n int) []*Server {
	t.Helper()
	servers, errs := make([]*Server, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { servers[i], errs[i] = Launch(Options{}) })
	}
	all.Wait()
	for _, s := range servers {
		if s != nil {
			t.Cleanup(s.Close)
		}
	}
	if err := errors.Join(errs...); err != nil {
		absent(t, err)
	}
	return servers
}

// absent ends a test that got no server: without a complaint where none is
// installed, unless this is CI.
func absent(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrAbsent) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// databases numbers the databases of this process.
var databases atomic.Int64

// Database creates an empty database on this server and returns its DSN. It is
// dropped when the test ends, if the server still runs.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := s.exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create database %s: %v", name, err)
	}
	t.Cleanup(func() {
		// A server that the test stopped takes its databases with it.
		_ = s.exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	})
	return s.DSN(name)
}

// DSN returns the address of a database of this server, for pgx and for the programs
// of PostgreSQL alike.
func (s *Server) DSN(database string) string {
	q := url.Values{"host": {s.dir}, "user": {superuser}, "sslmode": {"disable"}}
	return "postgres:///" + database + "?" + q.Encode()
}

// Exec runs statements in a database of this server, for preparing a test.
func Exec(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(s), err)
		}
	}
}

func (s *Server) exec(ctx context.Context, statement string) error {
	db, err := sql.Open("pgx", s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
