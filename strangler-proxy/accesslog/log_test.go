package accesslog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/accesslog"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, s config.AccessLog, opts accesslog.Options) *accesslog.Log {
	t.Helper()
	l, err := accesslog.Open(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// some is an exchange with everything in it.
func some() *exchange.Exchange {
	match, err := route.ParseTemplate("GET /orders/{id}")
	if err != nil {
		panic(err)
	}
	return &exchange.Exchange{
		ID: "id-1", Start: time.Date(2026, 11, 25, 14, 0, 0, 7e6, time.UTC), Method: "GET", Path: "/orders/7", Query: "a=1&api_key=hush&b=",
		Host: "shop.example", Client: netip.MustParseAddr("192.0.2.1"), ConfigVersion: 3,
		Decision: route.Decision{Route: &route.Route{Name: "orders", Match: match, Stage: route.Canary(12_50)}},
		ServedBy: "monolith", Fallback: "status_503", NoFallback: "x", Failure: "y", Status: 200, Bytes: 512, Retries: 1,
		Took: 1234567 * time.Nanosecond, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	secret := some()
	secret.Decision.Route.Match, _ = route.ParseTemplate("GET /reset/{token}")
	secret.Path = "/reset/hush"
	session := some()
	session.Path = "/cart;jsessionid=hush;x=1/7"
	for name, test := range map[string]struct {
		x    *exchange.Exchange
		s    config.AccessLog
		want string
	}{
		"json":    {some(), config.AccessLog{Format: config.LogJSON}, `{"time":"2026-11-25T14:00:00.007Z","level":"INFO","msg":"request","method":"GET","path":"/orders/7","host":"shop.example","status":200,"bytes":512,"duration_ms":1.234,"route":"orders","stage":"canary 12.5%","served_by":"monolith","fallback_reason":"status_503","retries":1,"config_version":3,"request_id":"id-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","client":"192.0.2.1","no_fallback":"x","failure":"y"}` + "\n"},
		"text":    {some(), config.AccessLog{Format: config.LogText, Query: true}, ` GET /orders/7?a=1&api_key=(secret)&b= 200 512B 1.234ms host=shop.example client=192.0.2.1 route=orders stage="canary 12.5%" served_by=monolith fallback_reason=status_503 no_fallback=x failure=y retries=1 config_version=3 request_id=id-1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736` + "\n"},
		"query":   {some(), config.AccessLog{Format: config.LogJSON, Query: true}, `"query":"a=1&api_key=(secret)&b="`},
		"token":   {secret, config.AccessLog{Format: config.LogAuto}, `"path":"/reset/{token}"`},
		"session": {session, config.AccessLog{Format: config.LogAuto}, `"path":"/cart;jsessionid=(secret);x=1/7"`},
		"nothing": {&exchange.Exchange{}, config.AccessLog{Format: config.LogJSON}, `"path":"","host":"","status":0,"bytes":0,"duration_ms":0.000,"route":"default","stage":"monolith","served_by":"","fallback_reason":"","retries":0,"config_version":0,"request_id":""}`},
		"off":     {some(), config.AccessLog{Format: config.LogOff}, ""},
	} {
		var out bytes.Buffer
		l := open(t, test.s, accesslog.Options{Out: &out})
		l.Write(test.x)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		got := out.String()
		if test.want == "" && got != "" || !strings.Contains(got, test.want) || strings.Contains(got, "hush") {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, test.want)
		}
	}
	var none *accesslog.Log
	none.Write(some()) // a proxy without a log
}

// Whatever a client sends, a line is one line of valid UTF-8 without control
// characters, and as JSON it gives back what was sent, as far as that is text.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.Custom(func(t *rapid.T) string {
			parts := rapid.SliceOf(rapid.SampledFrom([]string{
				"a", "é", "日", "\n", "\r", "\x00", "\x1b[2J", "\x7f", "\xff", "\xc3", `"`, `\`, "\u0085", "\u009b", "\u2028", "\u202e", "\ufeff", "😀", "{", "}", " ", ";", "=",
				strings.Repeat("x", 3000),
			})).Draw(t, "parts")
			return strings.Join(parts, "")
		})
		x := &exchange.Exchange{Method: hostile.Draw(t, "method"), Path: hostile.Draw(t, "path"), Host: hostile.Draw(t, "host"), ID: hostile.Draw(t, "id"), Query: hostile.Draw(t, "query")}
		for _, format := range []config.LogFormat{config.LogJSON, config.LogText} {
			var out bytes.Buffer
			l, err := accesslog.Open(config.AccessLog{Format: format, Query: true}, accesslog.Options{Out: &out})
			if err != nil {
				t.Fatal(err)
			}
			l.Write(x)
			l.Flush()
			line := out.Bytes()
			if !utf8.Valid(line) || bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
				t.Fatalf("%s: %q", format, line)
			}
			for _, r := range string(line[:len(line)-1]) {
				if unicode.IsControl(r) || r == 0x2028 || r == 0x202e || r == 0xfeff {
					t.Fatalf("%s: %U in %q", format, r, line)
				}
			}
			if format == config.LogText {
				continue
			}
			var got struct{ Method, Path, Host string }
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if sane := strings.ToValidUTF8(x.Host, "\uFFFD"); len(x.Host) <= 2048 && utf8.ValidString(x.Host) && got.Host != sane {
				t.Fatalf("host %q became %q", x.Host, got.Host)
			}
			if len(got.Path) > 2048*3+8 {
				t.Fatalf("%d bytes of path", len(got.Path))
			}
		}
	})
}

// stuck is a writer that hangs until it is let go.
type stuck struct {
	let chan struct{}
	mu  sync.Mutex
	bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.let
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

func (s *stuck) lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Count(s.Bytes(), []byte("\n"))
}

// Nobody who writes a line waits for the disk; what finds no room is counted.
func TestNeverBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{let: make(chan struct{})}
		l := open(t, config.AccessLog{Format: config.LogJSON}, accesslog.Options{Out: out})
		var running sync.WaitGroup
		running.Go(func() { l.Run(t.Context()) })
		const lines = 20_000 // several times the room
		for range lines {
			l.Write(some())
		}
		lost := l.Lost()
		if lost == 0 || lost > lines {
			t.Errorf("%d lines lost", lost)
		}
		close(out.let)
		time.Sleep(time.Second) // of the bubble
		if written := out.lines(); uint64(written)+l.Lost() != lines {
			t.Errorf("%d written, %d lost", written, l.Lost())
		}
		l.Write(some())
		time.Sleep(200 * time.Millisecond)
		if got := out.lines(); uint64(got)+lost != lines+1 {
			t.Errorf("after 200 ms the line is not there: %d", got)
		}
	})
}

// full is a disk with little room; more can be made.
type full struct {
	bytes.Buffer
	room int
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) <= f.room {
		f.room -= len(p)
		return f.Buffer.Write(p)
	}
	n, _ := f.Buffer.Write(p[:f.room])
	f.room = 0
	return n, errors.New("no space left on device")
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := &full{room: 1000}
	l := open(t, config.AccessLog{Format: config.LogJSON}, accesslog.Options{Out: disk})
	for range 10 {
		l.Write(some())
	}
	l.Flush()
	whole := uint64(strings.Count(disk.String(), "\n"))
	if whole == 0 || l.Lost() != 10-whole {
		t.Errorf("%d lines on the disk, %d lost", whole, l.Lost())
	}
	l.Write(some())
	l.Flush()
	if l.Lost() != 11-whole {
		t.Errorf("%d lost", l.Lost())
	}
	disk.room = 10_000
	l.Write(some())
	l.Flush()
	lines := strings.Split(strings.TrimSpace(disk.String()), "\n")
	if last := lines[len(lines)-1]; !json.Valid([]byte(last)) || l.Lost() != 11-whole {
		t.Errorf("the last line is %q, %d lost", last, l.Lost())
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "access.log"), filepath.Join(dir, "access.log.1")
	count := func(path string) int {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return bytes.Count(text, []byte("\n"))
	}
	l := open(t, config.AccessLog{Format: config.LogJSON, Path: path}, accesslog.Options{})
	l.Write(some())
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Write(some())
	l.Write(some())
	l.Flush()
	if count(moved) != 1 || count(path) != 2 {
		t.Errorf("%d lines before, %d after", count(moved), count(path))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
	// A place that cannot be opened changes nothing.
	if err := l.Use(config.AccessLog{Format: config.LogJSON, Path: dir}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if err := l.Use(config.AccessLog{Format: config.LogJSON, Path: filepath.Join(dir, "no", "log")}); err == nil {
		t.Error("a missing folder is accepted")
	}
	l.Write(some())
	if err := l.Close(); err != nil || count(path) != 3 {
		t.Errorf("%v, %d lines", err, count(path))
	}
	if _, err := accesslog.Open(config.AccessLog{Format: config.LogJSON, Path: dir}, accesslog.Options{}); err == nil {
		t.Error("a log is opened in a folder")
	}
}

// Lines of many goroutines are whole, while the file is opened again and again.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	l := open(t, config.AccessLog{Format: config.LogJSON, Path: path}, accesslog.Options{Every: time.Millisecond})
	var writers sync.WaitGroup
	const each, goroutines = 300, 8
	for g := range goroutines {
		writers.Go(func() {
			for i := range each {
				x := some()
				x.ID = fmt.Sprintf("%d-%d", g, i)
				l.Write(x)
				if i%50 == 0 {
					if err := l.Reopen(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writers.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var x struct {
			ID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		seen[x.ID] = true
	}
	if uint64(len(seen))+l.Lost() != each*goroutines {
		t.Errorf("%d lines, %d lost", len(seen), l.Lost())
	}
}

func TestNoAllocation(t *testing.T) {
	l := open(t, config.AccessLog{Format: config.LogJSON}, accesslog.Options{Out: &bytes.Buffer{}})
	x := some()
	for range 3000 { // until the buffer has its size
		l.Write(x)
	}
	l.Flush()
	for range 3000 {
		l.Write(x)
	}
	l.Flush()
	if n := testing.AllocsPerRun(500, func() { l.Write(x) }); n > 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, format := range []config.LogFormat{config.LogJSON, config.LogText, config.LogOff} {
		b.Run(string(format), func(b *testing.B) {
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer null.Close()
			l := open(b, config.AccessLog{Format: format}, accesslog.Options{Out: null})
			var running sync.WaitGroup
			running.Go(func() { l.Run(b.Context()) })
			x := some()
			b.ReportAllocs()
			for b.Loop() {
				l.Write(x)
			}
			b.ReportMetric(float64(l.Lost())/float64(b.N), "lost/op")
		})
	}
}
