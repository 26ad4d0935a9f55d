package gateway

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A backend is the monolith or a service as Services of the cluster.
type backend struct {
	refs    []BackendRef
	timeout time.Duration
	notes   []string // differences, once it is used
}

func backendsOf(cfg *config.Config) map[string]backend {
	all := map[string]backend{config.MonolithName: backendOf(cfg.Monolith)}
	for _, s := range cfg.Services {
		all[s.Name] = backendOf(s)
	}
	return all
}

func backendOf(u config.Upstream) backend {
	b := backend{timeout: u.Timeout}
	for _, address := range u.URLs {
		ref, note := serviceOf(u.Name, address)
		if note != "" {
			b.notes = append(b.notes, note)
		}
		if address.Scheme == "https" {
			b.notes = append(b.notes, fmt.Sprintf("%s is asked by https at %s: its Service needs a BackendTLSPolicy", u.Name, address.Host))
		}
		if !slices.ContainsFunc(b.refs, func(r BackendRef) bool { return sameService(r, ref) }) {
			b.refs = append(b.refs, ref)
		}
	}
	if len(b.refs) >= limitRefs {
		b.notes = append(b.notes, fmt.Sprintf("%s has more instances than a rule may name: the first %d are exported", u.Name, limitRefs-1))
		b.refs = b.refs[:limitRefs-1]
	}
	return b
}

func sameService(a, b BackendRef) bool {
	return a.Name == b.Name && a.Namespace == b.Namespace && a.Port == b.Port
}

var labelPattern = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// serviceOf is the Service that a url names: NAME, NAME.NAMESPACE, or either with svc
// and the cluster's domain. Any other host gets a Service to be made, named after the
// upstream.
func serviceOf(upstream string, address *url.URL) (BackendRef, string) {
	ref := BackendRef{Port: portOf(address)}
	host := strings.ToLower(strings.TrimSuffix(address.Hostname(), "."))
	name, rest, _ := strings.Cut(host, ".")
	namespace, domain, _ := strings.Cut(rest, ".")
	_, isIP := netip.ParseAddr(host)
	switch {
	case host == "localhost" || isIP == nil || !labelPattern.MatchString(name):
	case rest == "":
		ref.Name = name
		return ref, ""
	case labelPattern.MatchString(namespace) && (domain == "svc" || strings.HasPrefix(domain, "svc.cluster.")):
		ref.Name, ref.Namespace = name, namespace
		return ref, fmt.Sprintf("Service %s is in namespace %s: a ReferenceGrant there has to allow it", name, namespace)
	}
	ref.Name = serviceName(upstream)
	return ref, fmt.Sprintf("%s is at %s, which is no Service of the cluster: make a Service %s with port %d that leads there", upstream, address.Host, ref.Name, ref.Port)
}

var noLabel = regexp.MustCompile(`[^a-z0-9]+`)

// serviceName makes the name of an upstream one that a Service may have.
func serviceName(upstream string) string {
	name := strings.Trim(noLabel.ReplaceAllString(strings.ToLower(upstream), "-"), "-")
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = "s-" + name
	}
	return strings.TrimRight(name[:min(len(name), 63)], "-")
}

func portOf(address *url.URL) int {
	if n, err := strconv.Atoi(address.Port()); err == nil {
		return n
	}
	if address.Scheme == "https" {
		return 443
	}
	return 80
}

// use is the backend named name, whose differences count from now on.
func (e *exporter) use(name string) backend {
	b := e.backends[name]
	for _, note := range b.notes {
		e.differs(Backend, note)
	}
	return b
}

// targets writes a plan: backends with weights, copies, timeouts.
func (e *exporter) targets(rule *Rule, name string, p plan) {
	monolith, service := e.use(config.MonolithName), backend{}
	if p.service != "" {
		service = e.use(p.service)
	}
	for _, r := range service.refs {
		rule.BackendRefs = append(rule.BackendRefs, weighted(r, p.share*len(monolith.refs)))
	}
	if p.share < route.Everyone {
		for _, r := range monolith.refs {
			rule.BackendRefs = append(rule.BackendRefs, weighted(r, (route.Everyone-p.share)*max(1, len(service.refs))))
		}
	}
	reduce(rule.BackendRefs)
	if p.mirror != "" {
		// One copy, to the first instance: a filter for each would be a copy for each.
		rule.Filters = append(rule.Filters, mirror(e.use(p.mirror).refs[0], p.percent))
	}
	if p.share > 0 {
		rule.Timeouts = e.timeouts(name, p.share, monolith.timeout)
	}
}

// timeouts bounds the backends of a rule by the longer of their timeouts.
func (e *exporter) timeouts(name string, share int, monolith time.Duration) *Timeouts {
	longest := e.cfg.Route(name).Timeout
	if share < route.Everyone && longest > 0 {
		longest = max(longest, monolith)
	}
	switch {
	case longest == 0 || share < route.Everyone && monolith == 0:
		return nil // without limit
	case !e.opts.Timeouts:
		e.differs(Timeout, "the timeout of its service is not exported", name)
		return nil
	}
	e.differs(Timeout, "the timeout bounds the whole response, here only the wait until it begins; --timeouts=false leaves it out", name)
	return &Timeouts{duration(longest)}
}

func weighted(r BackendRef, weight int) BackendRef {
	r.Weight = &weight
	return r
}

// reduce makes weights as small as their ratio allows; one alone needs none.
func reduce(refs []BackendRef) {
	divisor := 0
	for _, r := range refs {
		divisor = gcd(divisor, *r.Weight)
	}
	for i := range refs {
		if *refs[i].Weight /= max(1, divisor); len(refs) == 1 {
			refs[i].Weight = nil
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func mirror(to BackendRef, percent float64) Filter {
	m := Mirror{Backend: to}
	switch whole := int(percent); {
	case percent >= 100:
	case percent == float64(whole):
		m.Percent = &whole
	default:
		m.Fraction = &Fraction{int(math.Round(percent * 100)), route.Everyone}
	}
	return Filter{"RequestMirror", m}
}

// duration writes d the way Gateway API reads it: no fractions, at most five digits a
// unit, whole milliseconds.
func duration(d time.Duration) string {
	d = max(d.Round(time.Millisecond), time.Millisecond)
	var b strings.Builder
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / unit.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d -= n * unit.size
		}
	}
	return b.String()
}
