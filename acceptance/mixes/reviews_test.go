package mixes_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/shoptest"
)

const reviewsConfig = `version: 1
monolith: %s
services:
  reviews: %s
routes:
  product-reviews:
    match: /api/products/{id}/reviews/**
    to: reviews
    stage: monolith
  review-form: { match: "POST /p/{id}/reviews", stage: monolith }
  account: { match: "DELETE /api/me", stage: monolith }
groups:
  reviews: { routes: [product-reviews], split: reviews }
`

// reviewsShop is the monolith and the reviews service behind the proxy, and what the
// split between them needs to know.
type reviewsShop struct {
	monolith, service *shoptest.Process
	url, admin        string
	dir               string
	plan              string
	env               []string
	run               *exec.Cmd // strangler split run
}

func newReviewsShop(t *testing.T) *reviewsShop {
	t.Helper()
	s := &reviewsShop{dir: t.TempDir()}
	addr, config := freeAddress(t), filepath.Join(s.dir, "strangler.yaml")
	var err error
	if s.monolith, err = shoptest.StartMonolith(t.Context(), bin, s.dir, "--reviews", "http://"+addr); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s.monolith)
	if s.service, err = shoptest.Start(t.Context(), filepath.Join(bin, "reviews"), "serve", "--addr", addr,
		"--db", filepath.Join(s.dir, "reviews.db"), "--monolith", s.monolith.URL, "--refresh", "50ms", "--log-level", "warn"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.service.Kill)
	if err := os.WriteFile(config, fmt.Appendf(nil, reviewsConfig, s.monolith.URL, s.service.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s.url, s.admin = startProxy(t, config)
	plan, err := os.ReadFile(filepath.Join("..", "..", "migrations", "plans", "reviews.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.plan = filepath.Join(s.dir, "reviews.yaml") // the engine keeps its notes beside it
	if err := os.WriteFile(s.plan, plan, 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "SHOP_DB="+filepath.Join(s.dir, "monolith.db"), "REVIEWS_DB="+filepath.Join(s.dir, "reviews.db"), "STRANGLER_DEMO_ADMIN="+strings.TrimPrefix(s.admin, "http://"))
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// command is a command of the split with the plan of the reviews, as a person would type
// it where the shop runs.
func (s *reviewsShop) command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "strangler"), append([]string{"split", args[0], s.plan}, args[1:]...)...)
	cmd.Env, cmd.Dir = s.env, s.dir
	return cmd
}

// split runs a command of the split. One that gives up because it would keep writers
// waiting for too long is given again, as it says.
func (s *reviewsShop) split(t *testing.T, args ...string) {
	t.Helper()
	began := time.Now()
	out, err := s.command(t.Context(), t, args...).CombinedOutput()
	for try := 0; err != nil && try < 20 && strings.Contains(string(out), "give the command again"); try++ {
		out, err = s.command(t.Context(), t, args...).CombinedOutput()
	}
	if err != nil {
		t.Fatalf("split %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "split reviews: ") {
			t.Logf("%s took %s: %s", args[0], time.Since(began).Round(time.Millisecond), strings.TrimSpace(line))
		}
	}
}

// follow lets the engine run until unfollow, or the end of the test.
func (s *reviewsShop) follow(t *testing.T) {
	t.Helper()
	var out strings.Builder
	s.run = s.command(context.WithoutCancel(t.Context()), t, "run")
	s.run.Stdout, s.run.Stderr = &out, &out
	if err := s.run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.unfollow(t) })
	eventually(t, "the engine runs", func() bool {
		out, err := s.command(t.Context(), t, "status").CombinedOutput()
		return err == nil && strings.Contains(string(out), "strangler split run, process")
	})
}

func (s *reviewsShop) unfollow(t *testing.T) {
	t.Helper()
	if s.run == nil {
		return
	}
	_ = s.run.Process.Signal(syscall.SIGINT) // it may have ended already: then Wait says so
	var exit *exec.ExitError
	if err := s.run.Wait(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 130) {
		t.Errorf("split run: %v\n%s", err, s.run.Stderr)
	}
	s.run = nil
}

// aboutReviews are the tests that have to do with reviews in any way.
const aboutReviews = "Review|DeleteAccount|Product|Feed|Dashboard|Journey|Shopper|Form|Pages|Markup|Audit"

// TestSuiteWhileTheReviewsMove takes the reviews all the way, as a person would, and runs
// the suite at each point of it: no test may notice where the reviews are, or that they
// are just moving.
func TestSuiteWhileTheReviewsMove(t *testing.T) {
	t.Parallel()
	s := newReviewsShop(t)
	s.split(t, "run", "--until", "verified")
	s.follow(t)
	suite(t, s.url, aboutReviews).green(t)

	s.split(t, "cutover", "--yes")
	t.Run("at the service", func(t *testing.T) {
		suite(t, s.url, ".").green(t)
		if r := routes(t, s.admin)[0]; r.Stage != "live" || r.Service == 0 || r.Fallbacks+r.Failed > 0 {
			t.Errorf("the proxy counted %+v", r)
		}
	})
	t.Run("past the proxy", func(t *testing.T) { suite(t, s.monolith.URL, aboutReviews).green(t) })
	t.Run("there and back", func(t *testing.T) { s.thereAndBack(t) })
	t.Run("back again", func(t *testing.T) { suite(t, s.url, aboutReviews).green(t) })

	s.split(t, "cutover", "--yes")
	s.unfollow(t)
	s.split(t, "complete", "--yes", "--confirm", "--reason", "the suite is green")
	t.Run("completed", func(t *testing.T) { suite(t, s.url, aboutReviews).green(t) })
	s.service.Kill()
	for path, want := range map[string]int{"/p/1": 200, "/": 200, "/api/products/1": 200, "/api/products/1/reviews": 503} {
		if got := status(t, s.url+path); got != want {
			t.Errorf("without the service %s is answered with %d, want %d", path, got, want)
		}
	}
}

// thereAndBack runs the suite while the reviews change owners all the time. They begin at
// the service and end at the monolith.
func (s *reviewsShop) thereAndBack(t *testing.T) {
	done := make(chan verdict, 1)
	go func() {
		defer close(done) // suite may end the test
		done <- suite(t, s.url, ".")
	}()
	defer func() { <-done }() // this may, too
	for switches := 1; ; switches++ {
		s.split(t, "rollback", "--yes")
		select {
		case v := <-done: // no verdict: the suite has ended the test
			v.green(t)
			t.Logf("with %d switches", switches)
			return
		default:
		}
		s.split(t, "cutover", "--yes")
		switches++
	}
}
