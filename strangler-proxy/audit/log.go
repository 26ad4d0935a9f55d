package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
)

// A Log is the log of one configuration file. Goroutines may share it, and so may
// processes that each have their own. Nothing exists on disk before the first entry.
type Log struct {
	path string
	turn chan struct{} // holds one token: within a process, waiting costs nothing
}

// Of returns the log that belongs to the configuration file at path.
func Of(path string) *Log { return &Log{path: Path(path), turn: make(chan struct{}, 1)} }

// Path is the log's file.
func (l *Log) Path() string { return l.path }

// ErrUnavailable reports that the log cannot be opened or locked; nothing was done.
var ErrUnavailable = errors.New("the audit log cannot be written")

// A NotNotedError reports that a change was made and that its entry is missing.
type NotNotedError struct{ Err error }

func (e *NotNotedError) Error() string {
	return fmt.Sprintf("the change was made, but not noted in the audit log: %v", e.Err)
}

// Unwrap lets errors.Is and errors.As see the cause.
func (e *NotNotedError) Unwrap() error { return e.Err }

// Append adds entries. It is Change for something that was done already.
func (l *Log) Append(ctx context.Context, entries ...Entry) error {
	return l.Change(ctx, func(string) ([]Entry, error) { return entries, nil })
}

// Change calls do while nobody else changes the file or the log, and then appends the
// entries that do returns. do is told the hash of the configuration after the newest
// entry, "" if there is none. When do fails, nothing is appended and its error comes
// back as it is; when the entries cannot be written, that is a *NotNotedError.
func (l *Log) Change(ctx context.Context, do func(newest string) ([]Entry, error)) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	f, err := l.open(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer l.leave(f)
	end, err := endOf(f)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	entries, err := do(end.newHash)
	if err != nil || len(entries) == 0 {
		return err
	}
	if err := l.write(f, end, entries); err != nil {
		return &NotNotedError{err}
	}
	return nil
}

// open returns the log's file, locked. The lock ends when the file is closed.
func (l *Log) open(ctx context.Context) (*os.File, error) {
	for {
		f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o640)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := filelock.Wait(ctx, f); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("%w: %w", filelock.Busy(f, l.path, time.Since(began)), err)
			}
			f.Close()
			return nil, fmt.Errorf("wait for others who change routes: %w", err)
		}
		locked, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if now, err := os.Stat(l.path); err == nil && os.SameFile(locked, now) {
			return f, nil
		}
		f.Close() // moved away while we waited, by a rotation of logs, say
	}
}

// leave closes the file. One that is still empty was made for its lock only.
func (l *Log) leave(f *os.File) {
	if info, err := f.Stat(); err == nil && info.Size() == 0 {
		_ = os.Remove(l.path) // whoever waits for its lock opens another, see open
	}
	f.Close()
}

func (l *Log) write(f *os.File, end end, entries []Entry) error {
	var text bytes.Buffer
	if end.torn {
		text.WriteByte('\n') // what a killed writer left behind stays a line of its own
	}
	prev := end.prev
	for _, e := range entries {
		line, err := e.marshal(prev)
		if err != nil {
			return err
		}
		text.Write(line)
		text.WriteByte('\n')
		prev = sum(line)
	}
	if _, err := f.Write(text.Bytes()); err != nil {
		_ = f.Truncate(end.size) // no half line, if the disk is full
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if end.size > 0 {
		return nil
	}
	return syncFolder(filepath.Dir(l.path))
}

// syncFolder makes a new file itself durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// An end is what an append must know of the lines before.
type end struct {
	size    int64
	torn    bool   // the last line has no end
	prev    string // for the next line
	newHash string // of the newest entry
}

// endOf looks at the last line; only where that tells too little at the whole log.
func endOf(f *os.File) (end, error) {
	info, err := f.Stat()
	if err != nil {
		return end{}, err
	}
	e := end{size: info.Size()}
	from := max(0, e.size-2*limitLine)
	text, err := io.ReadAll(io.NewSectionReader(f, from, e.size-from))
	if err != nil {
		return end{}, err
	}
	e.torn = len(text) > 0 && text[len(text)-1] != '\n'
	last := bytes.TrimSuffix(text, []byte("\n"))
	at := bytes.LastIndexByte(last, '\n')
	if entry, err := parse(last[at+1:]); err == nil && entry.Prev != "" && (at >= 0 || from == 0) {
		e.prev, e.newHash = sum(last[at+1:]), entry.NewHash
		return e, nil
	}
	return e, e.readAll(f)
}

// readAll fills e from the whole log: the last line is torn, of an older version, or
// there is none.
func (e *end) readAll(f *os.File) error {
	all, err := io.ReadAll(io.NewSectionReader(f, 0, e.size))
	if err != nil {
		return err
	}
	if e.torn {
		all = append(all, '\n')
	}
	chained, from, at := false, 0, 0
	for line := range bytes.Lines(all) {
		if entry, err := parse(bytes.TrimSuffix(line, []byte("\n"))); err == nil {
			e.newHash = entry.NewHash
			if chained = chained || entry.Prev != ""; chained {
				from = at
			}
		}
		at += len(line)
	}
	e.prev = sumBefore(all[from:], chained)
	return nil
}
