// Package shadow sends a copy of a request to the side that did not answer it, after
// the side that did, and compares the two answers. The client never waits for it and
// never sees anything of it.
//
// The front calls [Shadow.Begin] when a request begins of which a copy is due, hands
// the bodies that pass to the [Ticket] it gets, and ends it with [Ticket.End] when
// the answer is complete, or with [Ticket.Drop]. From there on everything happens in
// goroutines of this package: at most Limits.InFlight of them for a side, which end
// when there is nothing to do.
//
// It promises:
//
//   - Begin, End and Drop never wait: not for a side, not for a worker, not for space.
//     What does not fit is dropped and counted.
//   - Once a route is quiet, Sent and all of Dropped together are Eligible, exactly.
//   - Bodies that are kept never hold more than Limits.Queue times Config.MaxBody
//     bytes (16 KiB if that is less) for a side, whatever clients and services do; to which come the answers
//     that are being read, at most one of MaxBody for each of Limits.InFlight.
//   - A request that changes something is copied only where the settings allow it, and
//     then only to a service, never to the monolith.
//   - What is kept of a mismatch holds no secrets: see [MismatchRecord].
//
// It refuses to compare what was not kept whole, to count an answer that did not come
// as a mismatch, and to retry.
package shadow
