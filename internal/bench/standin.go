package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/web"
)

// standInFlag makes this program one of the servers that a measurement needs around
// the proxy, in a process of its own as the proxy is.
const standInFlag = "-stand-in"

// standIn serves "upstream=ADDR" (a small fixed answer) or
// "reverseproxy=ADDR=TARGET" (the standard library's proxy, as it is).
func standIn(ctx context.Context, what string, stdout io.Writer) error {
	kind, rest, _ := strings.Cut(what, "=")
	addr, target, _ := strings.Cut(rest, "=")
	var handler http.Handler
	switch kind {
	case "upstream":
		body := bytes.Repeat([]byte("x"), 1024)
		handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(body) //nolint:errcheck // the client is gone
		})
	case "reverseproxy":
		to, err := url.Parse("http://" + target)
		if err != nil {
			return fmt.Errorf("stand-in: %w", err)
		}
		handler = httputil.NewSingleHostReverseProxy(to)
	default:
		return program.Fail(program.Usage, "", "unknown stand-in %q", what)
	}
	return web.Serve(ctx, addr, handler, web.ServeOptions{Ready: func(a net.Addr) { fmt.Fprintln(stdout, a) }})
}
