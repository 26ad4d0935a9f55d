package strangler

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/yamldoc"
)

// load reads and checks the configuration file as it is now.
func load(path string, lookup func(string) (string, bool)) (cfg *config.Config, hash string, err error) {
	source, err := yamldoc.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	cfg, _, err = config.Parse(path, source, config.Options{LookupEnv: lookup})
	return cfg, config.HashOf(source), err
}

// A watcher looks at the file's content again and again: that finds every kind of
// change. Notices of the file system only shorten the wait; they do not come from bind
// mounts, network file systems or swapped links, so nothing relies on them.
type watcher struct {
	path  string
	every time.Duration
	check func() // called when the content may have changed
	log   *slog.Logger
}

// settle is how long a file must stay as it is before it counts as written. It keeps
// a half-written file, which may even be valid, from being taken over.
const settle = 40 * time.Millisecond

// run blocks until ctx ends.
func (w *watcher) run(ctx context.Context) {
	notices := make(chan struct{}, 1)
	stop := w.listen(notices)
	defer stop()
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	last := w.fingerprint()
	w.check() // what changed between the start and now
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-notices:
		}
		now := w.fingerprint()
		if now == last {
			continue
		}
		for range 25 { // an endless writer is looked at after a second
			before := now
			if !sleep(ctx, settle) {
				return
			}
			if now = w.fingerprint(); now == before {
				break
			}
		}
		last = now
		w.check()
	}
}

// fingerprint is the content's hash, or the reason why there is none.
func (w *watcher) fingerprint() string {
	source, err := yamldoc.ReadFile(w.path)
	if err != nil {
		return "error: " + err.Error()
	}
	return config.HashOf(source)
}

// listen turns notices about the file's folder, and about the folder a link leads to,
// into ticks.
func (w *watcher) listen(notices chan<- struct{}) (stop func()) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		w.log.Debug("no notices of file changes; polling only", "err", err)
		return func() {}
	}
	folders := []string{filepath.Dir(w.path)}
	if target, err := filepath.EvalSymlinks(w.path); err == nil {
		folders = append(folders, filepath.Dir(target))
	}
	for _, folder := range folders {
		if err := fs.Add(folder); err != nil {
			w.log.Debug("no notices of file changes; polling only", "folder", folder, "err", err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case _, open := <-fs.Events:
				if !open {
					return
				}
				select {
				case notices <- struct{}{}:
				default:
				}
			case _, open := <-fs.Errors:
				if !open {
					return
				}
			}
		}
	}()
	return func() {
		_ = fs.Close()
		<-done
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// reasons splits an error of load into one line a problem.
func reasons(err error) []string {
	var problems *yamldoc.ProblemsError
	if !errors.As(err, &problems) {
		if errors.Is(err, os.ErrNotExist) {
			return []string{err.Error() + "; the last good configuration stays in use"}
		}
		return []string{err.Error()}
	}
	lines := make([]string, len(problems.Problems))
	for i := range problems.Problems {
		lines[i] = problems.OneLine(i)
	}
	return lines
}
