package cli

import (
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A clientKey is by what a canary knew the client of a request.
type clientKey struct {
	Source string `json:"source"`
	Salt   string `json:"salt"`
	Bucket int    `json:"bucket"`
}

// keyOf is the key that decided, or nil when none did.
func keyOf(d route.Decision, head *route.Head) *clientKey {
	if d.Reason != route.InCanary && d.Reason != route.OutsideCanary {
		return nil
	}
	key, from, found := d.Route.Sticky.Key(head)
	if share := d.Route.Stage.Share(); !found || share == 0 || share == route.Everyone {
		return nil
	}
	return &clientKey{from.String(), d.Route.Salt(), route.Bucket(d.Route.Salt(), key)}
}

// whyStage says in a sentence why a decision fell within its stage, or nothing where
// the stage says it all.
func whyStage(d route.Decision, key *clientKey) string {
	switch d.Reason {
	case route.InCanary, route.OutsideCanary:
		if key == nil {
			return ""
		}
		relation := "below"
		if d.Side == route.ToMonolith {
			relation = "not below"
		}
		return fmt.Sprintf("%s is in bucket %d of %q, %s %d", key.Source, key.Bucket, key.Salt, relation, d.Route.Stage.Share())
	case route.NoKey:
		if d.NeedsKey {
			return fmt.Sprintf("the service for %s of the clients, by their key (%s)", route.Percent(d.Share()), strings.Trim(config.StickyText(d.Route.Sticky), "[]"))
		}
		return "the client has no key (" + strings.Trim(config.StickyText(d.Route.Sticky), "[]") + ")"
	case route.InCohort:
		return "the client is in a cohort"
	case route.WritesStay:
		return "it may change data that the monolith owns"
	case route.WritesMoved:
		return "it may change data that the service owns"
	case route.TablesStay:
		return "the monolith owns the tables of its split"
	case route.TablesMoved:
		return "the service owns the tables of its split"
	case route.ForcedByHeader:
		return "forced by " + route.ForceHeader
	case route.ForcedByCookie:
		return "forced by the cookie " + route.ForceCookie
	case route.Panic:
		return "panic: every route is on the monolith"
	}
	return ""
}

// copyWord names the side that a copy of a request may go to.
func copyWord(d route.Decision) string {
	switch d.Copy {
	case route.CopyToService:
		return d.Route.Service
	case route.CopyToMonolith:
		return config.MonolithName
	}
	return ""
}
