package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Bodies are held in memory while they are read, and a client may be slow. So only
// the first smallBody bytes are read of as many requests as there are; largeBodies
// of them at a time may go on, and others wait their turn, at most largeBodyWait.
const (
	smallBody     = 64 << 10
	largeBodies   = 16
	largeBodyWait = 5 * time.Second
)

// errBusy reports that too many large bodies are being read.
var errBusy = errors.New("too many large bodies are being read")

// boundBodies bounds what the bodies of all requests may take up together.
func boundBodies() func(http.Handler) http.Handler {
	slots := make(chan struct{}, largeBodies)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Body == nil || r.Body == http.NoBody {
				next.ServeHTTP(w, r)
				return
			}
			body := &boundBody{ReadCloser: r.Body, gone: r.Context().Done(), slots: slots}
			defer body.release()
			r.Body = body
			next.ServeHTTP(w, r)
		})
	}
}

// boundBody takes a slot before it reads more than a small body.
type boundBody struct {
	io.ReadCloser
	gone  <-chan struct{} // closed when nobody waits for the answer any more
	slots chan struct{}
	read  int
	holds bool
}

func (b *boundBody) Read(p []byte) (int, error) {
	if b.read >= smallBody && !b.holds {
		if err := b.acquire(); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.read += n
	return n, err
}

func (b *boundBody) acquire() error {
	wait := time.NewTimer(largeBodyWait)
	defer wait.Stop()
	select {
	case b.slots <- struct{}{}:
		b.holds = true
		return nil
	case <-wait.C:
		return errBusy
	case <-b.gone:
		return context.Canceled
	}
}

func (b *boundBody) release() {
	if b.holds {
		<-b.slots
	}
}
