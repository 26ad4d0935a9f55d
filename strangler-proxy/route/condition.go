package route

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// Any as the value of a Condition asks only that the thing is there.
const Any = "*"

// A Condition asks for a header or a query parameter of a request. A value other
// than Any has to stand there exactly once: of two values, servers would not agree
// which one counts.
type Condition struct {
	Name  string
	Value string
}

// conditions are what a template asks for besides method and path.
type conditions struct {
	host    string // lower case; "*.x" is every name below x, "" every host
	headers []Condition
	query   []Condition
	rank    [5]int // the smaller one is preferred, compared from the left
}

// Conditional reports whether the template asks for more than method and path.
func (t Template) Conditional() bool { return t.conditions != nil }

// Host is the host that the template asks for, or "".
func (t Template) Host() string { return t.conditionsOrNone().host }

// Headers are the header conditions by name. The caller must not change them.
func (t Template) Headers() []Condition { return t.conditionsOrNone().headers }

// Query are the query conditions by name. The caller must not change them.
func (t Template) Query() []Condition { return t.conditionsOrNone().query }

func (t Template) conditionsOrNone() *conditions {
	if t.conditions == nil {
		return &conditions{}
	}
	return t.conditions
}

// with returns t with changed conditions; t itself stays.
func (t Template) with(change func(c *conditions)) Template {
	old := t.conditionsOrNone()
	c := &conditions{host: old.host, headers: slices.Clone(old.headers), query: slices.Clone(old.query)}
	change(c)
	byName := func(a, b Condition) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(c.headers, byName)
	slices.SortFunc(c.query, byName)
	c.rank = [5]int{hostRank(c.host), -len(c.headers), -len(c.query), -exact(c.headers), -exact(c.query)}
	t.conditions = c
	return t
}

// hostRank is smaller for what fewer hosts match.
func hostRank(host string) int {
	switch {
	case host == "":
		return 0
	case strings.HasPrefix(host, "*."):
		return -len(host)
	}
	return -1 << 20
}

func exact(all []Condition) int {
	n := 0
	for _, c := range all {
		if c.Value != Any {
			n++
		}
	}
	return n
}

// WithHost returns t for one host, or for every name below one: "*.shop.example".
// Ports do not count.
func (t Template) WithHost(host string) (Template, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return t.with(func(c *conditions) { c.host = ip.String() }), nil
	}
	if strings.Contains(host, ":") {
		return t, fmt.Errorf("host %q: a host is written without a port", host)
	}
	for _, label := range strings.Split(strings.TrimPrefix(host, "*."), ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		}) {
			return t, fmt.Errorf("host %q: a host is a name such as shop.example, or *.shop.example for every name below it", host)
		}
	}
	return t.with(func(c *conditions) { c.host = host }), nil
}

// WithHeader returns t for requests with a header of that value; Any asks only that
// it is there.
func (t Template) WithHeader(name, value string) (Template, error) {
	condition, err := HeaderCondition(name, value)
	switch {
	case err != nil:
		return t, err
	case has(t.Headers(), condition.Name):
		return t, fmt.Errorf("header %s stands there twice", condition.Name)
	}
	return t.with(func(c *conditions) { c.headers = append(c.headers, condition) }), nil
}

// HeaderCondition asks for a header of that value; Any asks only that it is there.
func HeaderCondition(name, value string) (Condition, error) {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !isToken(name):
		return Condition{}, fmt.Errorf("%q is no name of a header", name)
	case canonical == "Host":
		return Condition{}, errors.New("header Host: write it as host")
	case neverRouted(canonical):
		return Condition{}, fmt.Errorf("header %s: the proxy does not let it through, so nothing can depend on it", canonical)
	case hasControl(value) || strings.TrimSpace(value) != value || value == "":
		return Condition{}, fmt.Errorf("header %s: %q is no value of a header", canonical, value)
	}
	return Condition{canonical, value}, nil
}

