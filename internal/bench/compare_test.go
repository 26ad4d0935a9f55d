package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOrdersAreOrders: an answer is of 2 KiB, with an id that the next request finds; and what is wrong is wrong in three values.
func TestOrdersAreOrders(t *testing.T) {
	t.Parallel()
	sent := map[bool]string{}
	for _, wrong := range []bool{false, true} {
		w := httptest.NewRecorder()
		writeOrder(w, http.StatusOK, 7, wrong)
		if n := w.Body.Len(); n < 1800 || n > 2400 {
			t.Errorf("an answer of %d bytes, want 2 KiB", n)
		}
		sent[wrong] = w.Body.String()
	}
	for _, text := range []string{`"total_cents":109945`, `"status":"paid"`, "Thing number 5"} {
		if !strings.Contains(sent[false], text) || strings.Contains(sent[true], text) {
			t.Errorf("%s is not what makes the difference:\n%s%s", text, sent[false], sent[true])
		}
	}
}

// TestLaps: requests go to both in turns, and what they took is found in what a suite printed.
func TestLaps(t *testing.T) {
	t.Parallel()
	asked := [2]int{}
	var urls []string
	for i := range asked {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[i]++
			w.Header().Set("Location", "/r0/orders/1")
			w.WriteHeader(map[string]int{http.MethodPost: 201, http.MethodGet: 200}[r.Method])
		}))
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	var out bytes.Buffer
	out.WriteString("something else\n")
	if err := standInOrders(t.Context(), "laps", "6="+strings.Join(urls, "="), &out); err != nil {
		t.Fatal(err)
	}
	if asked != [2]int{6, 6} {
		t.Errorf("asked %v times, want 6 each", asked)
	}
	file := filepath.Join(t.TempDir(), "output.log")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readLaps(file)
	if err != nil || got.Direct <= 0 || got.Through <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	text, err := json.Marshal(laps{2 * time.Millisecond, time.Millisecond})
	if err != nil || string(text) != `{"through":2000000,"direct":1000000}` {
		t.Errorf("%s, %v", text, err)
	}
}
