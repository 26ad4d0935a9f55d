// Package state keeps what stands in the databases after a run, table by table, and says which
// database a table is to be read from when it moved to a service. It opens no database itself:
// a [Reader] does, which the program brings along.
//
// It promises that secrets are hidden like those of exchanges, that rows are in the order of
// their keys, and that a table beyond the limits is an error and not a part of a table.
package state

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/glob"
)

// A Reader reads every table of a database in one snapshot, once nobody has written for a
// moment. It calls table before the rows of each, in the order of their primary keys.
type Reader func(ctx context.Context, dsn string, table func(name string, columns []string) error, row func(values []any) error) error

// A Database is one of a side's databases.
type Database struct {
	Name   string `json:"name"`
	Driver string `json:"driver"` // sqlite, postgres, …
	DSN    string `json:"dsn"`
}

// A Spec says where the state of each side is.
type Spec struct {
	Schema int        `json:"schema"` // 1
	Before []Database `json:"before"`
	After  []Database `json:"after"`
	// Owners name, by table, the database of AFTER that holds the truth; other tables are read
	// from the first database that has them.
	Owners map[string]string `json:"owners,omitempty"`
	Ignore []string          `json:"ignore,omitempty"` // tables, * for any text
}

// alwaysIgnored are tables that no application calls its own.
var alwaysIgnored = []string{
	"sqlite_*", "goose_db_version", "schema_migrations", "_strangler_*",
	"*.goose_db_version", "*.schema_migrations", "*._strangler_*", // of another schema
}

// ReadSpec reads a file that --state names; readers are the drivers that are known.
func ReadSpec(path string, readers map[string]Reader) (Spec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, err
	}
	var s Spec
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(path+": "+format, args...))
	}
	if s.Schema != 1 {
		problem("schema %d; write \"schema\": 1", s.Schema)
	}
	for side, list := range map[string][]Database{"before": s.Before, "after": s.After} {
		if len(list) == 0 {
			problem("%s: no database", side)
		}
		for i, d := range list {
			if d.Name == "" || d.DSN == "" {
				problem("%s[%d]: name and dsn are needed", side, i)
			}
			if readers[d.Driver] == nil {
				problem("%s[%d].driver: this program cannot read %q", side, i, d.Driver)
			}
		}
	}
	for table, owner := range s.Owners {
		if !slices.ContainsFunc(s.After, func(d Database) bool { return d.Name == owner }) {
			problem("owners: %s: after has no database %q", table, owner)
		}
	}
	return s, errors.Join(problems...)
}

// A Table is one table after a run.
type Table struct {
	Database string            `json:"database"`
	Name     string            `json:"table"`
	Rows     []json.RawMessage `json:"rows"` // objects, in the order of the primary key
}

const (
	// File is the name of the file in a recording.
	File     = "state.ndjson"
	maxRows  = 200_000 // of one table
	maxTable = 60 << 20
)

// Save reads the databases and writes their state into the folder of a recording.
func Save(ctx context.Context, dir string, list []Database, s Spec, readers map[string]Reader, redact *differ.Redactor) error {
	f, err := os.OpenFile(filepath.Join(dir, File), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	out, plain := bufio.NewWriter(f), asStored
	if s.mixed() {
		plain = asMeant
	}
	for _, d := range list {
		w := &writer{spec: s, database: d.Name, plain: plain, redact: redact, out: out}
		if err = readers[d.Driver](ctx, d.DSN, w.begin, w.row); err == nil {
			err = w.flush()
		}
		if err != nil {
			err = fmt.Errorf("database %s: %w", d.Name, err)
			break
		}
	}
	return errors.Join(err, out.Flush(), f.Close())
}

// A writer writes one database, a table a line.
type writer struct {
	spec     Spec
	database string
	plain    func(any) any
	redact   *differ.Redactor
	out      *bufio.Writer
	table    *Table
	columns  []string
	bytes    int
}

func (w *writer) begin(name string, columns []string) error {
	if err := w.flush(); err != nil {
		return err
	}
	for _, p := range slices.Concat(alwaysIgnored, w.spec.Ignore) {
		if glob.Match(p, name) {
			return nil
		}
	}
	w.table, w.columns, w.bytes = &Table{Database: w.database, Name: name, Rows: []json.RawMessage{}}, columns, 0
	return nil
}

func (w *writer) row(values []any) error {
	if w.table == nil {
		return nil
	}
	object := make(map[string]any, len(values))
	for i, v := range values {
		object[w.columns[i]] = w.plain(v)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("table %s: %w", w.table.Name, err)
	}
	text = w.redact.Body(text)
	w.bytes += len(text)
	if len(w.table.Rows) >= maxRows || w.bytes > maxTable {
		return fmt.Errorf("table %s has more than %d rows or %d bytes; ignore it, or compare with less data", w.table.Name, maxRows, maxTable)
	}
	w.table.Rows = append(w.table.Rows, text)
	return nil
}

func (w *writer) flush() error {
	if w.table == nil {
		return nil
	}
	text, err := json.Marshal(w.table)
	if err != nil {
		return err
	}
	w.table = nil
	_, err = w.out.Write(append(text, '\n'))
	return err
}

// Load reads the state in the folder of a recording; a recording without one has no tables.
func Load(dir string) ([]Table, error) {
	f, err := os.Open(filepath.Join(dir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []Table
	dec := json.NewDecoder(bufio.NewReader(f))
	for dec.More() {
		var t Table
		if err := dec.Decode(&t); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		list = append(list, t)
	}
	return list, nil
}

// Union picks one table of each name: that of its owner, or else of the first database.
func Union(list []Table, owners map[string]string) map[string]Table {
	all := map[string]Table{}
	for _, t := range list {
		if _, taken := all[t.Name]; !taken || owners[t.Name] == t.Database {
			all[t.Name] = t
		}
	}
	return all
}
