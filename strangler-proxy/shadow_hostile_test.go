package strangler_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// AC18, AC21: while the service refuses, hangs, answers 500, dribbles or talks nonsense,
// every client gets the monolith's answer, every copy is accounted for, the queue keeps
// its bound, and afterwards nothing is left of it.
func TestHostileShadowHurtsNobody(t *testing.T) {
	t.Parallel()
	hang := func(conn net.Conn, in *bufio.Reader, _ string) { _, _ = io.Copy(io.Discard, in) }
	for name, handle := range map[string]func(net.Conn, *bufio.Reader, string){
		"refuses": nil,
		"hangs":   hang,
		"answers 500": func(conn net.Conn, _ *bufio.Reader, _ string) {
			_, _ = io.WriteString(conn, "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		},
		"dribbles": func(conn net.Conn, _ *bufio.Reader, _ string) {
			for range 20 {
				if _, err := io.WriteString(conn, "H"); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		},
		"nonsense":     func(conn net.Conn, _ *bufio.Reader, _ string) { _, _ = io.WriteString(conn, "\x00\xff\r\n\r\n") },
		"resets":       func(conn net.Conn, _ *bufio.Reader, _ string) { _ = conn.(*net.TCPConn).SetLinger(0) },
		"endless body": func(conn net.Conn, _ *bufio.Reader, _ string) { writeEndlessly(conn) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := deadURL(t)
			if handle != nil {
				url = newRaw(t, handle).url()
			}
			m := newEcho(t, "monolith")
			config := copiedRoute(m.URL, url, "shadow") + "defaults: { shadow: { max_inflight: 4, queue: 20, timeout: 200ms } }\n"
			r := start(t, config)
			const clients, each = 8, 40
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for range each {
						res, err := r.try("GET", "/s/x", nil)
						if err != nil || res.StatusCode != 200 || res.saw.Server != "monolith" {
							t.Errorf("a client got %v %q", err, res.text)
							return
						}
					}
				})
			}
			all.Wait()
			st := r.copies()
			if st.Eligible != clients*each || st.Sent == 0 || st.Matches != 0 || m.hits.Load() != clients*each {
				t.Errorf("the monolith was asked %d times: %+v", m.hits.Load(), st)
			}
			for _, gone := range []string{`strangler_shadow_kept_bytes{side="s"} 0`, `strangler_shadow_queue_length{side="s"} 0`, `strangler_shadow_in_flight{side="s"} 0`} {
				await(t, gone, func() bool { return strings.Contains(r.admin("GET", "/metrics").text, gone) })
			}
		})
	}
}

func writeEndlessly(conn net.Conn) {
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	for piece := strings.Repeat("x", 64<<10); err == nil; {
		_, err = io.WriteString(conn, piece)
	}
}

// A service that hangs costs clients no more time than none: the whole of 300 requests
// one after the other takes less than three copies may, each of which hangs.
func TestHungShadowCostsNoTime(t *testing.T) {
	t.Parallel()
	s := newRaw(t, func(_ net.Conn, in *bufio.Reader, _ string) { _, _ = io.Copy(io.Discard, in) })
	m := newEcho(t, "monolith")
	r := start(t, copiedRoute(m.URL, s.url(), "shadow")+"defaults: { shadow: { timeout: 20s, queue: 1000 } }\n")
	begun := time.Now()
	for i := range 300 {
		if res := r.do("GET", fmt.Sprintf("/s/%d", i), nil); res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
	}
	if took := time.Since(begun); took > 60*time.Second {
		t.Errorf("300 requests took %v", took)
	}
	st := *r.status().Routes[0].Copies
	if st.Sent > 64 || st.Eligible != 300 {
		t.Errorf("%+v", st)
	}
	r.stop() // breaks the copies off
	if st := *r.status().Routes[0].Copies; st.Dropped["stopping"] != 300-st.Sent {
		t.Errorf("at the end: %+v", st)
	}
}
