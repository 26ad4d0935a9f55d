package strangler_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/testcert"
	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// A pair is a certificate of shop.example in files.
type pair struct {
	*testcert.Authority
	cert, key string
}

func newPair(t testing.TB) pair {
	t.Helper()
	folder := t.TempDir()
	p := pair{testcert.New(t), filepath.Join(folder, "shop.pem"), filepath.Join(folder, "shop.key")}
	p.Write(t, p.cert, p.key, "shop.example")
	return p
}

func (p pair) yaml() string { return fmt.Sprintf("tls: { cert: %s, key: %s }\n", p.cert, p.key) }

// secure makes the rig's client speak TLS, by HTTP/2 or not.
func (r *rig) secure(t testing.TB, p pair, two bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetHTTP2(two)
	tr := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{RootCAs: p.Pool, ServerName: "shop.example"}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func (r *rig) https(path string) string { return "https://" + r.proxy.Addr().String() + path }

// Both doors serve the same routes and tell upstreams the same.
func TestTLS(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	p := newPair(t)
	r := start(t, "monolith: "+m.URL+"\n"+p.yaml())
	for _, two := range []bool{false, true} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", r.https("/a?b=%20"), strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.example"
		req.Header.Set("X-Forwarded-For", "6.6.6.6")
		req.Header.Set("X-Forwarded-Proto", "gopher")
		res, err := r.secure(t, p, two).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got := replyOf(t, res)
		if (got.ProtoMajor == 2) != two || got.saw.Target != "/a?b=%20" || got.saw.Body != sum("hello") || got.saw.Host != "shop.example" {
			t.Errorf("HTTP/2 %t: %s, %+v", two, got.Proto, got.saw)
		}
		for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"} {
			if have := strings.Join(got.saw.Header[name], "|"); have != want {
				t.Errorf("HTTP/2 %t: %s is %q, want %q", two, name, have, want)
			}
		}
	}
	if answer := r.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"); !strings.Contains(answer, " 400 ") || !strings.Contains(answer, "https") {
		t.Errorf("plain HTTP: %q", answer)
	}
}

func replyOf(t testing.TB, res *http.Response) reply {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := reply{Response: res, text: string(text)}
	_ = json.Unmarshal(text, &answer.saw)
	return answer
}

func TestH2C(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\nh2c: true\n")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &protocols}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get(r.url("/x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := replyOf(t, res); got.ProtoMajor != 2 || got.saw.Target != "/x" || got.saw.Header.Get("X-Forwarded-Proto") != "http" {
		t.Errorf("%s, %+v", got.Proto, got.saw)
	}
	if got := r.do("POST", "/y", strings.NewReader("hello")); got.ProtoMajor != 1 || got.saw.Body != sum("hello") {
		t.Errorf("HTTP/1.1: %s, %+v", got.Proto, got.saw)
	}
	// A request that is no longer than what tells the protocols apart.
	if answer := r.send("GET / HTTP/1.0\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.0 200 ") && !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("a short request: %q", answer)
	}
}

// A head that is refused is in the log, whatever the protocol that it came by.
func TestRefusedHeadsAreLogged(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\nh2c: true\nlimits: { url: 1KiB }\n")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &protocols}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get(r.url("/" + strings.Repeat("x", 2000)))
	if err != nil {
		t.Fatal(err)
	}
	if got := replyOf(t, res); got.StatusCode != 414 || got.Header.Get("X-Request-Id") == "" || got.Header.Get("X-Strangler-Served-By") != "proxy" {
		t.Errorf("%s %v", got.Status, got.Header)
	}
	if got := r.do("GET", "/"+strings.Repeat("y", 2000), nil); got.StatusCode != 414 {
		t.Errorf("HTTP/1.1: %s", got.Status)
	}
	await(t, "both lines of the log", func() bool {
		lines := 0
		for line := range strings.Lines(r.log.String()) {
			if strings.Contains(line, `"status":414`) && strings.Contains(line, `"client":"127.0.0.1"`) && strings.Contains(line, `"failure":"bad_request"`) {
				lines++
			}
		}
		return lines == 2
	})
}

