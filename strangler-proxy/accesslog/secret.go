package accesslog

import (
	"net/url"
	"strings"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// hidden stands for a secret.
const hidden = "(secret)"

// ShownPath is the path of x without secrets. Where its route says by a placeholder
// such as {token} that the path holds one, it is the route's template.
func ShownPath(x *exchange.Exchange, secrets *differ.Redactor) string {
	if r := x.Decision.Route; r != nil && r.Match.HoldsSecret() {
		return r.Match.Path()
	}
	if strings.IndexByte(x.Path, ';') < 0 {
		return x.Path
	}
	segments := strings.Split(x.Path, "/")
	for i, s := range segments {
		segments[i] = withoutSecrets(s, ";", secrets) // as in /cart;jsessionid=…
	}
	return strings.Join(segments, "/")
}

// shownQuery is a query without the values of parameters whose names say that they
// are secrets.
func (l *Log) shownQuery(query string) string { return withoutSecrets(query, "&", l.secrets) }

func withoutSecrets(text, separator string, secrets *differ.Redactor) string {
	if strings.IndexByte(text, '=') < 0 {
		return text
	}
	pairs := strings.Split(text, separator)
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if value != "" && secrets.Secret(decoded(name)) {
			pairs[i] = name + "=" + hidden
		}
	}
	return strings.Join(pairs, separator)
}

func decoded(name string) string {
	if text, err := url.QueryUnescape(name); err == nil {
		return text
	}
	return name
}
