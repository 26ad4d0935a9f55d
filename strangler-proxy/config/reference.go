package config

import (
	"fmt"
	"strings"
)

// Reference is the page that describes the configuration file, in Markdown, printed
// from the lists that the checker uses.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range Sections() {
		title := "`" + s.Path + "`"
		if s.Path == "" {
			title = "Top level"
		}
		fmt.Fprintf(&b, "\n### %s\n\n", title)
		if s.Doc != "" {
			fmt.Fprintf(&b, "%s\n\n", s.Doc)
		}
		b.WriteString("| key | value | default | |\n| --- | --- | --- | --- |\n")
		for _, k := range s.Keys {
			value := k.Default
			switch {
			case k.Required:
				value = "required"
			case value != "" && !strings.ContainsAny(value, "` '"):
				value = "`" + value + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, k.Type, value, k.Doc)
		}
	}
	b.WriteString(referenceRouting + referenceStages + referenceTail)
	return b.String()
}

const referenceHead = `# The configuration file

<!-- Printed from the lists that the checker uses: go test ./strangler-proxy/config -update -->

The smallest useful file:

` + "```yaml" + `
version: 1
monolith: http://127.0.0.1:9000
services:
  orders: http://127.0.0.1:9008
routes:
  orders-read: { match: GET /orders/**, to: orders, stage: monolith }
` + "```" + `

Moving the route means changing one word, by hand or with ` + "`strangler route set orders-read shadow`" + `, which changes
that line and keeps every other byte. A running proxy follows within a second and loses no request; open streams
stay where they are. A bad file is reported with line and column, and the last good one stays in use.

## Keys

Keys that are not listed here are errors, and so are keys that stand twice. A duration has a unit: ` + "`500ms`, `10s`, `2m`" + `.
A text may hold ` + "`${NAME}`, `${NAME:-default}` or `${NAME:?message}`" + ` for an environment variable of the proxy.
In a mapping written with braces, a text that holds ` + "`{ } [ ]`" + ` or a comma needs quotes:
` + "`{ match: \"GET /orders/{id}\", … }`" + `. The file may have 1 MiB and 40,000 lines.
`

const referenceRouting = `
## Which route a request takes

1. Routes match whole paths, segment by segment: ` + "`/orders`" + ` matches neither ` + "`/ordersX` nor `/orders/`" + `. ` + "`{id}`" + ` stands for one
   segment that is not empty, ` + "`**`" + ` for any number: ` + "`/orders/**` matches `/orders`, `/orders/` and `/orders/7/items`" + `.
2. Of the routes that match, the more specific path wins. Paths are compared segment by segment from the left: a
   literal beats ` + "`{id}`" + `, which beats ` + "`**`" + `.
3. On the same path, a route with the request's method beats one without a method. A ` + "`GET`" + ` route answers ` + "`HEAD`" + ` too,
   unless the same path has a ` + "`HEAD`" + ` route.
4. Then the conditions decide: an exact host before ` + "`*.shop.example`" + ` before none, then more headers, then more query
   parameters, then more of them with a value. A route whose conditions a request does not fulfil is as if it were not there.
5. The order in the file never matters. Two routes that could match the same request with nothing to choose between them
   are an error that names both.
6. A request that no route matches goes to the monolith; it is reported as route ` + "`default`" + `.

` + "`strangler route explain GET /orders/7 --host shop.example -H 'X-Beta: yes'`" + ` says who wins and why.

The bytes of path and query are forwarded as they came. A path that servers read in different ways (encoded
slashes, dot segments, backslashes, empty segments) is answered 400 and never forwarded if another reading selects
another route; encoded control bytes and a raw ` + "`#`" + ` are refused always.
`

