package main

import (
	"database/sql"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestStragglersShow: who goes on writing the source after a cut-over, past the proxy, is
// refused by the name of the owner, and the operator sees it in the proxy's metrics and in
// both kinds of status.
func TestStragglersShow(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.post("first")
	if out, err := w.command("split", "run", "plan.yaml", "--until", "verified").CombinedOutput(); err != nil {
		t.Fatalf("run: %v: %s", err, out)
	}
	w.follow()
	w.switchTo("cutover")
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.dir, "source.db")+"?_busy_timeout=20000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 3 {
		if _, err := db.ExecContext(t.Context(), `INSERT INTO things(body) VALUES ('late')`); err == nil || !strings.Contains(err.Error(), "is owned by things (split things, epoch 1)") {
			t.Errorf("a straggler is told: %v", err)
		}
	}
	w.post("second") // through the proxy, which knows
	w.until(func() bool {
		res, err := http.Get("http://" + w.admin + "/metrics")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return strings.Contains(string(text), "\nstrangler_split_refused_writes{side=\"source\",split=\"things\"} 3\n"+
			"strangler_split_refused_writes{side=\"target\",split=\"things\"} 0\n")
	})
	for want, args := range map[string][]string{
		", 3 writes refused by the side that follows, the last at ": {"status"},
		"at least 3 writes of the side that follows, the last ":     {"split", "status", "plan.yaml"},
	} {
		if out, err := w.command(args...).CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}
