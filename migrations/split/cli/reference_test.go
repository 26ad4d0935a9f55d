package cli_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/cli"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// printed are the types of docs/reference/split-json.md by the headings there.
var printed = map[string]any{
	"split plan, split run --dry-run":    split.Survey{},
	"split init":                         cli.InitResult{},
	"split init without --table":         split.Outline{},
	"split abort, split abort --dry-run": cli.AbortResult{},
	"table to choose":                    split.TableOutline{},
	"split run":                          cli.RunResult{},
	"split status":                       split.Status{},
	"split verify":                       cli.VerifyResult{},
	"split cutover, split rollback":      cli.SwitchResult{},
	"split cutover --dry-run, split rollback --dry-run": split.SwitchPlan{},
	"split complete":           cli.CompleteResult{},
	"split complete --dry-run": split.CompletePlan{},
	"split report":             split.Report{},
	"database":                 dialect.Info{},
	"planned table":            split.TableSurvey{},
	"cut key":                  split.CutKey{},
	"refusal":                  split.Refusal{},
	"table":                    split.TableStatus{},
	"refused":                  split.Refused{},
	"refused on both sides":    split.RefusedOnSides{},
	"holder":                   control.Holder{},
	"live":                     split.Live{},
	"table under way":          split.TableLive{},
	"run":                      split.RunReport{},
	"totals":                   split.RunTotals{},
	"beginning of a phase":     split.PhaseTime{},
	"phase":                    split.PhaseSpan{},
	"switch":                   split.SwitchReport{},
	"change of owners":         split.SwitchEvent{},
	"step":                     split.StepTime{},
	"planned step":             split.PlannedStep{},
	"completion":               split.CompleteReport{},
	"abortion":                 split.AbortReport{},
	"finding":                  transfer.Finding{},
	"column":                   transfer.Column{},
}

// A member is one of an object: whether it may be absent, and the heading of what it holds
// if that is an object, or a list of them.
type member struct {
	optional bool
	holds    string
}

// TestJSONReference holds the page equal to the types, in both directions.
func TestJSONReference(t *testing.T) {
	t.Parallel()
	page := jsonReference(t)
	headings := map[reflect.Type]string{}
	for heading, of := range printed {
		headings[reflect.TypeOf(of)] = heading
	}
	for heading, of := range printed {
		want := map[string]member{}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
			tag := field.Tag.Get("json")
			name, options, _ := strings.Cut(tag, ",")
			if name == "" || name == "-" {
				continue
			}
			inner := field.Type
			for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			m := member{optional: strings.HasPrefix(options, "omit")}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
				if m.holds = headings[inner]; m.holds == "" {
					t.Errorf("%s: %s is a %s, which has no section", heading, name, inner)
				}
			}
			want[name] = m
		}
		if have := page[heading]; !maps.Equal(have, want) {
			t.Errorf("section %q says\n%v\nand the command prints\n%v", heading, have, want)
		}
	}
	for heading := range page {
		if _, known := printed[heading]; !known {
			t.Errorf("section %q is of nothing that is printed", heading)
		}
	}
}

var (
	memberName = regexp.MustCompile("`([a-z0-9_]+)`( \\?)?")
	sectionRef = regexp.MustCompile(`\[([a-z ]+)\]\(#[a-z-]+\)`)
)

// jsonReference reads the members that the page names, by heading.
func jsonReference(t *testing.T) map[string]map[string]member {
	t.Helper()
	text, err := os.ReadFile("../../../docs/reference/split-json.md")
	if err != nil {
		t.Fatal(err)
	}
	page, heading := map[string]map[string]member{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		cells := strings.SplitN(line, "|", 3)
		switch {
		case strings.HasPrefix(line, "## "):
			heading = strings.ReplaceAll(line[3:], "`", "")
		case strings.HasPrefix(line, "All members of a ["):
			page[heading] = maps.Clone(page[sectionRef.FindStringSubmatch(line)[1]])
			if page[heading] == nil { // the section follows
				page[heading] = map[string]member{"all of": {holds: sectionRef.FindStringSubmatch(line)[1]}}
			}
		case len(cells) == 3 && strings.Contains(cells[1], "`"):
			if page[heading] == nil {
				page[heading] = map[string]member{}
			}
			for _, name := range memberName.FindAllStringSubmatch(cells[1], -1) {
				m := member{optional: name[2] != ""}
				if ref := sectionRef.FindStringSubmatch(cells[2]); ref != nil {
					m.holds = ref[1]
				}
				page[heading][name[1]] = m
			}
		}
	}
	for _, members := range page {
		if of, has := members["all of"]; has {
			delete(members, "all of")
			maps.Copy(members, page[of.holds])
		}
	}
	return page
}

