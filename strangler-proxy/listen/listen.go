// Package listen takes connections from clients and hands each to the engine that
// speaks its protocol: HTTP/1.1 or HTTP/2, with TLS or without. A slow or hostile client
// costs a bounded amount and never keeps others waiting. Certificates are exchanged
// while connections go on. The package parses no request.
package listen
