package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"sync"
)

// A tee passes a body on and keeps its first bytes, its length and its hash.
type tee struct {
	io.ReadCloser
	limit  int64
	mu     sync.Mutex // a transport may read on after the answer
	ended  bool
	kept   bytes.Buffer
	length int64
	sum    hash.Hash // once the body is longer than limit
	failed error
}

func newTee(body io.ReadCloser, limit int64) *tee { return &tee{ReadCloser: body, limit: limit} }

// Read reads from the body.
func (t *tee) Read(p []byte) (int, error) {
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		t.failed = err
	}
	return n, err
}

// end lets nobody read any more.
func (t *tee) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

// Write lets an upgraded connection be written to.
func (t *tee) Write(p []byte) (int, error) {
	if w, ok := t.ReadCloser.(io.Writer); ok {
		return w.Write(p)
	}
	return 0, errors.ErrUnsupported
}

func (t *tee) note(p []byte) {
	t.length += int64(len(p))
	switch {
	case t.sum != nil:
		_, _ = t.sum.Write(p) // a hash never fails
	case t.length > t.limit:
		t.sum = sha256.New()
		_, _ = t.sum.Write(t.kept.Bytes())
		_, _ = t.sum.Write(p)
		t.kept = bytes.Buffer{}
	default:
		_, _ = t.kept.Write(p)
	}
}

// into puts what was kept into m, as it reads.
func (t *tee) into(m *Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.Length = t.length
	if t.sum != nil {
		m.Hash = hex.EncodeToString(t.sum.Sum(nil))
		return
	}
	m.setBody(bytes.Clone(t.kept.Bytes()), t.limit)
}
