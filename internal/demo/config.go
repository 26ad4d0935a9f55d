package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/stranglerfig/toolkit/internal/program"
)

const configName = "strangler.yaml"

const configText = `# The routes of the demo. Save this file and the proxy follows within two seconds,
# without losing a request. "strangler config check" says what is wrong with it.
version: 1

listen: %[1]s          # the shop, for browsers and curl
admin:
  listen: %[2]s        # /status, /metrics and /healthz of the proxy

# Whatever no route below claims goes here.
monolith: http://%[3]s

services:
  recommendations: http://%[4]s
  reviews: http://%[6]s
  catalog: http://%[5]s

routes:
  # The first endpoint that can leave the monolith. Flip one word, the stage:
  #   monolith   the monolith answers, as ever
  #   live       the service answers; the monolith steps in when the service cannot
  product-recommendations:
    match: GET /api/products/{id}/recommendations
    to: recommendations
    stage: monolith
    timeout: 1s          # how long the service may take before the monolith steps in

  # The catalog moves endpoint by endpoint, in chapter 07. Before "live" come
  #   shadow       the monolith answers, and the service's answer to a copy is compared
  #   canary 10%%   the service answers a tenth of the clients
  # GET /api/products/{id} stays where it is for now: the monolith counts each look at a
  # product, and the service does not.
  catalog-list:
    match: GET /api/products
    to: catalog
    stage: monolith
    timeout: 1s
  catalog-categories:
    match: GET /api/categories
    to: catalog
    stage: monolith
    timeout: 1s

  # The reviews move with their table, in chapter 06: "strangler split" leads these routes
  # to the service in the moment in which that owns the reviews. The other two write
  # reviews as well and stay with the monolith; they only wait for that moment.
  product-reviews:
    match: /api/products/{id}/reviews/**
    to: reviews
    stage: monolith
  review-form: { match: "POST /p/{id}/reviews", stage: monolith }
  account: { match: "DELETE /api/me", stage: monolith }

# Who gets the one from the service gets the other from there, too.
groups:
  catalog-reads: { routes: [catalog-list, catalog-categories] }
  reviews: { routes: [product-reviews], split: reviews }

# Tests on this machine may choose who answers them, whatever their share of a canary:
# with the header "X-Strangler-Force: service", or monolith.
force: { cidrs: [127.0.0.0/8, "::1/128"] }

# A rehearsal: a route may go live at once. Without this line its answers have to be
# compared with the monolith's first.
guard: off
`

// What a file of an earlier version may lack, for its user to add.
const (
	newer = `%[1]s was written by an earlier version and leads nothing to the catalog service. To
try that, add below "services:"
  catalog: http://%[2]s
and below "routes:"
  catalog-list: { match: GET /api/products, to: catalog, stage: monolith, timeout: 1s }
  catalog-categories: { match: GET /api/categories, to: catalog, stage: monolith, timeout: 1s }

`
	noReviews = `%[1]s was written by an earlier version and knows no reviews service. To move
the reviews there, add below "services:"
  reviews: http://%[2]s
below "routes:"
  product-reviews: { match: "/api/products/{id}/reviews/**", to: reviews, stage: monolith }
  review-form: { match: "POST /p/{id}/reviews", stage: monolith }
  account: { match: "DELETE /api/me", stage: monolith }
and below "groups:"
  reviews: { routes: [product-reviews], split: reviews }

`
)

// strict is what a file says that lacks the rehearsal's "guard: off".
const strict = `%[1]s asks for proof before a route goes live, as in earnest. For a rehearsal,
which the tutorial is, add the line
  guard: off

`

// prepareConfig writes the routes of the demo, unless there are some: those are the
// user's. Then it only checks that they lead to the programs that are started, and says
// what they lack.
func (o Options) prepareConfig() error {
	path := filepath.Join(o.Dir, configName)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text = fmt.Appendf(nil, configText, o.Proxy, o.Admin, o.Monolith, o.Recommendations, o.Catalog, o.Reviews)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("write the routes: %w", err)
		}
		return nil
	}
	if err != nil {
		return program.Fail(program.Usage, "make it readable, or delete it to start with a new one", "read the routes: %w", err)
	}
	var config struct {
		Monolith any            `yaml:"monolith"`
		Services map[string]any `yaml:"services"`
		Guard    any            `yaml:"guard"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil // the proxy explains it better: it names line and column
	}
	for _, part := range []struct {
		name, addr string
		node       any
	}{
		{Monolith, o.Monolith, config.Monolith},
		{Recommendations, o.Recommendations, config.Services[Recommendations]},
		{Reviews, o.Reviews, config.Services[Reviews]},
		{Catalog, o.Catalog, config.Services[Catalog]},
	} {
		if url := addressOf(part.node); url != "" && !strings.Contains(url, part.addr) {
			return program.Fail(program.Usage, fmt.Sprintf("write http://%s there, or start the demo with --%s and that address", part.addr, part.name),
				"%s sends %s to %s, but the demo runs it on %s", path, part.name, url, part.addr)
		}
	}
	if config.Guard == nil {
		fmt.Fprintf(o.Out, strict, path)
	}
	if config.Services[Catalog] == nil {
		fmt.Fprintf(o.Out, newer, path, o.Catalog)
	}
	if config.Services[Reviews] == nil {
		fmt.Fprintf(o.Out, noReviews, path, o.Reviews)
	}
	return nil
}

// addressOf returns the text of an address, given as a string, a list or {url: ...}.
func addressOf(node any) string {
	switch v := node.(type) {
	case nil:
		return ""
	case map[string]any:
		return addressOf(v["url"])
	}
	return fmt.Sprint(node)
}
