package mixes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/shoptest"
)

const parallelConfig = `version: 1
monolith: %s
services:
  catalog: %s
routes:
  catalog-list:
    match: GET /api/products
    to: catalog
    stage: monolith
  catalog-categories:
    match: GET /api/categories
    to: catalog
    stage: monolith
groups:
  catalog-reads: { routes: [catalog-list, catalog-categories] }
guard: { compared: 10 } # the suite asks for the categories less often than people do
`

// A parallelRun is the shop with the two reads of chapter 07 before the service.
type parallelRun struct {
	config, admin string
	still         string // where the suite goes, see holdStill
}

func newParallelRun(t *testing.T) *parallelRun {
	t.Helper()
	monolith := newMonolith(t)
	dir := t.TempDir()
	service, err := shoptest.Start(t.Context(), filepath.Join(bin, "catalog"), "serve", "--addr", "127.0.0.1:0",
		"--db", filepath.Join(dir, "catalog.db"), "--monolith", monolith.URL, "--refresh", "5ms", "--log-level", "warn")
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, service)
	p := &parallelRun{config: filepath.Join(dir, "strangler.yaml")}
	text := fmt.Appendf(nil, parallelConfig, monolith.URL, service.URL)
	write := func() {
		if err := os.WriteFile(p.config, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	var proxyURL string
	proxyURL, p.admin = startProxy(t, p.config)
	text = fmt.Appendf(text, "admin: { listen: %q }\n", strings.TrimPrefix(p.admin, "http://")) // where the guard asks for evidence
	write()
	eventually(t, "the service has its copy", func() bool { return status(t, service.URL+"/readyz") == http.StatusOK })
	p.still = holdStill(t, proxyURL, service.URL, p.admin)
	return p
}

// TestParallelRunOfTheCatalog takes the two reads of chapter 07 all the way, as a person
// would, and runs the whole suite at each stage. Where the service is asked what the
// monolith is asked, at the same moment of the shop, no answer may differ, and no test
// may notice who answered.
func TestParallelRunOfTheCatalog(t *testing.T) {
	p := newParallelRun(t)
	for _, stage := range []struct {
		name              string
		monolith, service bool // who answers clients
	}{
		{"shadow", true, false}, {"canary 50%", true, true}, {"live", false, true},
	} {
		t.Run(stage.name, func(t *testing.T) {
			p.move(t, stage.name)
			before := p.routes(t)
			suite(t, p.still, ".").green(t)
			for name, now := range p.routes(t) {
				was := before[name]
				t.Logf("%s: monolith %d, service %d, copies %+v", name, now.Monolith-was.Monolith, now.Service-was.Service, now.Copies)
				if (now.Monolith > was.Monolith) != stage.monolith || (now.Service > was.Service) != stage.service || now.Fallbacks+now.Failed > 0 {
					t.Errorf("%s: the proxy counted %+v before and %+v after", name, was.route, now.route)
				}
				if now.Copies.Matches == was.Copies.Matches || now.Copies.Matches != now.Copies.Eligible {
					t.Errorf("%s: of %d copies %d agreed, want all of them and more than the %d of before: %+v",
						name, now.Copies.Eligible, now.Copies.Matches, was.Copies.Matches, now.Copies)
				}
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestParallelRunNoticesABug breaks the service: no client may notice, and the proxy
// must, on the route that the bug is about and on no other.
func TestParallelRunNoticesABug(t *testing.T) {
	t.Setenv("SHOP_BUG", "catalog-price") // the monolith does not know this bug
	p := newParallelRun(t)
	p.move(t, "shadow")
	suite(t, p.still, "^Test(Product|Categories)").green(t)
	all := p.routes(t)
	if c := all["catalog-list"].Copies; c.Mismatched == 0 || c.Matches+c.Mismatched != c.Eligible {
		t.Errorf("wrong prices: %+v", c)
	}
	if c := all["catalog-categories"].Copies; c.Matches == 0 || c.Matches != c.Eligible {
		t.Errorf("no category has a price: %+v", c)
	}
}

// copies is what became of the copies of a route.
type copies struct {
	Eligible   uint64            `json:"eligible"`
	Sent       uint64            `json:"sent"`
	Dropped    map[string]uint64 `json:"dropped"`
	Matches    uint64            `json:"matches"`
	Mismatched uint64            `json:"mismatched"`
	Errors     map[string]uint64 `json:"errors"`
	Timeouts   uint64            `json:"timeouts"`
}

// settled reports whether nothing is on its way.
func (c copies) settled() bool {
	ended := c.Matches + c.Mismatched + c.Timeouts
	for _, n := range c.Errors {
		ended += n
	}
	sent := c.Sent
	for _, n := range c.Dropped {
		sent += n
	}
	return ended == c.Sent && sent == c.Eligible
}

// A compared route is one with what is known of its copies.
type compared struct {
	route
	Copies copies `json:"copies"`
}

// routes asks the proxy for its routes by name.
func (p *parallelRun) routes(t *testing.T) map[string]compared {
	t.Helper()
	all, err := askParallel(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func askParallel(admin string) (map[string]compared, error) {
	res, err := http.Get(admin + "/status")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var state struct {
		Routes []compared `json:"routes"`
	}
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		return nil, err
	}
	all := map[string]compared{}
	for _, r := range state.Routes {
		all[r.Name] = r
	}
	return all, nil
}

// move moves both routes with one command, guarded, and waits for the proxy.
func (p *parallelRun) move(t *testing.T, stage string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "strangler"), "route", "set",
		"catalog-list", "catalog-categories", stage, "--config", p.config, "--reason", "the suite is green")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("route set: %v\n%s", err, out)
	}
	eventually(t, "the proxy follows the file", func() bool {
		now := p.routes(t)
		return now["catalog-list"].Stage == stage && now["catalog-categories"].Stage == stage
	})
}

var movedRead = regexp.MustCompile(`^/api/(categories|products)$`)

// holdStill starts a server that passes everything to the proxy. A read of the two
// routes has the shop to itself, from when the service has seen all that went before
// until its copy is compared: then a difference is a fault, and no matter of time.
func holdStill(t *testing.T, proxy, service, admin string) string {
	t.Helper()
	to, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	var shop sync.RWMutex
	var changed atomic.Bool // since the service was last known to have seen all
	changed.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || !movedRead.MatchString(r.URL.Path) {
			shop.RLock()
			defer shop.RUnlock()
			pass.ServeHTTP(w, r)
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				changed.Store(true)
			}
			return
		}
		shop.Lock()
		defer shop.Unlock()
		if changed.Load() {
			if err := caughtUp(r.Context(), service); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			changed.Store(false)
		}
		pass.ServeHTTP(w, r)
		if err := comparisonsEnd(admin); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// comparisonsEnd waits until no copy is on its way.
func comparisonsEnd(admin string) error {
	var all map[string]compared
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		var err error
		if all, err = askParallel(admin); err != nil {
			return err
		}
		if all["catalog-list"].Copies.settled() && all["catalog-categories"].Copies.settled() {
			return nil
		}
	}
	return fmt.Errorf("copies are on their way for ever: %+v", all)
}
