package split_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// switched is a site whose tables the target owns.
func switched(t *testing.T, more string) (*site, *split.Engine) {
	t.Helper()
	s := newSite(t, 300)
	if more != "" {
		s.exec(more)
	}
	s.plan.Limits.Fence = 2 * time.Second
	e := s.engine(nil)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	_, err := e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{})
	testkit.Check(t, err)
	return s, e
}

// refuses makes sure that a write of the source is refused by the name of the new owner.
func (s *site) refuses(statement string) {
	s.t.Helper()
	if _, err := s.app.Exec(statement); err == nil || !strings.Contains(err.Error(), "is owned by notes (split notes, epoch 1)") {
		s.t.Errorf("%s: %v, want a refusal that names the owner", statement, err)
	}
}

func (s *site) count(query string) (n int) {
	s.t.Helper()
	testkit.Check(s.t, s.app.QueryRow(query).Scan(&n))
	return n
}

// TestStragglersAreRefusedAndCounted: after a cut-over, each kind of write that has not
// heard of it is refused as a whole, and counted; a refusal is shown, and stands against
// giving up the way back.
func TestStragglersAreRefusedAndCounted(t *testing.T) {
	t.Parallel()
	s, e := switched(t, "")
	rows := s.count(`SELECT count(*) + sum(id) FROM notes`)
	writes := []string{
		`INSERT INTO notes(slug) VALUES ('late'), ('later')`,
		`INSERT OR IGNORE INTO notes(slug) VALUES ('s1')`,
		`INSERT OR REPLACE INTO notes(id, slug) VALUES (1, 's2')`,
		`INSERT INTO notes(slug) VALUES ('s1') ON CONFLICT DO UPDATE SET n = 1`,
		`UPDATE notes SET body = 'late'`,
		`UPDATE OR IGNORE notes SET id = id + 1 WHERE id < 9`,
		`DELETE FROM notes WHERE id > 100`,
		`INSERT INTO tags VALUES (1, 'late')`,
		`DELETE FROM tags`,
	}
	for _, w := range writes {
		s.refuses(w)
	}
	if now := s.count(`SELECT count(*) + sum(id) FROM notes`); now != rows {
		t.Error("a write that was refused has changed something")
	}
	status, err := e.Status(t.Context())
	testkit.Check(t, err)
	if r := status.Refused; r.Writes != int64(len(writes)) || !r.AtLeast || time.Since(r.Last) > time.Minute {
		t.Errorf("counted: %+v, want %d", r, len(writes))
	}
	against, err := e.AgainstComplete(t.Context(), split.CompleteOptions{})
	testkit.Check(t, err)
	if len(against) != 2 || !strings.Contains(against[1].Error(), "9 writes were refused, the last ") {
		t.Errorf("against a complete: %v", against)
	}
	e.Plan.Limits.Quiet = time.Nanosecond
	if against, err = e.AgainstComplete(t.Context(), split.CompleteOptions{}); err != nil || len(against) != 1 {
		t.Errorf("against a complete after a quiet time: %v, %v", against, err)
	}
}

// TestRefusedTransactionsAreRolledBack: a transaction that goes on after a refusal keeps
// what else it did, and is counted; one that is rolled back leaves nothing, not even that.
func TestRefusedTransactionsAreRolledBack(t *testing.T) {
	t.Parallel()
	s, e := switched(t, "")
	s.exec(`BEGIN`)
	s.exec(`INSERT INTO other VALUES (1, 'before')`)
	s.refuses(`UPDATE notes SET n = 7`)
	s.exec(`COMMIT`)
	s.exec(`BEGIN IMMEDIATE`)
	s.exec(`INSERT INTO other VALUES (2, 'lost')`)
	s.refuses(`DELETE FROM notes`)
	s.exec(`ROLLBACK`)
	if n := s.count(`SELECT count(*) FROM other`); n != 1 {
		t.Errorf("%d rows, want that of the transaction that was committed", n)
	}
	if status, err := e.Status(t.Context()); err != nil || status.Refused.Writes != 1 {
		t.Errorf("counted: %+v, %v", status.Refused, err)
	}
}

// TestRefusalsLeaveNothingHalfDone: where the write of another table would write ours, by
// a trigger or a cascade, the whole statement is undone, though it is not counted then.
func TestRefusalsLeaveNothingHalfDone(t *testing.T) {
	t.Parallel()
	s, e := switched(t, "")
	s.exec(`CREATE TRIGGER late AFTER INSERT ON other BEGIN UPDATE Notes SET n = 0 WHERE id = NEW.id; END`)
	s.refuses(`INSERT INTO other VALUES (1, 'a'), (2, 'b')`)
	if n := s.count(`SELECT count(*) FROM other`); n != 0 {
		t.Errorf("%d rows of a statement that was refused are left", n)
	}
	s.refuses(`DELETE FROM notes`)
	if status, err := e.Status(t.Context()); err != nil || status.Refused.Writes != 0 {
		t.Errorf("counted: %+v, %v", status.Refused, err)
	}
	s.exec(`DROP TRIGGER late`)
	s.refuses(`DELETE FROM notes`)
	if status, err := e.Status(t.Context()); err != nil || status.Refused.Writes != 1 {
		t.Errorf("counted: %+v, %v", status.Refused, err)
	}
}
