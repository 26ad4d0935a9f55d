// Package acceptance holds the shop's test suite from outside: it speaks HTTP to
// the address in BASE_URL and knows nothing else, so that the same tests run
// before and after any part of the shop moves. What it tests is written in
// docs/reference/shop-api.md.
//
// Each test makes its own data, so the suite may run in parallel, shuffled, and
// again on the same shop. It needs the administrator's account (ADMIN_EMAIL,
// ADMIN_PASSWORD), the provider's WEBHOOK_SECRET and the services' INTERNAL_TOKEN,
// which default to those of a freshly seeded shop. Without BASE_URL it builds the
// monolith, starts it on a free port with a new database, and tests that.
//
// Each request carries the name of its test in X-Compare-Test, by which a
// recorder can tell the exchanges of parallel tests apart.
package acceptance
