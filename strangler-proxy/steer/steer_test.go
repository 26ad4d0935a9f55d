package steer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

const source = `version: 1 # steered
monolith: http://127.0.0.1:9000
services: { s: http://127.0.0.1:9001 }
groups:
  g: { routes: [ga, gb], stage: shadow }
  h: { routes: [ha, hb] }
routes:
  a:  { match: GET /a, to: s, stage: monolith } # é
  w:  { match: POST /w, to: s, stage: monolith }
  d:  { match: GET /d, to: s, stage: done }
  ga: { match: GET /ga, to: s }
  gb: { match: GET /gb, to: s }
  ha: { match: GET /ha, to: s, stage: monolith }
  hb: { match: GET /hb, to: s, stage: shadow }
`

type rig struct {
	*steer.File
	t    *testing.T
	path string
}

func newRig(t *testing.T, text string) *rig {
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	r := &rig{steer.New(path, steer.Options{}), t, path}
	r.write(text)
	return r
}

func (r *rig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) config() *config.Config {
	r.t.Helper()
	text, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg, _, err := config.Parse(r.path, text, config.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	return cfg
}

func (r *rig) stage(name string) string { return r.config().Route(name).Stage.String() }

func (r *rig) set(name, stage string, o steer.Order) error {
	r.t.Helper()
	to, err := route.ParseStage(stage)
	if err != nil {
		r.t.Fatal(err)
	}
	if o.Actor == "" {
		o.Actor = "cli:x"
	}
	_, err = r.Set(r.t.Context(), []steer.Move{{Name: name, To: to}}, o)
	return err
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// said are the entries of the log as text, without the tiresome parts.
func (r *rig) said() []string {
	r.t.Helper()
	report, err := audit.Verify(audit.Path(r.path), "")
	if err != nil || len(report.Problems) > 0 {
		r.t.Fatalf("the log is not in order: %v %+v", err, report)
	}
	h, err := r.History()
	r.must(err)
	var all []string
	for i, e := range h {
		if i > 0 && e.OldHash != h[i-1].NewHash && e.OldHash != h[i-1].OldHash {
			r.t.Errorf("entry %d goes on from %s, but the one before left it at %s", i, e.OldHash, h[i-1].NewHash)
		}
		all = append(all, strings.Join(strings.Fields(fmt.Sprint(e.Actor, " ", e.Action, " ", e.Route, e.Group, " ", e.From, ">", e.To, " ", strings.Join(e.Forced, "+"), " ", e.Reason)), " "))
	}
	return all
}

func (r *rig) wantLog(want ...string) {
	r.t.Helper()
	if got := strings.Join(r.said(), "\n"); got != strings.Join(want, "\n") {
		r.t.Errorf("the log says\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestSetIsGuardedAndNoted(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	var refused *steer.RefusedError
	if err := r.set("a", "live", steer.Order{}); !errors.As(err, &refused) || program.Code(err) != program.Refused || len(refused.Objections) != 2 {
		t.Fatalf("%v", err)
	}
	if err := r.set("a", "live", steer.Order{Force: true, Reason: " "}); program.Code(err) != program.Usage {
		t.Errorf("forced without a reason: %v", err)
	}
	if err := r.set("a", "shadow", steer.Order{Reason: strings.Repeat("x", 2000)}); program.Code(err) != program.Usage {
		t.Errorf("a long reason: %v", err)
	}
	if _, err := os.Stat(audit.Path(r.path)); !errors.Is(err, os.ErrNotExist) || r.stage("a") != "monolith" {
		t.Errorf("something was changed: %v", err)
	}
	r.must(r.set("a", "shadow", steer.Order{Reason: "begin"}))
	r.must(r.set("a", "shadow", steer.Order{Reason: "again"}))
	r.must(r.set("a", "canary 5%", steer.Order{DryRun: true}))
	evidence := func(string) route.Evidence { return route.Evidence{Compared: 100, Mismatches: 1} }
	r.must(r.set("a", "canary 5%", steer.Order{Evidence: evidence}))
	r.must(r.set("a", "live", steer.Order{Evidence: evidence}))
	r.must(r.set("w", "live", steer.Order{Force: true, Reason: "sure"}))
	r.wantLog("cli:x a monolith>shadow begin", "cli:x a shadow>canary 5%", "cli:x a canary 5%>live", "cli:x w monolith>live steps+writes sure")
	if r.config().Hash == "" || r.stage("w") != "live" {
		t.Error("the file")
	}
}

func TestGroupsMoveTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	if err := r.set("ga", "canary 5%", steer.Order{}); err == nil || !strings.Contains(err.Error(), `moves with its group "g"`) {
		t.Errorf("a route of a group with a stage: %v", err)
	}
	r.must(r.set("g", "canary 5%", steer.Order{}))
	if r.stage("ga") != "canary 5%" || r.stage("gb") != "canary 5%" {
		t.Error("the group did not move")
	}
	if err := r.set("h", "canary 5%", steer.Order{}); program.Code(err) != program.Refused || r.stage("hb") != "shadow" {
		t.Errorf("one of the group skips a stage: %v", err)
	}
	r.must(r.set("h", "shadow", steer.Order{}))
	r.must(r.set("h", "canary 1%", steer.Order{}))
	_, err := r.Rollback(t.Context(), "gb", steer.Order{Actor: "token:ci"}) // its group goes back
	r.must(err)
	_, err = r.Rollback(t.Context(), "h", steer.Order{Actor: "cli:x"})
	r.must(err)
	if r.stage("ga") != "shadow" || r.stage("ha") != "shadow" || r.stage("hb") != "shadow" {
		t.Error("the groups did not go back")
	}
	r.wantLog("cli:x g shadow>canary 5%", "cli:x ha monolith>shadow", "cli:x ha shadow>canary 1%", "cli:x hb shadow>canary 1%",
		"token:ci rollback g canary 5%>shadow", "cli:x rollback ha canary 1%>shadow", "cli:x rollback hb canary 1%>shadow")
	h, err := r.History()
	r.must(err)
	for name, want := range map[string]bool{"ga": true, "g": true, "ha": true, "a": false} {
		if _, frozen := h.Frozen(name); frozen != want {
			t.Errorf("%s is frozen: %v", name, frozen)
		}
	}
}

func TestRollbackWalksBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	for _, stage := range []string{"shadow", "canary 5%", "canary 50%"} {
		r.must(r.set("a", stage, steer.Order{}))
	}
	for _, want := range []string{"canary 5%", "shadow", "monolith", "monolith"} {
		_, err := r.Rollback(t.Context(), "a", steer.Order{Actor: "cli:x"})
		r.must(err)
		if got := r.stage("a"); got != want {
			t.Fatalf("went back to %s, want %s", got, want)
		}
	}
	if n := len(r.said()); n != 6 {
		t.Errorf("%d entries: the last rollback changed nothing", n)
	}
	if _, err := r.Rollback(t.Context(), "d", steer.Order{Actor: "cli:x"}); program.Code(err) != program.Refused || r.stage("d") != "done" {
		t.Errorf("from done: %v", err)
	}
	if _, err := r.Rollback(t.Context(), "nobody", steer.Order{Actor: "cli:x"}); program.Code(err) != program.Usage {
		t.Errorf("an unknown route: %v", err)
	}
	r.write(strings.Replace(source, "/a, to: s, stage: monolith", "/a, to: s, stage: live", 1)) // by hand, no proxy runs
	_, err := r.Rollback(t.Context(), "a", steer.Order{Actor: "cli:x"})
	r.must(err)
	if r.stage("a") != "monolith" {
		t.Errorf("without an earlier stage it went to %s", r.stage("a"))
	}
	said := r.said()
	if got := said[len(said)-2]; got != "file a monolith>live" {
		t.Errorf("what was done by hand is noted as %q", got)
	}
}

func TestPanicAndCalm(t *testing.T) {
	t.Parallel()
	r := newRig(t, strings.ReplaceAll(source, "\n", "\r\n"))
	before, err := os.ReadFile(r.path)
	r.must(err)
	if _, err := r.Panic(t.Context(), steer.Order{Actor: "cli:x"}); program.Code(err) != program.Usage {
		t.Errorf("without a reason: %v", err)
	}
	order := steer.Order{Actor: "cli:x", Reason: "it's \"${HOME}\"\nburning: #1"}
	for range 2 {
		_, err = r.Panic(t.Context(), order)
		r.must(err)
	}
	if got := r.config().Panic; got != order.Reason {
		t.Errorf("the file says %q", got)
	}
	for range 2 {
		_, err = r.Calm(t.Context(), steer.Order{Actor: "cli:x"})
		r.must(err)
	}
	if after, err := os.ReadFile(r.path); err != nil || string(after) != string(before) {
		t.Errorf("the file is not as before: %v\n%s", err, after)
	}
	r.write("panic: false\n" + source)
	_, err = r.Panic(t.Context(), order)
	r.must(err)
	if got := r.config().Panic; got != order.Reason {
		t.Errorf("after panic: false the file says %q", got)
	}
	said := r.said()
	if len(said) != 4 || !strings.HasPrefix(said[0], "cli:x panic") || said[1] != "cli:x panic-end >" || said[2] != "file edit >" {
		t.Errorf("%q", said)
	}
}

// An emergency does not wait for the log; anything else is not done without it.
func TestWithoutALog(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	r.must(os.Mkdir(audit.Path(r.path), 0o700))
	if err := r.set("a", "shadow", steer.Order{}); program.Code(err) != program.Usage || r.stage("a") != "monolith" {
		t.Errorf("%v", err)
	}
	result, err := r.Panic(t.Context(), steer.Order{Actor: "cli:x", Reason: "fire"})
	r.must(err)
	if result.NotNoted == nil || r.config().Panic != "fire" {
		t.Errorf("%+v", result)
	}
	result, err = r.Rollback(t.Context(), "hb", steer.Order{Actor: "cli:x"})
	r.must(err)
	if result.NotNoted == nil || r.stage("hb") != "monolith" {
		t.Errorf("%+v", result)
	}
}

// What is changed by hand is noted once, however many proxies see it.
func TestNoteByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	before := r.config()
	r.must(r.NoteByHand(t.Context(), nil)) // a proxy starts
	r.must(r.NoteByHand(t.Context(), before))
	if _, err := os.Stat(audit.Path(r.path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing happened, but there is a log: %v", err)
	}
	changed := strings.Replace(strings.Replace(source, "stage: shadow }\n  h", "stage: live }\n  h", 1), "/hb, to: s, stage: shadow", "/hb, to: s, stage: live", 1)
	r.write(changed + "  new: { match: /new, to: s, stage: live }\n")
	var all sync.WaitGroup
	for range 8 {
		other := steer.New(r.path, steer.Options{Now: func() time.Time { return time.Unix(1, 0) }})
		all.Go(func() { r.must(other.NoteByHand(context.Background(), before)) })
	}
	all.Wait()
	r.wantLog("file g shadow>live", "file hb shadow>live", "file new >live")
	r.write(changed)
	r.must(r.NoteByHand(t.Context(), nil))
	r.write("panic: x\n" + changed)
	r.must(r.NoteByHand(t.Context(), nil))
	r.write(changed)
	r.must(r.NoteByHand(t.Context(), nil))
	r.must(r.NoteByHand(t.Context(), nil))
	r.write("nonsense: [")
	r.must(r.NoteByHand(t.Context(), nil))
	r.wantLog("file g shadow>live", "file hb shadow>live", "file new >live", "file edit >", "file panic > x", "file panic-end >")
}

func TestNotes(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	for _, action := range []string{audit.Pause, audit.Resume, audit.Confirm} {
		_, err := r.Note(t.Context(), action, "a", steer.Order{Actor: "cli:x", Reason: "so"})
		r.must(err)
	}
	if _, err := r.Note(t.Context(), audit.Edit, "a", steer.Order{Actor: "cli:x"}); err == nil {
		t.Error("an edit is no note")
	}
	r.wantLog("cli:x pause a monolith>monolith so", "cli:x resume a monolith>monolith so", "cli:x confirm a monolith>monolith so")
}

// However many toggle at once, the file is as if they had come one after the other,
// and each toggle has its line.
func TestToggles(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	const writers, each = 20, 10
	var all sync.WaitGroup
	for w := range writers {
		f := steer.New(r.path, steer.Options{}) // as in a process of its own
		all.Go(func() {
			for i := range each {
				order := steer.Order{Actor: fmt.Sprintf("token:%d", w), Reason: fmt.Sprint(i)}
				to := []route.Stage{route.Monolith, route.Shadow}[(w+i)%2]
				if _, err := f.Set(context.Background(), []steer.Move{{Name: "a", To: to}}, order); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	h, err := r.History()
	r.must(err)
	stage, hash := "monolith", h[0].OldHash
	for i, e := range h {
		if e.From != stage || e.OldHash != hash || e.From == e.To {
			t.Fatalf("entry %d does not follow the one before: %+v", i, e)
		}
		stage, hash = e.To, e.NewHash
	}
	if stage != r.stage("a") || hash != r.config().Hash {
		t.Errorf("the log ends at %s, %s; the file is at %s, %s", stage, hash, r.stage("a"), r.config().Hash)
	}
	r.said()
}

func TestReasonsMayBeRequired(t *testing.T) {
	t.Parallel()
	r := newRig(t, source+"audit: { require_reason: true }\n")
	if err := r.set("a", "shadow", steer.Order{Reason: " "}); program.Code(err) != program.Usage || r.stage("a") != "monolith" {
		t.Errorf("forward without a reason: %v", err)
	}
	r.must(r.set("a", "shadow", steer.Order{Reason: "begin"}))
	r.must(r.set("a", "monolith", steer.Order{}))
	r.wantLog("cli:x a monolith>shadow begin", "cli:x a shadow>monolith")
}

// Automation that goes back freezes the route as a person's rollback does.
func TestSetAsARollback(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	r.must(r.set("a", "shadow", steer.Order{}))
	r.must(r.set("a", "monolith", steer.Order{Actor: "auto:rollback", Action: audit.Rollback, Reason: "errors", IfMatch: r.config().Hash}))
	h, err := r.History()
	r.must(err)
	if why, frozen := h.Frozen("a"); !frozen || !why.Automatic() {
		t.Errorf("%+v", h)
	}
	var stale *config.StaleError
	if err := r.set("a", "shadow", steer.Order{Actor: "auto:promote", IfMatch: "0123"}); !errors.As(err, &stale) {
		t.Errorf("another was faster: %v", err)
	}
}

// Somebody who holds the lock and sleeps delays no emergency; the entry follows.
func TestEmergencyWhileTheLogIsLocked(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	release, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		r.must(audit.Of(r.path).Change(context.Background(), func(string) ([]audit.Entry, error) {
			close(held)
			<-release
			return nil, nil
		}))
	})
	<-held
	all.Go(func() {
		result, err := r.Panic(context.Background(), steer.Order{Actor: "cli:x", Reason: "fire"})
		r.must(err)
		if result.NotNoted != nil {
			t.Error(result.NotNoted)
		}
	})
	for end := time.Now().Add(10 * time.Second); r.config().Panic != "fire"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the panic waits for the log")
		}
	}
	close(release)
	all.Wait()
	r.wantLog("cli:x panic > fire")
}
