package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/outcome"
)

// Replayed says what became of a replay.
type Replayed struct {
	Info    Info
	Sent    int
	Skipped int // requests that a recording does not hold whole (long bodies, upgrades), or to a service that was not given
	Secrets int // requests with secrets that were sent as their hashes: the recording holds no more
}

// Replay sends the requests of a recording again, one after the other, and records the
// answers in dir. Identifiers and tokens that the target makes anew take the place of the
// recorded ones in later requests; real values are kept in memory only.
func Replay(ctx context.Context, rec *Recording, services []Service, dir string, opts Options) (Replayed, error) {
	var r Replayed
	if err := checkServices(services); err != nil {
		return r, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fmt.Errorf("recording: %w", err)
	}
	if err := clean(dir); err != nil {
		return r, err
	}
	opts = opts.orDefault()
	r.Info = Info{
		Schema: 1, Name: filepath.Base(dir), Command: []string{"replay", rec.Info.Name}, Results: NoResults,
		Started: opts.Now().UTC(), Status: Running,
	}
	r.Info.setServices(services)
	if err := writeJSON(filepath.Join(dir, infoFile), &r.Info); err != nil {
		return r, err
	}
	all, err := newRecorders(ctx, services, dir, opts)
	if err != nil {
		return r, err
	}
	r.Info.setServices(all.services)
	err = r.sendAll(ctx, rec, all)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	written, lost, closeErr := all.close(closing)
	r.Info.Exchanges, r.Info.Lost, r.Info.Ended, r.Info.Status = written, lost, opts.Now().UTC(), Complete
	if err != nil {
		r.Info.Status = Interrupted
	}
	err = errors.Join(err, closeErr, writeJSON(filepath.Join(dir, outcomesFile), outcome.Outcomes{Tests: []outcome.Test{}}))
	return r, errors.Join(err, writeHAR(dir, &r.Info), writeJSON(filepath.Join(dir, infoFile), &r.Info))
}

func (r *Replayed) sendAll(ctx context.Context, rec *Recording, all *recorders) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       5 * time.Minute,
	}
	defer client.CloseIdleConnections()
	values := newRenaming()
	for i := range rec.Exchanges {
		e := &rec.Exchanges[i]
		to := slices.IndexFunc(all.services, func(s Service) bool { return s.Name == e.Service })
		if to < 0 || !e.Request.kept() || e.Opaque || strings.Contains(e.Path, "://") {
			r.Skipped++
			continue
		}
		if err := r.send(ctx, client, all.services[to].Recorder, e, values); err != nil {
			return fmt.Errorf("replay %s %s: %w", e.Method, e.Path, err)
		}
	}
	return nil
}

func (r *Replayed) send(ctx context.Context, client *http.Client, base string, e *Exchange, values *renaming) error {
	body := values.body(e.Request.Body)
	req, err := http.NewRequestWithContext(ctx, e.Method, base+values.path(e.Path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, list := range e.Request.Header {
		switch name {
		case "Content-Length", "Connection", "Transfer-Encoding", "Upgrade", "Keep-Alive", "Te", "Trailer", "Expect",
			"Content-Encoding": // a recording holds bodies without it
			continue
		}
		for _, v := range list {
			req.Header.Add(name, values.text(v))
		}
	}
	if e.Test != "" {
		req.Header.Set(TestHeader, e.Test)
	}
	if hiddenText.MatchString(req.URL.RequestURI()) || hiddenText.Match(body) || headerHides(req.Header) {
		r.Secrets++
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	r.Sent++
	if err != nil {
		return nil //nolint:nilerr // the recorder noted that the answer was cut off
	}
	values.learn(&e.Response, res.Header, answer)
	return nil
}

func headerHides(h http.Header) bool {
	for _, list := range h {
		for _, v := range list {
			if hiddenText.MatchString(v) {
				return true
			}
		}
	}
	return false
}