// TestJSONIsAsTheReferenceSays takes a split through its life, and holds what the commands
// really print against the page.
func TestJSONIsAsTheReferenceSays(t *testing.T) {
	t.Parallel()
	page := jsonReference(t)
	s := newScene(t)
	seen := map[string]bool{}
	look := func(heading string, args ...string) {
		t.Helper()
		var value any
		if text := s.split(args...); json.Unmarshal([]byte(text), &value) != nil {
			t.Fatalf("%v prints no JSON: %s", args, text)
		}
		conform(t, page, strings.Join(args, " "), heading, value, seen)
	}
	look("split init without --table", "init", "x", "--source", filepath.Join(s.dir, "source.db"))
	look("split init", "init", filepath.Join(s.dir, "made.yaml"), "--source", filepath.Join(s.dir, "source.db"), "--table", "notes")
	look("split plan, split run --dry-run", "plan", s.plan)
	look("split plan, split run --dry-run", "run", s.plan, "--dry-run")
	look("split run", "run", s.plan, "--until", "verified")
	look("split status", "status", s.plan)
	look("split abort, split abort --dry-run", "abort", s.plan, "--dry-run")
	look("split verify", "verify", s.plan)
	s.sql("target", `BEGIN; UPDATE _strangler_ctl SET applying = 1; UPDATE notes SET body = 'rogue' WHERE id = 1; UPDATE _strangler_ctl SET applying = 0; COMMIT`)
	look("split verify", "verify", s.plan)
	look("split verify", "verify", s.plan, "--repair")
	stop := s.run()
	look("live", "pause", s.plan)
	look("live", "resume", s.plan)
	look("split status", "status", s.plan)
	stop()
	look("split cutover --dry-run, split rollback --dry-run", "cutover", s.plan, "--dry-run")
	look("split cutover, split rollback", "cutover", s.plan, "--yes", "--reason", "a test")
	if s.try("source", `INSERT INTO notes VALUES (9, 'late')`) == nil {
		t.Error("a late write was not refused")
	}
	look("split status", "status", s.plan)
	look("split cutover, split rollback", "cutover", s.plan, "--yes") // once more: nothing is left to do
	look("split cutover --dry-run, split rollback --dry-run", "cutover", s.plan, "--dry-run")
	look("split cutover, split rollback", "rollback", s.plan, "--yes")
	look("split cutover, split rollback", "cutover", s.plan, "--yes")
	look("split complete --dry-run", "complete", s.plan, "--dry-run", "--confirm", "--reason", "a test")
	look("split complete", "complete", s.plan, "--yes", "--confirm", "--reason", "a test")
	look("split report", "report", s.plan)
	look("split abort, split abort --dry-run", "abort", s.plan, "--yes")
	for _, heading := range []string{"table", "finding", "column", "live", "holder", "table under way", "refused", "change of owners", "completion", "phase"} {
		if !seen[heading] {
			t.Errorf("no command has printed a %s", heading)
		}
	}
}

// conform compares a value with a section.
func conform(t *testing.T, page map[string]map[string]member, at, heading string, value any, seen map[string]bool) {
	t.Helper()
	seen[heading] = true
	object, ok := value.(map[string]any)
	if !ok {
		t.Errorf("%s: %v is no object", at, value)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		m, known := page[heading][name]
		switch inner := object[name].(type) {
		case nil:
			t.Errorf("%s: %s is null", at, name)
		case []any:
			for _, one := range inner {
				if m.holds != "" {
					conform(t, page, at+" "+name, m.holds, one, seen)
				}
			}
		case map[string]any:
			conform(t, page, at+" "+name, m.holds, inner, seen)
		}
		if !known {
			t.Errorf("%s: section %q does not name %s", at, heading, name)
		}
	}
	for name, m := range page[heading] {
		if _, there := object[name]; !there && !m.optional {
			t.Errorf("%s: %s is absent", at, name)
		}
	}
}

// A scene is a source with a table, and a plan.
type scene struct {
	t         *testing.T
	dir, plan string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, dir: t.TempDir()}
	s.plan = filepath.Join(s.dir, "notes.yaml")
	text := "version: 1\nsplit: notes\nsource: { driver: sqlite3, dsn: \"file:" + s.dir + "/source.db\" }\ntarget: { driver: sqlite3, dsn: \"file:" + s.dir +
		"/target.db\" }\ntables: [notes]\ncreate_target: true\nlimits: { disk: 1MiB, fence: 5s }\n"
	if err := os.WriteFile(s.plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.sql("source", `CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'first'), (2, 'second')`)
	return s
}

// try executes a script as an application does, and sql one that must go well.
func (s *scene) try(side, script string) error {
	s.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, side+".db")+"?_busy_timeout=5000")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(s.t.Context(), script)
	return err
}

func (s *scene) sql(side, script string) {
	s.t.Helper()
	if err := s.try(side, script); err != nil {
		s.t.Fatalf("%s: %v", script, err)
	}
}

// command gives a command of split with -o json, and returns what it prints.
func command(ctx context.Context, args ...string) (stdout string, err error) {
	var out, talk bytes.Buffer
	root := &cobra.Command{Use: "strangler", SilenceUsage: true, SilenceErrors: true}
	root.PersistentFlags().StringP("output", "o", "table", "")
	root.AddCommand(cli.Command(cli.Options{}))
	root.SetArgs(append(append([]string{"split"}, args...), "-o", "json"))
	root.SetOut(&out)
	root.SetErr(&talk)
	err = root.ExecuteContext(ctx)
	return out.String(), err
}

func (s *scene) split(args ...string) string {
	s.t.Helper()
	out, err := command(s.t.Context(), args...)
	if err != nil && out == "" {
		s.t.Fatalf("%v: %v", args, err)
	}
	return out
}

// run lets an engine run until it is stopped; it answers when run returns.
func (s *scene) run() (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := command(ctx, "run", s.plan)
		ended <- err
	}()
	for !strings.Contains(s.split("status", s.plan), `"live"`) {
		if s.t.Context().Err() != nil {
			s.t.Fatal("the engine does not answer")
		}
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
}
