package splits_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

func accept(t *testing.T, path, owner string, epoch int64) (splits.Record, error) {
	t.Helper()
	return splits.Accept(t.Context(), path, "reviews", splits.Record{Owner: owner, Epoch: epoch, Since: time.Now().UTC(), Routes: []string{"r"}})
}

func TestEpochsOnlyGrow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	none, err := splits.Read(path)
	if err != nil || len(none) != 0 || none.Owned("reviews") {
		t.Fatal(none, err)
	}
	for _, step := range []struct {
		owner   string
		epoch   int64
		pending bool // 0 when refused
		refused bool
	}{
		{splits.Target, 3, true, false},
		{splits.Target, 3, true, false}, // not settled yet
		{splits.Source, 3, false, true},
		{splits.Source, 2, false, true},
		{splits.Target, 1, false, true},
		{splits.Source, 4, true, false},
		{splits.Target, 3, false, true},
	} {
		before, _ := splits.Read(path)
		r, err := accept(t, path, step.owner, step.epoch)
		var old *splits.EpochError
		if errors.As(err, &old) != step.refused || r.Pending != step.pending && !step.refused {
			t.Fatalf("%s %d: %+v, %v", step.owner, step.epoch, r, err)
		}
		after, _ := splits.Read(path)
		if step.refused && (after["reviews"].Epoch != before["reviews"].Epoch || after["reviews"].Owner != before["reviews"].Owner) {
			t.Fatalf("%s %d was refused and changed the file", step.owner, step.epoch)
		}
	}
	if err := splits.Settle(t.Context(), path, "reviews", 3); err != nil {
		t.Fatal(err)
	}
	if all, _ := splits.Read(path); !all["reviews"].Pending {
		t.Fatal("an older epoch settled a newer one")
	}
	if err := splits.Settle(t.Context(), path, "reviews", 4); err != nil {
		t.Fatal(err)
	}
	if r, err := accept(t, path, splits.Source, 4); err != nil || r.Pending {
		t.Fatalf("what was followed is to be followed again: %+v, %v", r, err)
	}
}

func TestWritersTakeTurns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	var all sync.WaitGroup
	for epoch := range int64(40) {
		all.Go(func() {
			_, err := accept(t, path, []string{splits.Source, splits.Target}[epoch%2], epoch+1)
			var old *splits.EpochError
			if err != nil && !errors.As(err, &old) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	records, err := splits.Read(path)
	if err != nil || records["reviews"].Epoch != 40 || records["reviews"].Owner != splits.Target {
		t.Fatalf("%+v, %v; want epoch 40", records, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDamagedFileIsAnError(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "cut off": `{"schema":1,"splits":{"reviews":{"own`, "another schema": `{"schema":2,"splits":{}}`,
		"another owner": `{"schema":1,"splits":{"reviews":{"owner":"nobody","epoch":1,"since":"2026-01-01T00:00:00Z"}}}`,
		"another key":   `{"schema":1,"splits":{},"more":1}`, "large": strings.Repeat(" ", 1<<20) + `{"schema":1}`,
	} {
		path := filepath.Join(t.TempDir(), "strangler.yaml")
		if err := os.WriteFile(splits.Path(path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := splits.Read(path)
		if program.Code(err) != program.Usage || !strings.Contains(err.Error(), splits.Path(path)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := accept(t, path, splits.Target, 1); err == nil {
			t.Errorf("%s: it was written over", name)
		}
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "strangler.yaml")
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := splits.Probe(path); err == nil {
		t.Error("the probe found nothing")
	}
	if _, err := accept(t, path, splits.Target, 1); err == nil {
		t.Error("accepted without a record")
	}
}