// WithQuery returns t for requests with a query parameter of that value, both written
// without encoding; Any asks only that it is there.
func (t Template) WithQuery(name, value string) (Template, error) {
	switch {
	case name == "":
		return t, fmt.Errorf("a query parameter has a name")
	case has(t.Query(), name):
		return t, fmt.Errorf("query parameter %s stands there twice", name)
	}
	return t.with(func(c *conditions) { c.query = append(c.query, Condition{name, value}) }), nil
}

func has(all []Condition, name string) bool {
	return slices.ContainsFunc(all, func(c Condition) bool { return c.Name == name })
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// neverRouted reports headers that end at the proxy or that it writes itself.
func neverRouted(canonical string) bool {
	switch canonical {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Content-Length", "Forwarded", "X-Real-Ip":
		return true
	}
	return strings.HasPrefix(canonical, "X-Forwarded-") || strings.HasPrefix(canonical, "X-Strangler-")
}

// match reports whether head fulfils the conditions; none are always fulfilled.
func (c *conditions) match(head *Head) bool {
	if c == nil {
		return true
	}
	if c.host != "" && !hostMatches(c.host, head.Host) {
		return false
	}
	for i := range c.headers {
		if !c.headers[i].inHeader(head) {
			return false
		}
	}
	for i := range c.query {
		if !c.query[i].inQuery(head.Query) {
			return false
		}
	}
	return true
}

func hostMatches(want, hostport string) bool {
	host := hostname(hostport)
	suffix, wild := strings.CutPrefix(want, "*")
	if !wild {
		return strings.EqualFold(host, want)
	}
	return len(host) > len(suffix) && strings.EqualFold(host[len(host)-len(suffix):], suffix)
}

// hostname is host:port without the port, the brackets of IPv6 and the final dot.
func hostname(hostport string) string {
	if strings.HasPrefix(hostport, "[") {
		host, _, _ := strings.Cut(hostport[1:], "]")
		return host
	}
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && i == strings.IndexByte(hostport, ':') {
		hostport = hostport[:i]
	}
	return strings.TrimSuffix(hostport, ".")
}

func (c *Condition) inHeader(head *Head) bool {
	value, times := head.Field(c.Name)
	if c.Value == Any {
		return times > 0
	}
	return times == 1 && value == c.Value
}

func (c *Condition) inQuery(query string) bool {
	found := false
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if unescape(name) != c.Name {
			continue
		}
		if c.Value == Any {
			return true
		}
		if found || unescape(value) != c.Value {
			return false
		}
		found = true
	}
	return found
}

// unescape decodes a part of a query; what is no encoding stays as it is.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// compareConditions is negative when t asks for more than o: an exact host before
// *.x before none, then more headers, more query parameters, more values.
func (t Template) compareConditions(o Template) int {
	a, b := t.conditionsOrNone().rank, o.conditionsOrNone().rank
	return slices.CompareFunc(a[:], b[:], cmp.Compare[int])
}

// String writes the conditions the way tests in the file do: Name:value, ?name=value.
func (c *conditions) String() string {
	var words []string
	if c.host != "" {
		words = append(words, "Host:"+c.host)
	}
	for _, h := range c.headers {
		words = append(words, h.Name+":"+h.Value)
	}
	for i, q := range c.query {
		words = append(words, string("?&"[min(i, 1)])+q.Name+"="+q.Value)
	}
	return strings.Join(words, " ")
}

// missing names the first condition that head does not fulfil, or is "".
func (c *conditions) missing(head *Head) string {
	if c == nil {
		return ""
	}
	if c.host != "" && !hostMatches(c.host, head.Host) {
		return "host " + c.host
	}
	for _, h := range c.headers {
		if !h.inHeader(head) {
			return "header " + h.Name + ": " + h.Value
		}
	}
	for _, q := range c.query {
		if !q.inQuery(head.Query) {
			return "query parameter " + q.Name + "=" + q.Value
		}
	}
	return ""
}
