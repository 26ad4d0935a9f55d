package strangler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
)

// A certificateError rejects a configuration that is good by itself: the files that it
// names are not, and may become so without a change of the configuration.
type certificateError struct{ err error }

func (e *certificateError) Error() string { return "tls: " + e.err.Error() }

// Unwrap lets errors.Is and errors.As see the cause.
func (e *certificateError) Unwrap() error { return e.err }

// lookAtCertificates is how often their files are looked at.
const lookAtCertificates = 2 * time.Second

// watchCertificates follows the files until ctx ends, and tries a configuration again
// that only waits for them.
func (p *Proxy) watchCertificates(ctx context.Context) {
	every := min(lookAtCertificates, 4*p.opts.PollEvery)
	var running sync.WaitGroup
	running.Go(func() { p.keeper.Run(ctx, every) })
	for pause.For(ctx, every) == nil {
		p.mu.Lock()
		var waits *certificateError
		again := errors.As(p.rejected, &waits)
		p.mu.Unlock()
		if again {
			_ = p.Reload()
		}
	}
	running.Wait()
}
