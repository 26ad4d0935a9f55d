package cli_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/internal/program"
)

// TestDryRunsChangeNothing gives every command that only looks in every phase of a split, and
// compares all there is before and after: the bytes of all files beside the plan, which are
// both databases of SQLite and the control file, and the dumps of servers.
func TestDryRunsChangeNothing(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		looksChangeNothing(t, s.plan, func() map[string]string { return files(t, s.dir) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		server, dir := pgtest.Shared(t), t.TempDir()
		source, target := server.Database(t), server.Database(t)
		pgtest.Exec(t, source, `CREATE TABLE notes (id serial PRIMARY KEY, body text)`, `INSERT INTO notes(body) VALUES ('first'), ('second')`)
		plan := filepath.Join(dir, "notes.yaml")
		text := "version: 1\nsplit: notes\nsource: { driver: pgx, dsn: \"" + source + "\" }\ntarget: { driver: pgx, dsn: \"" + target + "\" }\ntables: [notes]\ncreate_target: true\nlimits: { fence: 5s }\n"
		if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		looksChangeNothing(t, plan, func() map[string]string {
			all := files(t, dir)
			for name, dsn := range map[string]string{"source": source, "target": target} {
				out, err := exec.CommandContext(t.Context(), server.Program("pg_dump"), dsn).Output()
				if err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(string(out)) {
					if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) { // they are made up anew each time
						all[name] += line
					}
				}
			}
			return all
		})
	})
}

// files are the hashes of all files in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		sum := sha256.Sum256(text)
		all[path] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func looksChangeNothing(t *testing.T, plan string, everything func() map[string]string) {
	t.Helper()
	looks := [][]string{
		{"plan", plan},
		{"run", plan, "--dry-run"},
		{"status", plan},
		{"report", plan},
		{"abort", plan, "--dry-run"},
		{"cutover", plan, "--dry-run"},
		{"rollback", plan, "--dry-run"},
		{"complete", plan, "--dry-run", "--confirm", "--reason", "a test"},
		{"complete", plan, "--dry-run", "--keep-data"},
	}
	for _, step := range [][]string{nil, {"run", "--until", "copied"}, {"run", "--until", "verified"}, {"cutover", "--yes"}, {"rollback", "--yes"}, {"cutover", "--yes"}, {"complete", "--yes", "--confirm", "--reason", "a test"}} {
		if step != nil {
			if out, err := command(t.Context(), append([]string{step[0], plan}, step[1:]...)...); err != nil {
				t.Fatalf("%v: %v: %s", step, err, out)
			}
		}
		before := everything()
		for _, look := range looks {
			if out, err := command(t.Context(), look...); err != nil && program.Code(err) != program.Refused {
				t.Errorf("after %v: %v: %v: %s", step, look, err, out)
			}
		}
		if after := everything(); !maps.Equal(before, after) {
			t.Errorf("after %v, looking changes something: there was\n%v\nthere is\n%v", step, before, after)
		}
	}
}
