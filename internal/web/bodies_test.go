package web_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// However many clients send large bodies slowly, only few of them are kept in
// memory; small bodies never wait.
func TestFewLargeBodiesAtATime(t *testing.T) {
	t.Parallel()
	handler := router(t)
	start, end := `{"name": "`+strings.Repeat("x", 70_000), `"}`
	send := func(ctx context.Context, body io.Reader) int {
		r := httptest.NewRequestWithContext(ctx, "POST", "/orders", body)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	var slow sync.WaitGroup
	var rest []*io.PipeWriter
	for range 16 {
		body, client := io.Pipe()
		rest = append(rest, client)
		slow.Go(func() {
			if status := send(t.Context(), body); status != http.StatusCreated {
				t.Errorf("a slow client got %d", status)
			}
		})
		// A write returns once all of it is read. Whoever reads the second one holds a place.
		for _, part := range []string{start, "x"} {
			if _, err := io.WriteString(client, part); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if status := send(gone, strings.NewReader(start+end)); status != http.StatusBadRequest {
		t.Errorf("one more large body, from a client that does not wait: %d", status)
	}
	if status := send(t.Context(), strings.NewReader(`{"name": "small"}`)); status != http.StatusCreated {
		t.Errorf("a small body: %d", status)
	}
	for _, client := range rest {
		if _, err := io.WriteString(client, end); err != nil {
			t.Fatal(err)
		}
		client.Close()
	}
	slow.Wait()
	if status := send(t.Context(), strings.NewReader(start+end)); status != http.StatusCreated {
		t.Errorf("a large body when the others are done: %d", status)
	}
}
