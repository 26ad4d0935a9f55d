package follow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/internal/peer"
)

const (
	answerTimeout = 10 * time.Second
	maxAnswer     = 16 << 20 // bytes of one answer of the read API
	fetchers      = 4        // things read at once
)

// ErrGone is a 404: the thing does not exist, or not any more.
var ErrGone = errors.New("not found")

// A Source is the read API that the monolith has for services.
type Source struct{ peer *peer.Client }

// NewSource returns the read API of the monolith at an address like http://host:port,
// which asks for a token.
func NewSource(monolith, token string) (*Source, error) {
	base, err := peer.Address("monolith", monolith)
	if err != nil {
		return nil, err
	}
	return &Source{peer.New(base, token, peer.Options{Connections: fetchers, MaxAnswer: maxAnswer, Timeout: answerTimeout})}, nil
}

// Get decodes the answer into v. A 404 is ErrGone.
func (s *Source) Get(ctx context.Context, path string, q url.Values, v any) (http.Header, error) {
	a, err := s.peer.Do(ctx, http.MethodGet, path, q, nil)
	switch {
	case err != nil:
		return nil, err
	case a.Status == http.StatusNotFound && a.IsJSON():
		return nil, fmt.Errorf("%s: %w", a.Request, ErrGone)
	case a.Status == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s: the monolith refused the token; set SHOP_INTERNAL_TOKEN to the monolith's", a.Request)
	case a.Status != http.StatusOK:
		return nil, fmt.Errorf("%s: status %s", a.Request, a.Reason)
	}
	return a.Header, a.Decode(v)
}

// Page returns up to limit things behind the one with the id after.
func Page[T any](ctx context.Context, s *Source, path string, after int64, limit int) ([]T, error) {
	var page struct{ Items []T }
	_, err := s.Get(ctx, path, url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}, &page)
	return page.Items, err
}

// One returns the thing at a path.
func One[T any](ctx context.Context, s *Source, path string) (T, error) {
	var thing T
	_, err := s.Get(ctx, path, nil, &thing)
	return thing, err
}

// IDs is a set of things that changed.
type IDs map[int64]bool

// FetchAll fetches each thing, a few at a time; gone are those that no longer exist.
func FetchAll[T any](ctx context.Context, ids IDs, fetch func(context.Context, int64) (T, error)) (found []T, gone []int64, err error) {
	type answer struct {
		id    int64
		value T
		gone  bool
	}
	answers := make(chan answer, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchers)
	for id := range ids {
		group.Go(func() error {
			v, err := fetch(ctx, id)
			if err != nil && !errors.Is(err, ErrGone) {
				return err
			}
			answers <- answer{id, v, err != nil}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	close(answers)
	for a := range answers {
		if a.gone {
			gone = append(gone, a.id)
		} else {
			found = append(found, a.value)
		}
	}
	return found, gone, nil
}