// The proxies in front of this one are believed, and nobody else.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\ntrusted_proxies: [127.0.0.0/8]\n")
	got := r.do("GET", "/", nil, "X-Forwarded-For", "6.6.6.6, 192.0.2.9", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example", "X-Real-Ip", "6.6.6.6", "Forwarded", "for=6.6.6.6")
	for name, want := range map[string]string{
		"X-Forwarded-For": "6.6.6.6, 192.0.2.9, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", "X-Real-Ip": "", "Forwarded": "",
	} {
		if have := strings.Join(got.saw.Header[name], "|"); have != want {
			t.Errorf("%s is %q, want %q", name, have, want)
		}
	}
}

// A certificate that cannot be read keeps the proxy from starting, and a running one
// from taking the configuration over until it can.
func TestConfigurationWaitsForItsCertificate(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	p := newPair(t)
	hidden := p.key + ".hidden"
	if err := os.Rename(p.key, hidden); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	if err := os.WriteFile(path, []byte(header+"monolith: "+m.URL+"\n"+p.yaml()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := strangler.New(t.Context(), strangler.Options{ConfigPath: path}); program.Code(err) != program.Usage || !strings.Contains(err.Error(), p.key) {
		t.Errorf("start: %v", err)
	}
	r := start(t, "monolith: "+m.URL+"\n")
	r.write("monolith: " + m.URL + "\n" + p.yaml())
	await(t, "the rejection", func() bool { // before it, the file may be seen half written
		st := r.status().Config
		return st.State == "rejected" && len(st.Errors) == 1 && strings.Contains(st.Errors[0], p.key)
	})
	r.do("GET", "/", nil)
	if err := os.Rename(hidden, p.key); err != nil {
		t.Fatal(err)
	}
	await(t, "the configuration", func() bool { return r.status().Config.State == "active" })
	res, err := r.secure(t, p, true).Get(r.https("/"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if c := r.status().Certificates; len(c) != 1 || c[0].Names[0] != "shop.example" || c[0].Problem != "" {
		t.Errorf("status: %+v", c)
	}
}

// A graceful stop lets requests over HTTP/2 end, too.
func TestStopOfHTTP2(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-release
		fmt.Fprint(w, "the end")
	}))
	t.Cleanup(m.Close)
	p := newPair(t)
	r := start(t, "monolith: "+m.URL+"\n"+p.yaml())
	answer := make(chan string, 1)
	c := r.secure(t, p, true)
	go func() {
		res, err := c.Get(r.https("/"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		answer <- string(text)
	}()
	<-began
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	await(t, "the end of accepting", func() bool {
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(context.Background(), "tcp", r.proxy.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(release)
	if got := <-answer; got != "the end" {
		t.Errorf("the request in flight got %q", got)
	}
	<-stopped
}

// An answer that ends with its connection, and breaks off, must not look whole: neither
// over TLS nor where the first bytes were looked at.
func TestTruncatedAnswersAtEveryDoor(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	})
	p := newPair(t)
	const request = "GET / HTTP/1.0\r\nHost: h\r\n\r\n" // so the answer has no chunks
	for name, door := range map[string]string{"plain": "", "h2c": "h2c: true\n", "TLS": p.yaml()} {
		r := start(t, "monolith: "+m.url()+"\n"+door)
		var conn net.Conn
		var err error
		if name == "TLS" {
			conn, err = tls.Dial("tcp", r.proxy.Addr().String(), &tls.Config{RootCAs: p.Pool, ServerName: "shop.example"})
		} else {
			conn, err = net.Dial("tcp", r.proxy.Addr().String())
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(conn); err == nil {
			t.Errorf("%s: a whole answer: %q", name, text)
		}
	}
}
