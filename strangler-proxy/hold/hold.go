// Package hold parks requests for the moments of a cut-over: while the tables behind
// some routes change hands, requests that would change them wait, and are served by
// whoever owns the tables then. What is parked is bounded in number, bytes and time;
// what goes beyond is refused and never dropped. A hold has a holder that renews it. It
// ends by itself when its holder falls silent, so nobody waits for the dead. A Keeper
// without holds costs a request one atomic load.
//
// The package decides nothing: who serves a request after a hold, the caller finds out
// anew.
package hold

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

// An Order says what a holder wants.
type Order struct {
	ID     string   // the holder's choice, so that it can ask again when an answer got lost
	Claim  int64    // of several who use the id, the one with the highest claim is heard
	Holder string   // who it is, for people
	Split  string   // for which split; may be empty
	Routes []string // by name; route.Default are the requests without a route
	Reads  bool     // requests that only read, too

	TTL      time.Duration // how long it lasts without a renewal; 0 means DefaultTTL
	Limit    time.Duration // how long it lasts at most; 0 means DefaultLimit
	Requests int           // how many may be parked; 0 means DefaultRequests
	Bytes    int64         // how much of them may have come already; 0 means DefaultBytes
}

// What an order gets that says nothing, and what it may ask for at most.
const (
	DefaultTTL      = 2 * time.Second
	DefaultLimit    = 10 * time.Second
	DefaultRequests = 1000
	DefaultBytes    = 32 << 20

	MaxTTL      = 30 * time.Second
	MaxLimit    = time.Minute
	MaxRequests = 10_000
	MaxBytes    = 256 << 20

	minTTL     = 100 * time.Millisecond
	limitHolds = 16
	limitName  = 128
)

// ErrUnknown reports that there is no hold of the id, or no longer.
var ErrUnknown = errors.New("there is no such hold")

// A ClaimError reports that somebody with a higher claim has taken the hold over.
type ClaimError struct {
	ID, Holder  string
	Claim, Have int64
}

func (e *ClaimError) Error() string {
	return fmt.Sprintf("hold %q belongs to %s with claim %d, which is more than %d", e.ID, e.Holder, e.Have, e.Claim)
}

// An OverlapError reports that somebody else holds a route already.
type OverlapError struct{ Route, ID, Holder string }

func (e *OverlapError) Error() string {
	return fmt.Sprintf("route %q is held already: hold %q of %s", e.Route, e.ID, e.Holder)
}

// check fills in what is not said and refuses what is too much.
func (o *Order) check() error {
	o.Routes = slices.Clone(o.Routes)
	slices.Sort(o.Routes)
	o.Routes = slices.Compact(o.Routes)
	o.TTL, o.Limit = orDefault(o.TTL, DefaultTTL), orDefault(o.Limit, DefaultLimit)
	o.Requests, o.Bytes = orDefault(o.Requests, DefaultRequests), orDefault(o.Bytes, DefaultBytes)
	switch {
	case !named(o.ID):
		return invalid("give an id of at most 128 letters, digits and . _ -", "%q is no id for a hold", o.ID)
	case o.Claim < 0:
		return invalid("count from 0", "a hold cannot have the claim %d", o.Claim)
	case o.Holder == "" || len(o.Holder) > limitName:
		return invalid("say who it is, in at most 128 bytes", "a hold needs a holder")
	case len(o.Routes) == 0:
		return invalid("name at least one", "a hold needs routes")
	case o.TTL < minTTL || o.TTL > MaxTTL:
		return invalid(fmt.Sprintf("from %s to %s", minTTL, MaxTTL), "a hold cannot have a ttl of %s", o.TTL)
	case o.Limit < minTTL || o.Limit > MaxLimit:
		return invalid(fmt.Sprintf("from %s to %s", minTTL, MaxLimit), "a hold cannot last %s", o.Limit)
	case o.Requests < 1 || o.Requests > MaxRequests:
		return invalid(fmt.Sprintf("from 1 to %d", MaxRequests), "a hold cannot park %d requests", o.Requests)
	case o.Bytes < 1 || o.Bytes > MaxBytes:
		return invalid(fmt.Sprintf("from 1 to %d", MaxBytes), "a hold cannot park %d bytes", o.Bytes)
	}
	o.TTL = min(o.TTL, o.Limit)
	return nil
}

func orDefault[T int | int64 | time.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

func invalid(remedy, format string, args ...any) error {
	return program.Fail(program.Usage, remedy, format, args...)
}

func named(id string) bool {
	const rest = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return id != "" && len(id) <= limitName && strings.Trim(id, rest) == ""
}

// same reports whether two orders ask for the same.
func (o *Order) same(other *Order) bool {
	a, b := *o, *other
	a.Routes, b.Routes = nil, nil
	return slices.Equal(o.Routes, other.Routes) && fmt.Sprint(a) == fmt.Sprint(b)
}

// Status is what others are told about a hold.
type Status struct {
	ID      string    `json:"id"`
	Claim   int64     `json:"claim"`
	Holder  string    `json:"holder"`
	Split   string    `json:"split,omitempty"`
	Routes  []string  `json:"routes"`
	Reads   bool      `json:"reads"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"` // unless it is renewed
	Ends    time.Time `json:"ends"`    // in any case
	Parked  int       `json:"parked"`
	Bytes   int64     `json:"parked_bytes"`
	Most    int       `json:"most_parked"` // at one time
	Refused uint64    `json:"refused"`     // for want of room
}

// Why a hold ended.
const (
	ByHolder  = "released" // its holder said so
	ByTTL     = "expired"  // its holder did not renew it
	ByLimit   = "limit"    // it lasted as long as it may
	ByClosing = "closed"   // the proxy ends
)
