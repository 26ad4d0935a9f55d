package hostile_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/net/http2"
)

// Who leaves a body unfinished over HTTP/2 is answered and then let go: the connection
// does not stay for the idle time as well. Its other requests come to their end.
func TestStalledBodyOverHTTP2EndsTheConnection(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(m.Close)
	p := start(t, "monolith: "+m.URL+"\nh2c: true\nlimits: { stall_timeout: 200ms, idle_timeout: 1h }\n")
	for _, length := range []string{"10", ""} { // waited for as a whole, and passed on in parts
		c := newPeer(t, p.address, http2.ClientPreface)
		c.raw(http2.FrameSettings, 0, 0, "")
		c.raw(http2.FrameHeaders, whole, 1, get())
		head := post()
		if length != "" {
			head = post("content-length", length)
		}
		c.raw(http2.FrameHeaders, ends, 3, head)
		c.raw(http2.FrameData, 0, 3, "begin")
		c.until(func() bool { return c.ended && c.goAway != nil })
		if c.status != "408" || c.over {
			t.Errorf("a stalled body of length %q: %v", length, c)
		}
		c.ended, c.status = false, ""
		release <- struct{}{}
		c.until(func() bool { return c.ended })
		if c.status != "200" {
			t.Errorf("another request of the connection: %v", c)
		}
		c.until(func() bool { return false })
		if c.goAway == nil || *c.goAway != http2.ErrCodeNo {
			t.Errorf("the connection ends with %v", c)
		}
	}
}
