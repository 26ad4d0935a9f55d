package hostile_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// The ways of a shadow's target to be ill: what it does with a connection on which a
// request has come. One that is down has nobody who does anything.
var illnesses = map[string]func(conn *net.TCPConn){
	"down":    nil,
	"hung":    func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) },
	"sipping": func(conn *net.TCPConn) { takeDrops(conn) },
	"slow": func(conn *net.TCPConn) {
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		_, _ = io.Copy(io.Discard, conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nshadow")
	},
	"garbage": func(conn *net.TCPConn) { _, _ = io.WriteString(conn, strings.Repeat("\x00shadow\xff\r\n", 1000)) },
	"endless": func(conn *net.TCPConn) {
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		for piece := strings.Repeat("shadow", 8<<10); err == nil; {
			_, err = io.WriteString(conn, piece)
		}
	},
	"resetting": func(conn *net.TCPConn) { _ = conn.SetLinger(0) },
}

// newIll is such a target. It notes the first word of each connection.
func newIll(t *testing.T, ill func(conn *net.TCPConn), methods *sync.Map) string {
	t.Helper()
	if ill == nil { // nobody listens
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		return l.Addr().String()
	}
	return serving(t, func(conn net.Conn) {
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		begin := make([]byte, 4<<10)
		if n, err := conn.Read(begin); err == nil {
			method, _, _ := strings.Cut(string(begin[:n]), " ")
			methods.Store(method, true)
			ill(conn.(*net.TCPConn))
		}
	})
}

// Whatever the target of the shadow does: each client gets the monolith's answer, whole,
// and the monolith each body as it was sent; nothing that writes is copied; each copy is
// accounted for; and memory stays within what the queue may hold. A target that hangs may
// do so for an hour here, so that a request which waited for it would never end.
func TestIllShadowTargetsHurtNobody(t *testing.T) {
	t.Parallel()
	const queue, maxBody = 100, 64 << 10
	for name, ill := range illnesses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hash := sha256.New()
				_, _ = io.Copy(hash, r.Body)
				fmt.Fprintf(w, "monolith %x %s", hash.Sum(nil), strings.Repeat("m", 20_000))
			}))
			t.Cleanup(m.Close)
			var methods sync.Map
			timeout := map[string]string{"hung": "1h"}[name]
			if timeout == "" {
				timeout = "200ms"
			}
			p := start(t, fmt.Sprintf("monolith: %s\nservices: { s: \"http://%s\" }\ndefaults: { shadow: { max_inflight: 8, queue: %d, max_body: 64KiB, timeout: %s } }\n"+
				"routes: { r: { match: /s/**, to: s, stage: shadow } }\n", m.URL, newIll(t, ill, &methods), queue, timeout))
			const workers = 8
			requests := size(20_000, 640)
			p.shop(t, workers, workers*2) // so that code and buffers are there
			before, most := p.resident(), p.watchMemory()
			p.shop(t, workers, requests)
			grown := most() - before
			if limit := int64(queue*maxBody*2 + 16<<20); grown > limit {
				t.Errorf("resident memory grew by %d KiB, more than %d", grown>>10, limit>>10)
			}
			var eligible, sent, dropped, waiting float64
			await(t, "an exact account", 10*time.Second, func() bool {
				eligible, sent = p.metric("strangler_shadow_eligible_total"), p.metric("strangler_shadow_sent_total")
				dropped, waiting = p.metric("strangler_shadow_dropped_total"), p.metric("strangler_shadow_queue_length")
				return eligible == float64(requests+2*workers) && eligible == sent+dropped+waiting && (waiting == 0 || name == "hung")
			})
			t.Logf("of %v requests %v were copied, %v were not and %v wait; memory grew by %d KiB", eligible, sent, dropped, waiting, grown>>10)
			methods.Range(func(method, _ any) bool {
				if method != http.MethodGet {
					t.Errorf("a %s was copied", method)
				}
				return true
			})
		})
	}
}

// shop lets clients read and write, and looks at each answer.
func (p *proxy) shop(t *testing.T, workers, requests int) {
	t.Helper()
	var clients sync.WaitGroup
	for worker := range workers {
		clients.Go(func() {
			client := p.client(false)
			for n := range requests / workers {
				method, body := http.MethodGet, ""
				if n%4 == 3 {
					method = []string{http.MethodPost, http.MethodPut, http.MethodDelete}[n/4%3]
					body = strings.Repeat(fmt.Sprint(worker, n), n%7*3000)
				}
				req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.address+"/s/x", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				res, err := client.Do(req)
				if err != nil {
					t.Errorf("%s: %v", method, err)
					return
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				want := fmt.Sprintf("monolith %x ", sha256.Sum256([]byte(body)))
				if err != nil || res.StatusCode != http.StatusOK || len(text) != len(want)+20_000 || !strings.HasPrefix(string(text), want) {
					t.Errorf("%s: %s, %d bytes, %.80q, %v", method, res.Status, len(text), text, err)
				}
			}
		})
	}
	clients.Wait()
}