const referenceTail = `
## Tests

Each line under ` + "`tests`" + ` is a request and who has to answer it:

` + "```yaml" + `
tests:
  - GET /orders/42?page=2 -> orders
  - GET /orders/42 X-Beta:yes Host:shop.example -> orders or monolith
  - GET /orders/..%2fadmin -> refused
` + "```" + `

After ` + "`->`" + ` stand one or more of ` + "`monolith`" + `, the services' names and ` + "`refused`" + ` (answered 400, never forwarded).
A test of a canary names everybody who may answer, ` + "`orders or monolith`" + `, or a client by its key or cohort, and then the
one who does: ` + "`GET /orders/42 X-User-Id:42 -> orders`" + `.
` + "`strangler route test`" + ` runs them without sending anything, names what fails with file, line and column, and says which
routes no test covers; ` + "`--fail-under 100`" + ` makes that a failure. A test that fails does not keep the proxy from
using the file; one that cannot be read does.

## When the monolith answers in place of a service

At the stages ` + "`canary`" + ` and ` + "`live`" + `, never after a byte of the service's response has gone to the client, and never when a request that
changes something might be done twice. ` + "`PUT`" + ` and ` + "`DELETE`" + ` count as reading ones where ` + "`fallback.twice`" + ` lists them and the monolith still has the data:

| what happened | GET, HEAD, OPTIONS | other methods | ` + "`X-Strangler-Fallback`" + ` |
| --- | --- | --- | --- |
| the service cannot be reached, nothing was sent | monolith | monolith | ` + "`connect_refused`, `connect_timeout`, `connect_dns`, `connect_failed`" + ` |
| it broke off before its response began | monolith | 502 | ` + "`reset`" + ` |
| it answered something that is not HTTP | monolith | 502 | ` + "`bad_response`" + ` |
| its response did not begin in time | monolith | 504 | ` + "`timeout`" + ` |
| it answered 502, 503 or 504 | monolith | its answer | ` + "`status_503`" + ` |
| its breaker is open: nothing was sent | monolith | monolith | ` + "`breaker_open`, `breaker_ramping`" + ` |
| it answered 501: it did nothing | monolith | monolith | ` + "`status_501`" + ` |

A service that cannot be reached and an open breaker need ` + "`connect`" + ` in ` + "`fallback.on`" + `; without it, a request that meets an open breaker is
answered 503 with ` + "`Retry-After`" + `. A breaker is *open* (no request reaches the service), then *half-open* (` + "`probes`" + ` requests
try it, all others go to the monolith), then *ramping* (a growing share reaches it), then *closed*. It belongs to the
service, so all its routes share it, and it survives every reload that leaves the service's urls and breaker alone.

The monolith stands in for at most ` + "`fallback.max`" + ` requests at a time. What is beyond is answered 503 with ` + "`Retry-After`" + `,
so a dead service cannot take the monolith down. A switched protocol, a WebSocket say, does not count.

A request body of at most 64 KiB is kept until the answer, so that it can be sent again; one that is longer passes, and
once it was begun nobody else can get it. A route's ` + "`fallback`" + ` takes the place of ` + "`fallback.on`" + `.

A ` + "`deadline`" + ` bounds all of it: when it has passed before a response began, the client is answered 504 and nobody else is asked.

A service's response to a reading request of at most 16 KiB with a ` + "`Content-Length`" + ` is held until it is complete, so that a
truncated one can be replaced by another try or the monolith's; a larger one that breaks off reaches the client broken off.

## Copies

At stage ` + "`shadow`, `canary`" + ` (of the clients that the monolith answers) and ` + "`live`" + `, a request goes a second time to the side that did not
answer it: after the answer is complete, byte for byte the same, with ` + "`X-Strangler-Shadow: 1`" + ` and a ` + "`Content-Length`" + ` in place of chunks. Nothing
of that reaches the client, and the client never waits for it. At ` + "`live`" + ` the monolith gets the copies, at most ` + "`shadow.live_rps`" + ` a second,
which shows what only appears under all of the traffic.

Each copy that was due and is not sent is counted under its reason, so that *sent* and *dropped* are *eligible*:

| reason | |
| --- | --- |
| ` + "`percent`" + ` | left out by ` + "`shadow.percent`" + ` |
| ` + "`unsafe_method`" + ` | it would change something, and ` + "`shadow.writes`" + ` does not allow it |
| ` + "`upgrade`" + ` | it asks for another protocol |
| ` + "`breaker`" + ` | the service's breaker is not closed |
| ` + "`rate`" + ` | ` + "`shadow.max_rps`" + ` or ` + "`shadow.live_rps`" + ` was reached |
| ` + "`queue_full`" + ` | ` + "`shadow.queue`" + ` copies wait, or the bodies that are kept take all of their memory |
| ` + "`body_too_large`" + ` | the request or the answer is larger than ` + "`shadow.max_body`" + ` |
| ` + "`client_gone`" + ` | the client left before its answer was complete |
| ` + "`no_answer`" + ` | the side that was to answer did not |
| ` + "`stopping`" + ` | the proxy ends |

What was sent ends as a *match*, a *mismatch* of some kind (` + "`status`, `missing`, `added`, `type`, `value`" + ` and so on, ` + "`size`" + ` for an answer that is larger than
` + "`shadow.max_body`" + ` while the other one is not, ` + "`noise`" + ` for sides that differ more often than the monolith from itself), a *timeout* or an *error*. A value that is only written
differently, ` + "`1.0` for `1`" + `, is a match. Bodies with the content encoding ` + "`gzip` or `deflate`" + ` are unpacked; with another one they match if their bytes do, else they are an error.

` + "`strangler route mismatches NAME`" + ` shows the last mismatches with the request, the differences and two command lines that ask both sides again. Of secrets
only the names are kept. The numbers begin anew when the route's ` + "`match`, `to` or `compare`" + ` changes, and outlive every other reload.

## Headers

| header | to the application | to the client |
| --- | --- | --- |
| ` + "`Host`" + ` | the client's | |
| ` + "`X-Forwarded-For`, `-Host`, `-Proto`" + ` | the client's address, its ` + "`Host`, `http`" + `; what a client sends is dropped, with ` + "`Forwarded`, `X-Real-Ip` and every `X-Forwarded-…`" + ` | |
| ` + "`X-Request-Id`" + ` | the client's, if it has at most 64 letters, digits, ` + "`-`, `_`, `.`" + `; else a new one | the same |
| ` + "`X-Strangler-Served-By`" + ` | | ` + "`monolith`, the service's name, or `proxy`" + ` when nobody could answer |
| ` + "`X-Strangler-Route`" + ` | | the route's name or ` + "`default`" + ` |
| ` + "`X-Strangler-Token`" + ` | never | |
| ` + "`X-Strangler-Force`" + ` | never, nor the cookie ` + "`strangler_force`" + ` | |
| ` + "`X-Strangler-Fallback`" + ` | | why the monolith answered in place of the service |

` + "`X-Strangler-Served-By`, `-Route` and `-Fallback`" + ` tell the public how far a migration is, so they go only to whom ` + "`marks`" + ` allows. With ` + "`auto`" + ` that is
whoever the admin address would let in. If it has an ` + "`admin.token_file`" + `, that is who shows one of its tokens, as ` + "`X-Strangler-Token: TOKEN`" + ` or ` + "`Authorization: Bearer TOKEN`" + `;
neither reaches an application. Else it is who asks from this machine, not through a proxy on it that ` + "`trusted_proxies`" + ` does not name.
What an application says under these names is dropped always.

Hop-by-hop headers end at the proxy, both ways. The only protocol a connection may switch to is WebSocket.

## Limits

Those for clients are in ` + "`limits`" + `. For HTTP/2, a change of them takes effect at the next start. An upstream has 1 s to
take a connection, and 256 KiB for the head of its response. Bodies have no limit unless ` + "`limits.body`" + ` sets one.
`
