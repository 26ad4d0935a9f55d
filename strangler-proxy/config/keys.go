package config

// A Key describes one key of the file. The checker refuses keys that are not listed
// here, and the reference page is printed from the same lists, so both are true.
type Key struct {
	Name     string
	Type     string
	Default  string // as text for the reference; empty means none
	Required bool
	Doc      string
}

// A Section is a mapping of the file and its keys.
type Section struct {
	Path string // e.g. "routes.NAME"
	Doc  string
	Keys []Key
}

// Sections lists every mapping of the file, the top level first.
func Sections() []Section {
	return []Section{topSection, tlsSection, limitsSection, adminSection, monolithSection, serviceSection, healthSection, breakerSection, defaultsSection, fallbackSection, retrySection, shadowSection, discoverySection, logSection, tracingSection, guardSection, auditSection, groupSection, routeSection, matchSection, routeFallbackSection, routeRetrySection, routeShadowSection, compareSection, promoteSection, requireSection, cohortSection, forceSection}
}

// The sections. They are constants in all but name.
var (
	topSection = Section{"", "The top level of the file.", []Key{
		{Name: "version", Type: "version", Required: true, Doc: "Version of the format: `1`."},
		{Name: "listen", Type: "address", Default: DefaultListen, Doc: "Where clients connect, `host:port`. Port `0` takes a free one. A change takes effect at the next start."},
		{Name: "tls", Type: "mapping or list of mappings", Default: "plain HTTP", Doc: "The certificate that clients are shown, see below."},
		{Name: "h2c", Type: "boolean", Default: "false", Doc: "Whether clients may speak HTTP/2 without TLS, if they begin with it (`h2c` with prior knowledge)."},
		{Name: "limits", Type: "mapping", Doc: "What a client may cost, see below."},
		{Name: "trusted_proxies", Type: "list of texts", Default: "nobody", Doc: "Addresses and prefixes, such as `10.0.0.0/8`, of proxies in front of this one. From them, and from nobody else, `X-Forwarded-For`, `-Host` and `-Proto` are believed and passed on; `Forwarded` is read where there is no `X-Forwarded-For`."},
		{Name: "admin", Type: "mapping", Doc: "The admin listener, see below."},
		{Name: "marks", Type: "boolean or auto", Default: "auto", Doc: "Whether answers tell who gave them, by the headers `X-Strangler-…`: `true` to everybody, `false` to nobody, `auto` to those who show an admin token or, if the admin address asks for none, to those on this machine. See [Headers](#headers)."},
		{Name: "panic", Type: "text or boolean", Doc: "Why every route is on the monolith for now, whatever its stage; only those at `done` stay, and those whose tables a split has moved. `strangler route panic --reason WHY` writes the line, `--end` takes it out. Variables are not replaced in it."},
		{Name: "monolith", Type: "url or mapping", Required: true, Doc: "Who answers whatever no route has taken over."},
		{Name: "services", Type: "mapping of url or mapping", Doc: "The extracted services by name. `monolith` and `proxy` are not free as names."},
		{Name: "defaults", Type: "mapping", Doc: "What holds for every route that says nothing else."},
		{Name: "routes", Type: "mapping of mapping", Doc: "The routes by name. Their order does not matter."},
		{Name: "groups", Type: "mapping of mapping", Doc: "Routes that belong together, by the group's name, which is no route's."},
		{Name: "audit", Type: "mapping", Doc: "What the audit log asks for, see below."},
		{Name: "guard", Type: "mapping or off", Default: "on", Doc: "What has to be shown before a route goes forward, see below."},
		{Name: "force", Type: "mapping", Doc: "Who may choose the side of their own requests."},
		{Name: "log", Type: "mapping", Doc: "The access log, see below."},
		{Name: "tracing", Type: "mapping or off", Default: "off", Doc: "Traces of requests, see below."},
		{Name: "discovery", Type: "mapping", Doc: "What the proxy learns from traffic and remembers, see below."},
		{Name: "tests", Type: "list of test", Doc: "Requests and who has to answer them, such as `GET /orders/42 X-Beta:yes -> orders or monolith`, see below."},
	}}
	adminSection = Section{"admin", "Health, metrics and status. It is served on this address only, never to clients.", []Key{
		{Name: "listen", Type: "address", Default: DefaultAdmin, Doc: "A loopback address of this machine, unless there is a `token_file`. A change takes effect at the next start."},
		{Name: "token_file", Type: "text", Doc: "A file with the tokens that this address asks for: `NAME TOKEN`, one a line, or one `TOKEN` alone. Nobody else may be able to read it (`chmod 600`), and a token has at least 16 characters. Relative paths begin in the folder of this file. It is read at the start and with each reload; after a change of it alone, send SIGHUP."},
	}}
	monolithSection = Section{"monolith", "The long form; `monolith: http://127.0.0.1:9000` is short for `{url: …}`.", []Key{
		{Name: "url", Type: "url", Required: true, Doc: "`http://host:port` or `https://host:port`, without a path."},
		{Name: "timeout", Type: "duration", Default: "60s", Doc: "How long a response may take to begin. `0s` means no limit."},
	}}
	serviceSection = Section{"services.NAME", "The long form; `orders: http://127.0.0.1:9008` is short for `{url: …}`.", []Key{
		{Name: "url", Type: "url or list of urls", Required: true, Doc: "One or more instances. They take turns; one that refuses the connection is passed over, and one that fails three times in a row is left out for 10 s, longer if that happens again. If all are left out, all are asked."},
		{Name: "health", Type: "path or mapping", Doc: "A path that answers 2xx when the service is well. `strangler doctor` and `config check --connect` ask it, and the proxy does if there are several instances."},
		{Name: "slow_start", Type: "duration", Default: "10s", Doc: "How long one of several instances that comes back gets less than its share. `0s` means not at all."},
		{Name: "timeout", Type: "duration", Default: "`defaults.timeout`", Doc: "How long a response may take to begin."},
		{Name: "try_timeout", Type: "duration", Default: "`defaults.try_timeout`", Doc: tryTimeoutDoc},
		{Name: "breaker", Type: "mapping or off", Default: "on", Doc: "When the service is given a rest, see below. All its routes share it."},
		{Name: "sandbox", Type: "boolean", Default: "false", Doc: "Whether requests may change the service's data while the monolith still owns them: `shadow.writes: sandbox` needs it."},
	}}
	defaultsSection = Section{"defaults", "", []Key{
		{Name: "timeout", Type: "duration", Default: "10s", Doc: "How long a service's response may take to begin, all its tries together, counted while the service, not the client, keeps us waiting. `0s` means no limit."},
		{Name: "try_timeout", Type: "duration", Default: "0s", Doc: tryTimeoutDoc},
		{Name: "deadline", Type: "duration", Default: "0s", Doc: deadlineDoc},
		{Name: "fallback", Type: "mapping", Doc: "When the monolith answers in place of a service."},
		{Name: "retry", Type: "mapping", Doc: "When a service is asked once more, see below."},
		{Name: "sticky", Type: "list of keys", Default: "`[auto-cookie]`", Doc: "By what a canary recognises a client: the first that is there. `header:NAME`, `cookie:NAME` of the application, or `auto-cookie`, a cookie of the proxy for clients that have nothing else. Without it, those stay on the monolith."},
		{Name: "shadow", Type: "mapping", Doc: "What is copied to the side that does not answer, see below."},
	}}
	fallbackSection = Section{"defaults.fallback", "Methods other than GET, HEAD and OPTIONS fall back only where the service cannot have acted, unless `twice` lists them.", []Key{
		{Name: "on", Type: "list", Default: "`[connect, reset, timeout, 501, 502-504]`", Doc: "`connect`: the service cannot be reached (any method). `reset`: it broke off or answered no HTTP before its response began. `timeout`: its response did not begin in time. A status such as `503`, or a range, from 500 to 599. An empty list: never."},
		{Name: "twice", Type: "list", Default: "`[]`", Doc: "`PUT`, `DELETE`: methods that the monolith may be asked with, too, although the service may have acted, because twice comes to the same as once. Where the service owns the data (`split`) it does not count."},
		{Name: "max", Type: "number or percentage", Default: "256", Doc: "How many requests at a time the monolith may answer in place of services, so that their failure does not become its own. A percentage is of all requests in flight, and allows 10 always. What is beyond is answered 503 with `Retry-After`."},
	}}
	routeFallbackSection = Section{"routes.NAME.fallback", "What `fallback.max` allows, all routes share.", []Key{
		{Name: "on", Type: "list", Default: "`defaults.fallback`", Doc: "As in `defaults.fallback`."},
		{Name: "twice", Type: "list", Default: "`defaults.fallback`", Doc: "As in `defaults.fallback`."},
	}}
	routeSection = Section{"routes.NAME", "A route names the requests that move together, and how far they have moved.", []Key{
		{Name: "match", Type: "match or mapping", Required: true, Doc: "`METHOD /path` or `/path` for every method. `{id}` stands for one segment, `**` at the end for any number, also none. The mapping, see below, can ask for a host, headers and query parameters too."},
		{Name: "to", Type: "service", Doc: "The service the route moves to. Required once the stage is not `monolith`."},
		{Name: "stage", Type: "stage", Default: "its group's", Doc: "How far it has moved: `monolith`, `shadow`, `canary N%`, `live` or `done`, see below. Required unless its group has one."},
		{Name: "timeout", Type: "duration", Default: "the service's", Doc: "How long the service's response may take to begin."},
		{Name: "try_timeout", Type: "duration", Default: "the service's", Doc: tryTimeoutDoc},
		{Name: "deadline", Type: "duration", Default: "`defaults.deadline`", Doc: deadlineDoc},
		{Name: "fallback", Type: "mapping or off", Default: "`defaults.fallback`", Doc: "When the monolith answers in place of the service, see below. `off`: never."},
		{Name: "retry", Type: "mapping or off", Default: "`defaults.retry`", Doc: "When the service is asked once more, see below."},
		{Name: "data", Type: "none", Doc: "`none`: the service has no data of its own that could diverge from the monolith's, so requests that change something move with those that read."},
		{Name: "cohorts", Type: "list of mappings", Doc: "Clients that a canary sends to the service in any case, see below."},
		{Name: "sticky", Type: "list of keys", Default: "`defaults.sticky`", Doc: "By what a canary recognises clients. In a group, it is the group's."},
		{Name: "shadow", Type: "mapping or off", Default: "`defaults.shadow`", Doc: "What is copied of the route's requests, see below."},
		{Name: "compare", Type: "mapping", Doc: "How the answers are compared, see below."},
		{Name: "promote", Type: "mapping", Doc: "How a canary moves by itself, see below."},
		{Name: "expires", Type: "duration", Default: "never", Doc: "How long a canary lasts that nobody confirms (`strangler route confirm NAME`) or moves: then it goes back to the stage before. At most `8784h`."},
	}}
)

func (s Section) names() []string {
	names := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		names[i] = k.Name
	}
	return names
}
