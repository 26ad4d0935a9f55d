// Package migrations holds the schema of every database as goose migrations, one
// folder per owner, and runs them. It is the only package that imports goose.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"sort"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/stranglerfig/toolkit/internal/program"
)

//go:embed monolith/*.sql recommendations/*.sql catalog/*.sql reviews/*.sql
var files embed.FS

// A Step is one migration of a database and whether it has been applied.
type Step struct {
	Version int64     `json:"version"`
	Source  string    `json:"source"`
	Applied bool      `json:"applied"`
	At      time.Time `json:"at,omitzero"` // when it was applied
}

// Up brings the database of owner (a folder of this package, "monolith" say) to
// the newest schema. A database of another owner or program, or one that is newer
// than this program, is refused and left as it is.
func Up(ctx context.Context, db *sql.DB, owner string) error {
	if err := refuseForeign(ctx, db, owner); err != nil {
		return err
	}
	p, err := provider(db, owner)
	if err != nil {
		return err
	}
	if err := refuseNewer(ctx, p, owner); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", owner, err)
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, mark(owner))); err != nil {
		return fmt.Errorf("mark the database of %s: %w", owner, err)
	}
	return nil
}

// DownTo rolls the database of owner back to version; 0 undoes everything.
func DownTo(ctx context.Context, db *sql.DB, owner string, version int64) error {
	p, err := provider(db, owner)
	if err != nil {
		return err
	}
	if _, err := p.DownTo(ctx, version); err != nil {
		return fmt.Errorf("migrate %s down to %d: %w", owner, version, err)
	}
	return nil
}

// Status lists the migrations of owner in order.
func Status(ctx context.Context, db *sql.DB, owner string) ([]Step, error) {
	p, err := provider(db, owner)
	if err != nil {
		return nil, err
	}
	list, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status of %s: %w", owner, err)
	}
	steps := make([]Step, 0, len(list))
	for _, s := range list {
		steps = append(steps, Step{
			Version: s.Source.Version, Source: s.Source.Path,
			Applied: s.State == goose.StateApplied, At: s.AppliedAt,
		})
	}
	sort.Slice(steps, func(i, j int) bool { return steps[i].Version < steps[j].Version })
	return steps, nil
}

func provider(db *sql.DB, owner string) (*goose.Provider, error) {
	sub, err := fs.Sub(files, owner)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", owner, err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", owner, err)
	}
	return p, nil
}

// mark is what stands in the header of a database of owner, as its application id.
func mark(owner string) int64 { return int64(crc32.ChecksumIEEE([]byte("strangler "+owner)) >> 1) }

// refuseForeign keeps programs from making their tables among those of another one.
// Names that begin with an underscore belong to tools, which may come first.
func refuseForeign(ctx context.Context, db *sql.DB, owner string) error {
	var id int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return fmt.Errorf("read whose database it is: %w", err)
	}
	var tables, migrated int
	if err := db.QueryRowContext(ctx, `
		SELECT count(*), coalesce(sum(name = 'goose_db_version'), 0)
		FROM sqlite_master
		WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE '\_%' ESCAPE '\'`).Scan(&tables, &migrated); err != nil {
		return fmt.Errorf("read whose database it is: %w", err)
	}
	if id == mark(owner) || id == 0 && (tables == 0 || migrated > 0) {
		return nil
	}
	return program.Fail(program.Usage, "give the path of another file", "it is not a database of the %s: %w", owner, ErrForeign)
}

func refuseNewer(ctx context.Context, p *goose.Provider, owner string) error {
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("schema version of %s: %w", owner, err)
	}
	if current <= target {
		return nil
	}
	return program.Fail(program.Usage, "run the program version that made it, or restore an older copy",
		"the %s database has schema version %d, this program knows %d: %w", owner, current, target, ErrNewer)
}

// ErrForeign reports a database of another owner or program.
var ErrForeign = errors.New("it belongs to another program")

// ErrNewer reports a database whose schema is newer than this program.
var ErrNewer = errors.New("schema is newer than the program")
