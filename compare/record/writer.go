package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// A writer appends exchanges to a file, each in one write, in a goroutine of its own: a
// client waits for it only when the queue is full.
type writer struct {
	redact  *differ.Redactor
	file    *os.File
	queue   chan *Exchange
	done    chan struct{}
	mu      sync.Mutex
	written int
	failed  error
}

const queued = 64 // exchanges; each holds at most two bodies of MaxBody

func newWriter(dir string, redact *differ.Redactor) (*writer, error) {
	f, err := os.OpenFile(filepath.Join(dir, exchangesFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	w := &writer{redact: redact, file: f, queue: make(chan *Exchange, queued), done: make(chan struct{})}
	go w.run()
	return w, nil
}

func (w *writer) put(e *Exchange) { w.queue <- e }

func (w *writer) run() {
	defer close(w.done)
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	for e := range w.queue {
		hide(w.redact, e)
		buffer.Reset()
		err := encoder.Encode(e.line())
		if err == nil {
			_, err = w.file.Write(buffer.Bytes())
		}
		w.mu.Lock()
		if err != nil {
			w.failed = fmt.Errorf("recording: %w", err)
		} else {
			w.written++
		}
		w.mu.Unlock()
		if buffer.Cap() > 4<<20 {
			buffer = bytes.Buffer{}
		}
	}
}

func (w *writer) close() (written int, err error) {
	close(w.queue)
	<-w.done
	if err := w.file.Close(); err != nil && w.failed == nil {
		w.failed = err
	}
	return w.written, w.failed
}

// hide takes every secret out of an exchange.
func hide(redact *differ.Redactor, e *Exchange) {
	e.Path = hideQuery(redact, e.Path)
	for _, m := range [...]*Message{&e.Request, &e.Response} {
		m.Header = redact.Header(m.Header)
		if len(m.Body) > 0 {
			m.Body = hideBody(redact, m.Header, m.Body)
		}
	}
	e.Error = redact.Text(e.Error)
}

func hideBody(redact *differ.Redactor, h http.Header, body []byte) []byte {
	kind := strings.ToLower(h.Get("Content-Type"))
	switch {
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		return []byte(hideForm(redact, string(body)))
	case strings.HasPrefix(kind, "multipart/form-data"):
		return hideMultipart(redact, kind, body)
	case strings.HasPrefix(kind, "text/html"):
		return hideInputs(redact, redact.Body(body))
	}
	return redact.Body(body)
}
