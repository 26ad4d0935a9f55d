package differ

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A HeaderMode says how a header of the response is compared.
type HeaderMode string

// The modes. Empty is HeaderIgnore where a mode is optional.
const (
	HeaderIgnore   HeaderMode = "ignore"
	HeaderExact    HeaderMode = "exact"    // the values, in order
	HeaderPresence HeaderMode = "presence" // only whether it is there
	HeaderList     HeaderMode = "list"     // a list in which order and case do not matter
	HeaderMedia    HeaderMode = "media"    // a media type with parameters
	HeaderLink     HeaderMode = "link"     // a URL or path: origins and bound identifiers may differ
	HeaderCookies  HeaderMode = "cookies"  // names and attributes; values only by whether they are empty
)

var headerModes = []HeaderMode{HeaderIgnore, HeaderExact, HeaderPresence, HeaderList, HeaderMedia, HeaderLink, HeaderCookies}

// DefaultHeaders returns the headers that clients act on, and how each is compared.
func DefaultHeaders() map[string]HeaderMode {
	return map[string]HeaderMode{
		"Accept-Patch":                     HeaderList,
		"Access-Control-Allow-Credentials": HeaderExact,
		"Access-Control-Allow-Headers":     HeaderList,
		"Access-Control-Allow-Methods":     HeaderList,
		"Access-Control-Allow-Origin":      HeaderExact,
		"Access-Control-Expose-Headers":    HeaderList,
		"Access-Control-Max-Age":           HeaderExact,
		"Allow":                            HeaderList,
		"Cache-Control":                    HeaderList,
		"Content-Disposition":              HeaderExact,
		"Content-Language":                 HeaderList,
		"Content-Range":                    HeaderExact,
		"Content-Security-Policy":          HeaderExact,
		"Content-Type":                     HeaderMedia,
		"Deprecation":                      HeaderExact,
		"Etag":                             HeaderPresence,
		"Last-Modified":                    HeaderPresence,
		"Link":                             HeaderLink,
		"Location":                         HeaderLink,
		"Referrer-Policy":                  HeaderExact,
		"Retry-After":                      HeaderExact,
		"Set-Cookie":                       HeaderCookies,
		"Strict-Transport-Security":        HeaderExact,
		"Sunset":                           HeaderExact,
		"Vary":                             HeaderList,
		"Www-Authenticate":                 HeaderExact,
		"X-Content-Type-Options":           HeaderExact,
		"X-Frame-Options":                  HeaderExact,
		"X-Total-Count":                    HeaderExact,
	}
}

func sortedNames(m map[string]HeaderMode) []string { return slices.Sorted(maps.Keys(m)) }

// allHeaders compares the headers of the responses.
func (w *walk) allHeaders() {
	w.part, w.path = InHeader, w.path[:0]
	defer func() { w.label = "" }()
	before, after := w.pair.Before.Header, w.pair.After.Header
	list := w.d.names
	if other := w.d.rules.OtherHeaders; other != "" && other != HeaderIgnore {
		all := map[string]HeaderMode{}
		maps.Copy(all, w.d.headers)
		for _, h := range [...]http.Header{before, after} {
			for name := range h {
				if _, known := all[name]; !known {
					all[name] = other
				}
			}
		}
		list = sortedNames(all)
	}
	for _, name := range list {
		a, b := before[name], after[name]
		if len(a)+len(b) == 0 {
			continue
		}
		mode, known := w.d.headers[name]
		if !known {
			mode = w.d.rules.OtherHeaders
		}
		if mode != HeaderIgnore {
			w.label = name
			w.header(mode, a, b)
		}
	}
}

func (w *walk) header(mode HeaderMode, a, b []string) {
	before, after := value{kind: stringValue, text: strings.Join(a, ", ")}, value{kind: stringValue, text: strings.Join(b, ", ")}
	w.result.Leaves++
	switch {
	case mode == HeaderCookies:
		w.cookies(a, b)
	case len(a) == 0 || len(b) == 0:
		w.headerAbsent(before, after, len(b) == 0)
	case mode == HeaderPresence:
	case w.mode == binding:
		if mode == HeaderLink && w.pair.Before.writes() {
			w.bindPath(before.text, after.text, true)
		}
	case w.mode == learning:
		w.learn(!sameHeader(mode, a, b), func(v *variation) { v.see(shapeOf(before)); v.see(shapeOf(after)) })
	case mode == HeaderLink && w.sameLink(before.text, after.text):
	case mode != HeaderLink && sameHeader(mode, a, b):
	case w.noisy(before, after):
	case mode == HeaderLink && w.ids != nil && w.differsById(before.text, after.text):
		w.find(Identity, Breaking, &before, &after, "AFTER leads to something else than BEFORE")
	default:
		w.find(Value, Breaking, &before, &after, "another value")
	}
}

