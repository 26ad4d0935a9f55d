// Package discover learns from the proxy's traffic what is left to move and what is
// done: which endpoints the monolith answers without a route, when a route last needed
// the monolith, and how much of the whole the services answer.
//
// It stands beside the way of a request: what it is told it takes without waiting and
// in bounded memory, whatever clients send, and what it cannot take it counts. It
// remembers over restarts in one file that several proxies may share. It decides
// nothing.
package discover
