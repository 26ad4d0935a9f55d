package config

// referenceStages says what the stages and their keys mean.
const referenceStages = `
## Stages

| stage | requests that read | requests that change something | compared | the monolith may stand in |
| --- | --- | --- | --- | --- |
| ` + "`" + `monolith` + "`" + ` | monolith | monolith | | |
| ` + "`" + `shadow` + "`" + ` | monolith | monolith | the service, with a copy | |
| ` + "`" + `canary 5%` + "`" + ` | the service for 5 % of the clients | monolith, until the service owns the data | the service, with a copy of the rest | yes |
| ` + "`" + `live` + "`" + ` | service | service | the monolith, with a copy of what reads | yes |
| ` + "`" + `done` + "`" + ` | service | service | | no: the monolith is never asked, so its code can go |

A canary has any share from ` + "`" + `0%` + "`" + ` to ` + "`" + `100%` + "`" + `, with at most two decimals. Reads move before writes: at a canary, methods
other than ` + "`" + `GET` + "`" + `, ` + "`" + `HEAD` + "`" + ` and ` + "`" + `OPTIONS` + "`" + ` stay on the monolith, unless the route says ` + "`" + `data: none` + "`" + ` (then they move with the
reads) or the split of its group has moved its tables (then all of them are the service's). Nothing is ever written on
both sides. Once a split keeps a route's data, a request that changes something never falls back to the monolith.

### Clients of a canary

A client is known by its key, the first of ` + "`" + `sticky` + "`" + ` that is there: a header, a cookie of the application, or
` + "`" + `auto-cookie` + "`" + `. The last gives a client without a key ` + "`" + `_strangler_id` + "`" + `, 128 random bits (` + "`" + `HttpOnly; SameSite=Lax; Path=/` + "`" + `,
and ` + "`" + `Secure` + "`" + ` over TLS), on the first answer that depends on it and never again; it ends with the client's session. A client
that keeps no cookies is a new one each time. A header that stands there twice counts as missing. Without ` + "`" + `auto-cookie` + "`" + `, clients without a key stay on the monolith.

The key is dealt into one of 10,000 buckets: the first four bytes of SHA-256 over the salt, a zero byte and the key, as
a big-endian number, modulo 10,000. At ` + "`" + `p` + "`" + ` percent the buckets below ` + "`" + `100·p` + "`" + ` are on the service, so who is on it stays on
it while the share grows. The salt is the name of the group, or of a route without one: the routes of a group agree about
a client, and groups do not depend on each other. Nothing is stored, so all proxies with the same file agree, also after
a restart. In a shell:

` + "`" + `` + "`" + `` + "`" + `sh
echo $(( 0x$(printf '%s\0%s' checkout alice | sha256sum | cut -c1-8) % 10000 ))   # 7123
` + "`" + `` + "`" + `` + "`" + `

` + "`" + `strangler-proxy/route/testdata/bucket-vectors.json` + "`" + ` holds more of them, to prove other implementations.

A stage beats stickiness: at ` + "`" + `canary 0%` + "`" + `, ` + "`" + `monolith` + "`" + ` and in a panic nobody is on the service because of where they were.
` + "`" + `cohorts` + "`" + ` are on the service at every canary, ` + "`" + `canary 0%` + "`" + ` included. At ` + "`" + `shadow` + "`" + ` nobody is on the service, for there it is
still being compared.

### Groups

` + "`" + `` + "`" + `` + "`" + `yaml
groups:
  checkout: { routes: [orders-read, orders-create], split: orders, stage: canary 5% }
` + "`" + `` + "`" + `` + "`" + `

A group with a stage moves its routes with that one word, and they have none of their own. A group without one leaves
each route its stage, and still makes them agree about clients. Requests that arrive after a flip see all routes of the
group on the new side.

### Choosing a side

With ` + "`" + `force` + "`" + `, a client chooses by the header ` + "`" + `X-Strangler-Force` + "`" + ` or else the cookie ` + "`" + `strangler_force` + "`" + `; the value is ` + "`" + `service` + "`" + `
or ` + "`" + `monolith` + "`" + ` for one that is trusted by its address, and ` + "`" + `service:SECRET` + "`" + ` or ` + "`" + `monolith:SECRET` + "`" + ` for one that knows the
secret. That beats cohorts and share. It does not beat a stage that has one side only (` + "`" + `monolith` + "`" + `, ` + "`" + `done` + "`" + `) nor a panic, and
it moves a request that may change something only where the route says ` + "`" + `data: none` + "`" + `. Header and cookie never reach an
application, and without ` + "`" + `force` + "`" + ` they mean nothing. Behind another proxy, the address is that of the client if
` + "`" + `trusted_proxies` + "`" + ` says so.
`