func (w *walk) headerAbsent(a, b value, missing bool) {
	known, _ := w.noise.at(w.place())
	switch {
	case w.mode == learning:
		w.learn(true, func(v *variation) { v.optional = true })
	case known.optional:
		w.accept("BEFORE has it only sometimes")
	case missing:
		w.find(Missing, Breaking, &a, nil, "AFTER lacks the header")
	default:
		w.find(Added, Additive, nil, &b, "only AFTER has the header")
	}
}

func sameHeader(mode HeaderMode, a, b []string) bool {
	switch {
	case slices.Equal(a, b):
		return true
	case mode == HeaderList:
		return slices.Equal(listItems(a), listItems(b))
	case mode == HeaderMedia:
		return mediaOf(a[0]) == mediaOf(b[0])
	}
	return false
}

func listItems(values []string) []string {
	var items []string
	for item := range strings.SplitSeq(strings.ToLower(strings.Join(values, ",")), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	slices.Sort(items)
	return slices.Compact(items)
}

// cookies compares the cookies that the responses set: names, attributes, and whether
// the value is empty.
func (w *walk) cookies(a, b []string) {
	if w.mode == binding {
		return
	}
	before, after := cookiesOf(a), cookiesOf(b)
	for _, name := range slices.Sorted(maps.Keys(mergeKeys(before, after))) {
		x, inBefore := before[name]
		y, inAfter := after[name]
		w.label = "Set-Cookie: " + name
		vx, vy := value{kind: stringValue, text: x}, value{kind: stringValue, text: y}
		switch known, _ := w.noise.at(w.place()); {
		case !inBefore || !inAfter:
			w.headerAbsent(vx, vy, !inAfter)
		case x == y:
			w.learn(false, nil)
		case w.mode == learning:
			w.learn(true, func(v *variation) { v.see(shapeOf(vx)); v.see(shapeOf(vy)) })
		case known.varied > 0:
			w.accept("BEFORE's attributes vary, too")
		default:
			w.report(Finding{Kind: CookieChange, Severity: Breaking, Before: x, After: y, Explanation: "the cookie is set with other attributes"})
		}
	}
}

// proxyCookie is the cookie by which the strangler proxy knows a client again; the service
// behind it has no part in it.
const proxyCookie = "_strangler_id"

// cookiesOf describes each cookie of the system without its value.
func cookiesOf(lines []string) map[string]string {
	list := map[string]string{}
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			name, _, _ := strings.Cut(line, "=")
			list[strings.TrimSpace(name)] = "(not a valid cookie)"
			continue
		}
		if c.Name == proxyCookie {
			continue
		}
		if c.Value != "" {
			c.Value = "…"
		}
		parts := []string{"value=" + c.Value, "Path=" + c.Path, "Domain=" + c.Domain}
		if c.MaxAge != 0 {
			parts = append(parts, "Max-Age="+strconv.Itoa(c.MaxAge))
		}
		if c.RawExpires != "" {
			parts = append(parts, "Expires")
		}
		for _, flag := range [...]struct {
			set  bool
			name string
		}{
			{c.Secure, "Secure"},
			{c.HttpOnly, "HttpOnly"},
			{c.Partitioned, "Partitioned"},
			{c.SameSite == http.SameSiteLaxMode, "SameSite=Lax"},
			{c.SameSite == http.SameSiteStrictMode, "SameSite=Strict"},
			{c.SameSite == http.SameSiteNoneMode, "SameSite=None"},
		} {
			if flag.set {
				parts = append(parts, flag.name)
			}
		}
		list[c.Name] = strings.Join(parts, "; ")
	}
	return list
}

func mergeKeys(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
