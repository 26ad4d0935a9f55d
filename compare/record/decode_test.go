package record_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/record"
)

// pack puts the encodings of a Content-Encoding on a body, in their order.
func pack(t *testing.T, encodings string, body []byte) []byte {
	t.Helper()
	for name := range strings.SplitSeq(encodings, ", ") {
		var out bytes.Buffer
		var w io.WriteCloser
		switch name {
		case "gzip":
			w = gzip.NewWriter(&out)
		case "deflate":
			w = zlib.NewWriter(&out)
		case "deflate-raw":
			w, _ = flate.NewWriter(&out, flate.BestSpeed)
		case "br":
			w = brotli.NewWriter(&out)
		case "zstd":
			w, _ = zstd.NewWriter(&out)
		default:
			return body
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body = out.Bytes()
	}
	return body
}

const (
	aPassword, aCard, aToken = "hunter2-hunter2", "4242 4242 4242 4242", "tok-0123456789abcdef"
	secretBody               = `{"name":"ann","password":"` + aPassword + `","note":"card ` + aCard + `","token":"` + aToken + `"}`
)

// A packed case is a body as it is sent; what of it may be kept.
type packedCase struct {
	encoding string // header
	body     []byte
	whole    bool // it can be decoded
}

// TestNoSecretReachesAFile sends secrets in both directions in every form that a body can have, and
// looks for them in all that was written. What can be read is kept, so that it can be compared.
func TestNoSecretReachesAFile(t *testing.T) {
	t.Parallel()
	cases := map[string]packedCase{
		"/plain":    {"", []byte(secretBody), true},
		"/identity": {"identity", []byte(secretBody), true},
		"/damaged":  {"br", pack(t, "br", []byte(secretBody))[:20], false},
		"/lie":      {"br", []byte(secretBody), false}, // says br, and is none
		"/foreign":  {"x-own", []byte(secretBody), false},
		"/many":     {"gzip, gzip, gzip, gzip, gzip", pack(t, "gzip, gzip, gzip, gzip, gzip", []byte(secretBody)), false},
		"/raw":      {"deflate", pack(t, "deflate-raw", []byte(secretBody)), true},
	}
	for _, e := range []string{"gzip", "deflate", "br", "zstd", "gzip, br"} {
		cases["/"+strings.ReplaceAll(e, ", ", "-")] = packedCase{e, pack(t, e, []byte(secretBody)), true}
		cases["/bomb-"+strings.ReplaceAll(e, ", ", "-")] = packedCase{e, pack(t, e, []byte(`{"password":"`+aPassword+`","x":"`+strings.Repeat("x", 3<<20)+`"}`)), false}
	}
	dir := t.TempDir()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := cases[r.URL.Path]
		if got, _ := io.ReadAll(r.Body); !bytes.Equal(got, c.body) {
			t.Errorf("%s: %d bytes arrived of %d", r.URL.Path, len(got), len(c.body))
		}
		w.Header().Set("Content-Type", "application/json")
		if c.encoding != "" {
			w.Header().Set("Content-Encoding", c.encoding)
		}
		_, _ = w.Write(c.body)
	}))
	defer target.Close()
	r, err := record.NewRecorder(t.Context(), target.URL, dir, record.Options{Redactor: differ.NewRedactor([]byte("salt"))})
	if err != nil {
		t.Fatal(err)
	}
	for path, c := range cases {
		req := request(t, "POST", r.URL+path, bytes.NewReader(c.body), "Content-Type", "application/json", "Accept-Encoding", "br")
		if c.encoding != "" {
			req.Header.Set("Content-Encoding", c.encoding)
		}
		if _, body := send(t, req); body != string(c.body) {
			t.Errorf("%s: the answer is not as it was sent", path)
		}
	}
	if _, _, err := r.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "run.json", `{"schema":1,"name":"x","status":"complete"}`)
	rec, err := record.Open(dir)
	if err != nil || len(rec.Exchanges) != len(cases) {
		t.Fatalf("%d exchanges of %d: %v", len(rec.Exchanges), len(cases), err)
	}
	for _, e := range rec.Exchanges {
		for half, m := range map[string]record.Message{"request": e.Request, "response": e.Response} {
			if _, whole := m.Comparable(); whole != cases[e.Path].whole || whole == (m.Hash != "") || m.Length != int64(len(cases[e.Path].body)) {
				t.Errorf("%s of %s: whole %v, length %d, hash %q", half, e.Path, whole, m.Length, m.Hash)
			}
			if cases[e.Path].whole && !strings.Contains(string(m.Body), `"name":"ann"`) {
				t.Errorf("%s of %s was kept as %q", half, e.Path, m.Body)
			}
		}
	}
	noSecrets(t, dir, aPassword, aCard, aToken)
}

// noSecrets reads every file below dir.
func noSecrets(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(text, []byte(s)) {
				t.Errorf("%s holds %q", path, s)
			}
		}
		if bytes.Contains(text, []byte(`"base64"`)) { // all that can be decoded was text
			t.Errorf("%s holds bytes that nobody looked into", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A body in another character set is looked into where its bytes can be, and else not kept.
func TestSecretsInOtherCharacterSets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wide := []byte("{\x00\"\x00p\x00i\x00n\x00\"\x00:\x001\x002\x00}\x00")
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wide" {
			w.Header().Set("Content-Type", "application/json; charset=UTF-16LE")
			_, _ = w.Write(wide)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=iso-8859-1")
		fmt.Fprintf(w, "{\"name\":\"J\xf6rg\",\"password\":\"%s\"}", aPassword)
	}))
	defer target.Close()
	r, err := record.NewRecorder(t.Context(), target.URL, dir, record.Options{Redactor: differ.NewRedactor([]byte("salt"))})
	if err != nil {
		t.Fatal(err)
	}
	send(t, request(t, "GET", r.URL+"/wide", nil))
	send(t, request(t, "GET", r.URL+"/latin", nil))
	if _, _, err := r.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "run.json", `{"schema":1,"name":"x","status":"complete"}`)
	rec, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m := rec.Exchanges[0].Response; len(m.Body) > 0 || m.Hash == "" {
		t.Errorf("UTF-16 was kept as %q", m.Body)
	}
	if m := rec.Exchanges[1].Response; !bytes.Contains(m.Body, []byte("J\xf6rg")) || bytes.Contains(m.Body, []byte(aPassword)) {
		t.Errorf("ISO 8859-1 was kept as %q", m.Body)
	}
}

// A recording holds what a request said, so a replay sends it unpacked.
func TestReplaySendsWhatWasPacked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var got []string
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Header.Get("Content-Encoding")+" "+string(body))
	}))
	defer target.Close()
	r, err := record.NewRecorder(t.Context(), target.URL, dir, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	send(t, request(t, "PUT", r.URL, bytes.NewReader(pack(t, "br", []byte(`{"a":1}`))), "Content-Encoding", "br"))
	if _, _, err := r.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "run.json", `{"schema":1,"name":"x","status":"complete"}`)
	rec, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.Replay(t.Context(), rec, []record.Service{{Target: target.URL}}, t.TempDir(), record.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[1] != ` {"a":1}` {
		t.Errorf("the target got %q", got)
	}
}

func TestATargetWithAPasswordIsRefused(t *testing.T) {
	t.Parallel()
	p := plan(t, "true")
	p.Services[0].Target = "http://ann:" + aPassword + "@127.0.0.1:1"
	if _, err := record.Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "leave the name and the password out") || strings.Contains(err.Error(), aPassword) {
		t.Errorf("%v", err)
	}
	noSecrets(t, p.Dir, aPassword)
}
