package strangler

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

// load reads and checks the configuration file as it is now.
// Of a split that nobody has told it of it believes what believed says.
func load(path string, lookup func(string) (string, bool), believed map[string]bool) (cfg *config.Config, hash string, err error) {
	source, err := yamldoc.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	owners, err := splits.Read(path)
	if err != nil {
		return nil, config.HashOf(source), err
	}
	owned := func(split string) bool {
		_, told := owners[split]
		return owners.Owned(split) || !told && believed[split]
	}
	cfg, _, err = config.Parse(path, source, config.Options{LookupEnv: lookup, Owned: owned})
	return cfg, config.HashOf(source), err
}

// A watcher looks at the file's content again and again: that finds every kind of
// change. Notices of the file system only shorten the wait; they do not come from bind
// mounts, network file systems or swapped links, so nothing relies on them.
type watcher struct {
	path  string
	every time.Duration
	torn  func() bool // whether the content looks as if its writer were not done
	check func()      // called when the content may have changed
	log   *slog.Logger
	seen  os.FileInfo // of the file when it was last read; nil if there was none
}

// How long a file must stay as it is before it counts as written. That keeps a
// half-written file, which may even be valid, from being taken over. One that looks
// torn gets more time, but not so much that a change takes effect after two seconds.
const (
	settle      = 40 * time.Millisecond
	settleTorn  = 400 * time.Millisecond
	settleLimit = 1200 * time.Millisecond
)

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
			if w.untouched() {
				continue // an access log lies beside it, say; the ticker looks more closely
			}
		}
		now := w.fingerprint()
		if now == last {
			continue
		}
		if last = w.settled(ctx, now); ctx.Err() != nil {
			return
		}
		w.check()
	}
}

// settled waits until the file stays as it is and returns its fingerprint. It does not
// wait for an endless writer.
func (w *watcher) settled(ctx context.Context, now string) string {
	changed := time.Now()
	limit := changed.Add(settleLimit)
	for time.Now().Before(limit) && pause.For(ctx, settle) == nil {
		// Before the look, so that a moment at which nobody looked counts for nothing.
		looked, before := time.Now(), now
		if now = w.fingerprint(); now != before {
			changed = time.Now()
			continue
		}
		if looked.Sub(changed) >= settleTorn || !w.torn() {
			break
		}
	}
	return now
}

// looksTorn reports whether the file could be the beginning of one that is still being
// written: it is bad, ends within a line or lacks what is in use.
func (p *Proxy) looksTorn() bool {
	source, err := yamldoc.ReadFile(p.opts.ConfigPath)
	if err != nil || len(source) == 0 || source[len(source)-1] != '\n' {
		return true
	}
	cfg, _, err := config.Parse(p.opts.ConfigPath, source, config.Options{LookupEnv: p.opts.LookupEnv})
	if err != nil {
		return true
	}
	there := map[string]bool{}
	for _, r := range cfg.Routes {
		there[r.Name] = true
	}
	for _, r := range p.current.Load().config.Routes {
		if !there[r.Name] {
			return true
		}
	}
	return false
}

// fingerprint is the content's hash, or the reason why there is none.
func (w *watcher) fingerprint() string {
	w.seen, _ = os.Stat(w.path) // before the content, so that a later change is one
	source, err := yamldoc.ReadFile(w.path)
	if err != nil {
		return "error: " + err.Error()
	}
	owners, _ := yamldoc.ReadFile(splits.Path(w.path)) // there may be none
	return config.HashOf(append(source, owners...))
}

// untouched reports whether the file looks as it did when it was last read. That it
// holds other bytes all the same is possible, within one tick of the system's clock.
func (w *watcher) untouched() bool {
	now, err := os.Stat(w.path)
	return err == nil && w.seen != nil && os.SameFile(now, w.seen) && now.Size() == w.seen.Size() && now.ModTime().Equal(w.seen.ModTime())
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
