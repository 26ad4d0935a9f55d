// Package accesslog writes a line for each request. Writing never holds a request up:
// lines are put into a buffer of a fixed size, a goroutine writes it out several times
// a second, and what finds no room, because the disk is full or nobody reads, is
// dropped and counted. What a client sends cannot make lines of its own or steer a
// terminal, and secrets are not written.
package accesslog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// Limits of what a Log keeps.
const (
	limitBuffer = 1 << 20  // bytes of lines that wait
	wakeAt      = 64 << 10 // bytes from which on the writer does not wait for its time
	limitField  = 2 << 10  // bytes of a field; the rest is cut off
)

// Options tune a Log. The zero value writes JSON to standard error.
type Options struct {
	Out   io.Writer     // where lines without a file go; nil means os.Stderr
	Text  bool          // lines of the format Auto are for people
	Every time.Duration // how often lines are written out; 0 means 150 ms
	Log   *slog.Logger  // for what is wrong with the log itself; nil discards
}

// A Log takes the lines of all requests. Its methods may be called by any number of
// goroutines, and Write by a nil *Log too.
type Log struct {
	opts    Options
	secrets *differ.Redactor
	format  atomic.Pointer[config.AccessLog] // in force
	wake    chan struct{}
	lines   sync.Pool // of *[]byte

	dropped, failed atomic.Uint64 // lines

	mu      sync.Mutex
	waiting []byte // lines
	count   uint64 // of them

	writing sync.Mutex // guards what follows
	spare   []byte
	file    *os.File // nil: Options.Out
	torn    bool     // the last line was written in part
	failing bool
}

// Open returns a Log with the given settings. It fails if their file cannot be opened.
func Open(s config.AccessLog, opts Options) (*Log, error) {
	opts.Every = cmp.Or(opts.Every, 150*time.Millisecond)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	if opts.Out == nil {
		opts.Out = os.Stderr
	}
	l := &Log{opts: opts, secrets: differ.NewRedactor(nil), wake: make(chan struct{}, 1)}
	l.lines.New = func() any { b := make([]byte, 0, 1<<10); return &b }
	return l, l.Use(s)
}

// Use goes on with other settings. If their file cannot be opened, the error says so
// and nothing changes.
func (l *Log) Use(s config.AccessLog) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if old := l.format.Load(); old != nil && *old == s {
		return nil
	}
	return l.open(s)
}

// Reopen opens the file again, after somebody has moved it away.
func (l *Log) Reopen() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	s := *l.format.Load()
	if s.Path == "" || s.Format == config.LogOff {
		return nil
	}
	return l.open(s)
}

func (l *Log) open(s config.AccessLog) error {
	var file *os.File
	if s.Path != "" && s.Format != config.LogOff {
		var err error
		if file, err = openFile(s.Path); err != nil {
			return fmt.Errorf("access log: %w", err)
		}
	}
	l.flush() // what waits belongs to the old file
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file, l.torn, l.failing = file, false, false
	l.format.Store(&s)
	return nil
}

// openFile opens a file for appending. A pipe that nobody reads would block.
func openFile(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
}

// Write adds the line of a finished exchange.
func (l *Log) Write(x *exchange.Exchange) {
	if l == nil {
		return
	}
	s := l.format.Load()
	if s.Format == config.LogOff {
		return
	}
	scratch := l.lines.Get().(*[]byte)
	line := (*scratch)[:0]
	if s.Format == config.LogText || s.Format == config.LogAuto && l.opts.Text {
		line = l.appendText(line, x, s.Query)
	} else {
		line = l.appendJSON(line, x, s.Query)
	}
	l.add(line)
	*scratch = line
	l.lines.Put(scratch)
}

func (l *Log) add(line []byte) {
	l.mu.Lock()
	if len(l.waiting)+len(line) > limitBuffer {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	before := len(l.waiting)
	l.waiting = append(l.waiting, line...)
	l.count++
	l.mu.Unlock()
	if before < wakeAt && before+len(line) >= wakeAt {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Lost is how many lines were dropped, because they found no room or could not be
// written.
func (l *Log) Lost() uint64 { return l.dropped.Load() + l.failed.Load() }

// Run writes lines out until ctx ends, and then those that are left.
func (l *Log) Run(ctx context.Context) {
	ticks := time.NewTicker(l.opts.Every)
	defer ticks.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticks.C:
		case <-l.wake:
		}
		l.Flush()
	}
}

// Flush writes out what waits.
func (l *Log) Flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.flush()
}

// Close writes out what waits and closes the file. Lines that follow are lost.
func (l *Log) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.flush()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	l.format.Store(&config.AccessLog{Format: config.LogOff})
	return err
}

func (l *Log) flush() {
	l.mu.Lock()
	lines, count := l.waiting, l.count
	l.waiting, l.count = l.spare[:0], 0
	l.mu.Unlock()
	defer func() { l.spare = lines[:0] }()
	if len(lines) == 0 {
		return
	}
	out := l.opts.Out
	if l.file != nil {
		out = l.file
	}
	if l.torn {
		if _, err := out.Write([]byte("\n")); err != nil {
			l.fail(count, err)
			return
		}
		l.torn = false
	}
	n, err := out.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	switch {
	case err != nil:
		whole := uint64(0)
		for _, b := range lines[:n] {
			if b == '\n' {
				whole++
			}
		}
		l.torn = n > 0 && lines[n-1] != '\n'
		l.fail(count-whole, err)
	case l.failing:
		l.failing = false
		l.opts.Log.Info("access log is written again", "lost", l.Lost())
	}
}

// fail counts lines as lost and says so once.
func (l *Log) fail(lines uint64, err error) {
	l.failed.Add(lines)
	if l.failing {
		return
	}
	l.failing = true
	if errors.Is(err, os.ErrClosed) {
		return // the log is closed, and so may be what it would complain to
	}
	l.opts.Log.Error("access log cannot be written; requests go on, their lines are lost", "err", err)
}
