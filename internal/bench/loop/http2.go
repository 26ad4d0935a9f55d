package loop

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// streams is how many requests share a connection of HTTP/2.
const streams = 16

// RunHTTP2 is Run by HTTP/2 with TLS, as often as possible; certificates are not looked
// at. It is a client of the standard library's, so it costs more than Run.
func (l Load) RunHTTP2(ctx context.Context) (Result, error) {
	var mu sync.Mutex
	var took []time.Duration
	var out Result
	begun := time.Now()
	since, clock := begun.Add(l.Warm), make(chan time.Duration, 1)
	time.AfterFunc(l.Warm, func() { clock <- l.clock() })
	var workers sync.WaitGroup
	var transport *http.Transport
	for i := range l.Connections {
		if i%streams == 0 {
			transport = &http.Transport{
				ForceAttemptHTTP2: true, DisableCompression: true, MaxConnsPerHost: 1,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it is our own, made for this run
			}
			defer transport.CloseIdleConnections()
		}
		workers.Go(func() {
			var mine []time.Duration
			var failed int64
			var first error
			for time.Since(since) < l.Duration && ctx.Err() == nil {
				sent := time.Now()
				if err := l.ask(ctx, transport); err != nil {
					failed++
					first = err
					continue
				}
				if !time.Now().Before(since) {
					mine = append(mine, time.Since(sent))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if out.Failed += failed; first != nil {
				out.FirstFail = first.Error()
			}
		})
	}
	workers.Wait()
	out.Processor = l.clock() - <-clock
	out.summarize(took, time.Since(since))
	return out, ctx.Err()
}

func (l Load) ask(ctx context.Context, transport *http.Transport) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.Addr+l.Path, nil)
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(headers, "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.ProtoMajor != 2 {
		return errors.New("the answer did not come by HTTP/2")
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}

// summarize fills in what all requests together took.
func (r *Result) summarize(took []time.Duration, total time.Duration) {
	r.Took, r.Requests = total, int64(len(took))
	slices.Sort(took)
	if n := len(took); n > 0 {
		r.P50, r.P99 = took[n/2], took[n*99/100]
	}
}
