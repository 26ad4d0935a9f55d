package reviews

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stranglerfig/toolkit/internal/peer"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

const (
	maxAnswer  = 4 << 20         // bytes; a page of the longest reviews is less than half of it
	writeWait  = 5 * time.Second // how long a write waits for the service, which asks the shop back
	settleWait = 2 * time.Second // how long somebody who deletes an account waits for the service
)

var (
	// errAway reports that the service gave no answer that can be used.
	errAway = errors.New("no answer")
	// errNotOwner is the service's refusal of a write while the reviews are not its own.
	errNotOwner = errors.New("the service does not own the reviews")
)

// An entry is a review as the service keeps it: it knows its author by id only.
type entry struct {
	Review
	UserID int64 `json:"user_id"`
}

type entryPage struct {
	Items       []entry `json:"items"`
	RatingAvg   float64 `json:"rating_avg"`
	RatingCount int     `json:"rating_count"`
}

// remote asks the reviews service.
type remote struct {
	peer *peer.Client // nil: there is none
	wait time.Duration
}

func newRemote(service, token string, wait time.Duration) (*remote, error) {
	r := &remote{wait: wait}
	if service == "" {
		return r, nil
	}
	base, err := peer.Address("reviews service", service)
	if err != nil {
		return nil, program.Fail(program.Usage, "give it as http://host:port", "address %q of the reviews service", service)
	}
	r.peer = peer.New(base, token, peer.Options{Connections: 16, MaxAnswer: maxAnswer})
	return r, nil
}

func (r *remote) list(ctx context.Context, productID int64, p web.Paging) (entryPage, error) {
	var page entryPage
	q := url.Values{"page": {strconv.Itoa(p.Page)}, "per_page": {strconv.Itoa(p.PerPage)}}
	err := r.get(ctx, fmt.Sprintf("/internal/products/%d/reviews", productID), q, &page)
	return page, err
}

func (r *remote) review(ctx context.Context, id int64) (entry, error) {
	var e entry
	err := r.get(ctx, fmt.Sprintf("/internal/reviews/%d", id), nil, &e)
	return e, err
}

func (r *remote) reviewed(ctx context.Context, productID, userID int64) (bool, error) {
	var answer struct {
		Reviewed bool `json:"reviewed"`
	}
	err := r.get(ctx, fmt.Sprintf("/internal/products/%d/reviews/by/%d", productID, userID), nil, &answer)
	return answer.Reviewed, err
}

func (r *remote) average(ctx context.Context) (float64, error) {
	var answer struct {
		Average float64 `json:"average_rating"`
	}
	err := r.get(ctx, "/internal/reviews/average", nil, &answer)
	return answer.Average, err
}

// create asks the service to add a review. It is sent once: an answer that got lost
// would make the second one a refusal.
func (r *remote) create(ctx context.Context, productID int64, author identity.User, d Draft) (Review, error) {
	var review Review
	err := r.ask(ctx, writeWait, http.MethodPost, fmt.Sprintf("/internal/products/%d/reviews", productID), nil,
		map[string]any{"user_id": author.ID, "author": author.Name, "rating": d.Rating, "title": d.Title, "body": d.Body}, &review)
	return review, err
}

// settle waits until the service has read all that the feed holds, and has told what
// that changed.
func (r *remote) settle(ctx context.Context) error {
	return r.ask(ctx, settleWait, http.MethodPost, "/internal/settle", nil, struct{}{}, nil)
}

// get asks, and asks once more if there was no answer: a read may be sent twice.
func (r *remote) get(ctx context.Context, path string, q url.Values, v any) error {
	err := r.ask(ctx, r.wait, http.MethodGet, path, q, nil, v)
	if errors.Is(err, errAway) && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = r.ask(ctx, r.wait, http.MethodGet, path, q, nil, v)
	}
	return err
}

// ask sends a request and decodes the answer into v. What the service refuses comes
// back as the web.Problem that it is; no answer, or a useless one, is errAway.
func (r *remote) ask(ctx context.Context, wait time.Duration, method, path string, q url.Values, body, v any) error {
	if r.peer == nil {
		return fmt.Errorf("%s %s: no address of the reviews service was given: %w", method, path, errAway)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	a, err := r.peer.Do(ctx, method, path, q, body)
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	if a.Status >= 300 {
		return fmt.Errorf("%s: %w", a.Request, refused(a))
	}
	if err := a.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return nil
}

// refused is the service's error as the shop would have returned it.
func refused(a *peer.Answer) error {
	var answer struct {
		Error struct {
			Code    string      `json:"code"`
			Message string      `json:"message"`
			Fields  []web.Field `json:"fields"`
		} `json:"error"`
	}
	if json.Unmarshal(a.Body, &answer) != nil || answer.Error.Code == "" {
		return fmt.Errorf("%w: status %s", errAway, a.Reason)
	}
	switch e := answer.Error; {
	case e.Code == "not_owner":
		return errNotOwner
	case a.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w: the service refused the token; give both the same SHOP_INTERNAL_TOKEN", errAway)
	case a.Status >= 500:
		return fmt.Errorf("%w: status %s: %s", errAway, a.Reason, e.Message)
	default:
		return &web.Problem{Status: a.Status, Code: e.Code, Message: e.Message, Fields: e.Fields}
	}
}
