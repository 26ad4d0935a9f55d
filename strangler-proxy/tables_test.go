package strangler_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// What an answer says about the decision.
var decided = regexp.MustCompile(`(?m)^(?:HTTP/1\.\d \d+|X-Strangler-(?:Served-By|Route|Fallback): .*)`)

// A table of two routes and one of 500 more and 150 hosts decide alike about whatever they
// have in common, however it is asked for: no shortcut of the one is missing in the other.
func TestSmallAndLargeTablesDecideAlike(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	config := fmt.Sprintf("monolith: %s\nservices: { s: { url: \"%s\", breaker: off } }\ndefaults: { shadow: { percent: 0 } }\nroutes:\n", m.URL, s.URL) +
		"  orders: { match: /orders/**, to: s, stage: live }\n  shop: { match: { path: \"/items/{id}\", host: Shop.example }, to: s, stage: live }\n"
	var more strings.Builder
	for i := range 500 {
		fmt.Fprintf(&more, "  r%d: { match: { path: \"/r%d/{id}\", host: h%d.example }, to: s, stage: live }\n", i, i, i%150)
	}
	quick := func(o *strangler.Options) {
		o.StallTimeout, o.HeaderTimeout, o.AccessLog = 300*time.Millisecond, 300*time.Millisecond, false
	}
	small, large := start(t, config, quick), start(t, config+more.String(), quick)
	requests := append([]string(nil), hostileSeeds...)
	for _, host := range []string{"shop.example", "SHOP.Example", "shop.example:8080", "shop.example.", "shop.example.:80", "shop.example.org", "a.shop.example", "h", "[::1]", "shop.example:"} {
		requests = append(requests, "GET /items/7 HTTP/1.1\r\nHost: "+host+"\r\n\r\n", "GET http://"+host+"/items/7 HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
	}
	for _, path := range []string{
		"/orders", "/orders/", "/ordersX", "/orders.", "/orders%20", "/Orders/1", "/orders/1", "/orders/../items/7", "/orders/..%2fitems/7", "/orders/%2e%2e/items/7", `/orders\..\items/7`, "//orders/1",
		"/orders//1", "/orders/..;/items/7", "/items/7", "/items/", "/items/7/8", "/%6frders/1", "/orders%2f1", "/orders/%00", "/orders/a?/../items/7", "/items/%37", "/items/7#x", "*", "items/7",
	} {
		for _, method := range []string{"GET", "POST", "PURGE"} {
			requests = append(requests, method+" "+path+" HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n")
		}
	}
	sides := map[string]int{}
	for _, request := range requests {
		request = strings.Replace(request, "\r\n", "\r\nConnection: close\r\n", 1)
		one, other := strings.Join(decided.FindAllString(small.send(request), -1), ""), strings.Join(decided.FindAllString(large.send(request), -1), "")
		if one != other || one == "" {
			t.Errorf("%q\nby two routes: %q\nby many: %q", request, one, other)
		}
		for _, side := range []string{"Served-By: s", "Served-By: monolith", " 400"} {
			if strings.Contains(one, side) {
				sides[side]++
			}
		}
	}
	if len(sides) != 3 || sides["Served-By: s"] < 10 {
		t.Errorf("%d requests were decided as %v: that tries little", len(requests), sides)
	}
}
