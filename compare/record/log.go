package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/stranglerfig/toolkit/compare/differ"
)

const (
	errorsFile = "errors.log"
	maxLog     = 256 << 20 // bytes; what comes after is shown and not kept
	maxLogLine = 1 << 20   // longer lines are kept in pieces
)

// A logFile keeps what a command prints, line by line and without secrets, and shows it.
type logFile struct {
	file   *os.File
	redact *differ.Redactor
	show   io.Writer
	line   []byte
	length int64
	failed error
}

func newLog(path string, redact *differ.Redactor, show io.Writer) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return &logFile{file: f, redact: redact, show: show}, nil
}

// Write takes output. It never fails: the command goes on without a log.
func (l *logFile) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.line = append(l.line, p...)
			if len(l.line) > maxLogLine {
				l.flush()
			}
			return n, nil
		}
		l.line = append(l.line, p[:i+1]...)
		p = p[i+1:]
		l.flush()
	}
	return n, nil
}

func (l *logFile) flush() {
	if text := shown(l.line); len(text) > 0 {
		_, _ = l.show.Write(text) // showing is all it does
	}
	hidden := l.redact.Text(string(l.line))
	l.line = l.line[:0]
	if l.length += int64(len(hidden)); l.length > maxLog || l.failed != nil {
		return
	}
	_, l.failed = l.file.WriteString(hidden)
}

func (l *logFile) close() {
	if len(l.line) > 0 {
		l.flush()
	}
	_ = l.file.Close() // a log that is not whole shows when it is read
}

// shown returns what a person wants to see of a line: of go test -json only what packages
// and failed tests say.
func shown(line []byte) []byte {
	if !bytes.HasPrefix(line, []byte(`{"Time"`)) && !bytes.HasPrefix(line, []byte(`{"Action"`)) && !bytes.HasPrefix(line, []byte(`{"ImportPath"`)) {
		return line
	}
	var e struct{ Action, Test, Output string }
	if json.Unmarshal(line, &e) != nil {
		return line
	}
	if e.Test == "" || bytes.HasPrefix(bytes.TrimSpace([]byte(e.Output)), []byte("--- FAIL")) {
		return []byte(e.Output)
	}
	return nil
}
