package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// IsGone reports whether an error says that a table of the engine is not there, which its
// state says is.
func IsGone(err error) bool {
	return err != nil && strings.Contains(err.Error(), "no such table: ") && strings.Contains(err.Error(), dialect.Prefix)
}

// Mend makes anew what somebody dropped.
func (d *Database) Mend(ctx context.Context, m dialect.Move) ([]string, error) {
	var names []string
	missing := func(q queryer) error {
		names = nil
		set, err := readInstalled(ctx, q, m.Split)
		if err != nil || set == nil || set.Tables == nil {
			return err
		}
		for _, table := range mendable(m, set.Leads) {
			there, err := exists(ctx, q, table)
			if err != nil {
				return err
			}
			if !there {
				names = append(names, table)
			}
		}
		return nil
	}
	if err := missing(d.guest.Readers); err != nil || len(names) == 0 {
		return nil, d.explain(err, "look for the engine's tables")
	}
	err := d.write(ctx, "mend the engine's tables", func(tx *sqlx.Tx) error {
		if err := missing(tx); err != nil {
			return err
		}
		for _, table := range names {
			if err := remake(ctx, tx, m, table); err != nil {
				return err
			}
		}
		return nil
	})
	d.forgetCheck(m.Split)
	return names, err
}

// mendable are the tables of a split that can be made anew. How far a copy is, what was put
// away and who owns a table nobody can know without the tables that said so.
func mendable(m dialect.Move, leads bool) []string {
	tables := []string{logTable(m.Split), dirtyTable(m.Split)}
	if leads {
		return tables
	}
	if len(m.Carried()) > 0 && m.Role == dialect.Source {
		tables = append(tables, looseTable(m.Split))
	}
	return append(tables, refusedTable)
}

// readInstalled reads what was set up for a split; nil: it is not recorded.
func readInstalled(ctx context.Context, q queryer, split string) (*installed, error) {
	there, err := exists(ctx, q, ctlTable)
	if err != nil || !there {
		return nil, err
	}
	var captured string
	switch err := q.GetContext(ctx, &captured, `SELECT captured FROM `+ctlTable+` WHERE split = ?`, split); {
	case isNone(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	set := &installed{}
	return set, json.Unmarshal([]byte(captured), set)
}

func remake(ctx context.Context, tx *sqlx.Tx, m dialect.Move, table string) error {
	do := func(statement string, args ...any) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	}
	switch table {
	case logTable(m.Split):
		set, err := readInstalled(ctx, tx, m.Split)
		if err == nil && set.Leads {
			err = dropTriggers(ctx, tx, m.Split)
		}
		return errors.Join(err, do(makeLog(m)))
	case dirtyTable(m.Split):
		return errors.Join(do(makeDirty(m)), do(`UPDATE `+ckTable+` SET verified = NULL, passes = 0, passed_at = '' WHERE split = ?`, m.Split))
	case looseTable(m.Split):
		return do(makeLoose(m))
	}
	return makeRefused(ctx, tx, m)
}
