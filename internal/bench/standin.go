package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/bench/loop"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/web"
)

// standInFlag makes this program one of the servers that a measurement needs around
// the proxy, in a process of its own as the proxy is.
const standInFlag = "-stand-in"

// standIn serves "upstream=ADDR" (fixed answers), "relay=ADDR=TARGET" (bytes, unread) or
// "reverseproxy=ADDR=TARGET" (the standard library's proxy, as it is). With "load=LOAD" or
// "load2=LOAD" it sends a load by HTTP/1.1 or HTTP/2 and prints what came of it, as JSON both.
// What a comparison needs is in orders.go.
func standIn(ctx context.Context, what string, stdout io.Writer) error {
	// A second place to run keeps the scheduler from taking away the first one at each wait.
	runtime.GOMAXPROCS(2)
	kind, rest, _ := strings.Cut(what, "=")
	if kind == "load" || kind == "load2" {
		return standInLoad(ctx, kind, rest, stdout)
	}
	if isOrders(kind) {
		return standInOrders(ctx, kind, rest, stdout)
	}
	addr, target, _ := strings.Cut(rest, "=")
	switch kind {
	case "upstream":
		return loop.Upstream(ctx, addr)
	case "relay":
		return loop.Relay(ctx, addr, target)
	case "reverseproxy":
		to, err := url.Parse("http://" + target)
		if err != nil {
			return fmt.Errorf("stand-in: %w", err)
		}
		runtime.GOMAXPROCS(1) // as it would have by itself
		return web.Serve(ctx, addr, httputil.NewSingleHostReverseProxy(to), web.ServeOptions{})
	default:
		return program.Fail(program.Usage, "", "unknown stand-in %q", what)
	}
}

// A watchedLoad is a load and the process whose processor time it looks at: it knows best when
// requests begin to count, and when the last one is answered.
type watchedLoad struct {
	loop.Load
	Watch int
}

func standInLoad(ctx context.Context, kind, text string, stdout io.Writer) error {
	var l watchedLoad
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if l.Watch != 0 {
		l.Clock = func() time.Duration { return treeProcessor(l.Watch) }
	}
	send := l.Run
	if kind == "load2" {
		send = l.RunHTTP2
	}
	got, err := send(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(got)
}
