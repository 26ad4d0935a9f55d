package record_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/compare/record"
)

const harText = `{"log":{"version":"1.2","creator":{"name":"x"},"pages":[{"id":"p"}],"entries":[
{"startedDateTime":"2026-11-25T10:00:00.000Z","time":12.5,"request":{"method":"post","url":"http://shop.example/login?x=1","headers":[{"name":":path","value":"/"},{"name":"X-Compare-Test","value":"T"},{"name":"Content-Type","value":"application/json"}],"postData":{"mimeType":"application/json","text":"{\"password\":\"hunter22\"}"}},"response":{"status":200,"headers":[{"name":"content-type","value":"application/json"}],"content":{"size":8,"text":"eyJhIjoxfQ==","encoding":"base64"}}},
{"startedDateTime":"2026-11-25T10:00:01.000Z","time":1,"request":{"method":"GET","url":"http://cdn.example/a.js","headers":[]},"response":{"status":304,"headers":[],"content":{"size":0}}}
]}}`

func TestHAR(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "run.har", harText)
	rec, err := record.OpenHAR(filepath.Join(dir, "run.har"))
	if err != nil || len(rec.Exchanges) != 2 {
		t.Fatalf("%+v, %v", rec, err)
	}
	e := rec.Exchanges[0]
	if e.Method != "POST" || e.Path != "/login?x=1" || e.Test != "T" || e.Status != 200 || string(e.Response.Body) != `{"a":1}` || strings.Contains(string(e.Request.Body), "hunter22") {
		t.Errorf("read %+v", e)
	}
	if rec.Exchanges[1].Path != "http://cdn.example/a.js" || rec.Info.Target != "http://shop.example" {
		t.Errorf("read %+v of %s", rec.Exchanges[1], rec.Info.Target)
	}
}

// A HAR that is cut off at any byte, or something else, is an error that names the file.
func TestBadHAR(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := []string{"", "[]", "null", `{"log":{}}`, `{"log":{"entries":{}}}`, `{"log":{"entries":[{"request":{"url":"::"}}]}}`, `{"log":{"entries":[1]}}`, "\x00\x01"}
	for i := 1; i < len(harText)-6; i += 7 {
		bad = append(bad, harText[:i])
	}
	for _, text := range bad {
		writeFile(t, dir, "bad.har", text)
		if rec, err := record.OpenHAR(filepath.Join(dir, "bad.har")); err == nil || !strings.Contains(err.Error(), "bad.har") {
			t.Fatalf("%.60q was read as %+v: %v", text, rec, err)
		}
	}
}

// What stands before and between what is read may be of any size, and is not held. Nothing
// runs beside this test, so that it can count the bytes.
func TestHARIsStreamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.har")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(harText, `"entries"`)
	mega := 16
	if os.Getenv("SOAK") != "" {
		mega = 512
	}
	fmt.Fprintf(f, "\xef\xbb\xbf%s\"comment\":\"", head)
	for range mega {
		f.WriteString(strings.Repeat(`{[\"]}x,:`, 1<<17)) // 1 MiB
	}
	fmt.Fprintf(f, `","_tree":[{"a":["]"]}, 1 , true ,null],"entries"%s`, rest)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rec, err := record.OpenHAR(path)
	runtime.ReadMemStats(&after)
	if err != nil || len(rec.Exchanges) != 2 {
		t.Fatalf("%+v, %v", rec, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("%d bytes were used", used)
	}
}

func TestHARNamesPlaceAndRemedy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := harText[strings.Index(harText, "{\"startedDateTime"):strings.LastIndex(harText, ",\n{")]
	for name, c := range map[string]struct{ text, want string }{
		"cut off in an entry":  {harText[:500], "entry 1, near byte 500: it is cut off; export it again"},
		"cut off at the end":   {strings.TrimRight(harText, "}"), "it is cut off; export it again"},
		"something else":       {"<html>", "is no HAR 1.2 file, as browsers and proxies export them"},
		"the second is broken": {`{"log":{"entries":[` + entry + `,{"request":{"url":"x"}}]}}`, `entry 2, near byte`},
		"an entry too long":    {`{"log":{"entries":[` + entry + `,{"x":"` + strings.Repeat("x", 64<<20) + `"}]}}`, "entry 2, from about byte"},
	} {
		t.Run(name, func(t *testing.T) {
			file := strings.ReplaceAll(name, " ", "-") + ".har"
			writeFile(t, dir, file, c.text)
			if _, err := record.OpenHAR(filepath.Join(dir, file)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	big, err := os.Create(filepath.Join(dir, "big.har"))
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	if err := big.Truncate(3 << 30); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	if _, err := record.OpenHAR(big.Name()); err == nil || !strings.Contains(err.Error(), "export fewer requests, or use compare record") {
		t.Errorf("%v", err)
	}
}

// Whatever a HAR holds besides, its entries are read.
func TestHARWithAnythingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entries := harText[strings.Index(harText, "[\n{"):strings.LastIndex(harText, "}}")]
	rapid.Check(t, func(t *rapid.T) {
		other := rapid.OneOf(
			rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "text") }),
			rapid.Custom(func(t *rapid.T) any { return rapid.Float64().Draw(t, "number") }),
			rapid.Custom(func(t *rapid.T) any { return rapid.SliceOf(rapid.String()).Draw(t, "list") }),
			rapid.Custom(func(t *rapid.T) any {
				return rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.Bool())).Draw(t, "object")
			}),
			rapid.Just[any](nil),
		)
		text := func() string {
			out, err := json.Marshal(other.Draw(t, "value"))
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		space := rapid.StringMatching(`[ \n\t]{0,3}`).Draw(t, "space")
		har := fmt.Sprintf(`{"a":%s,%s"log"%s:{"b":%s ,"entries":%s%s,%s"c":%s},"d":%s}%[2]s`, text(), space, space, text(), space, entries, space, text(), text())
		if !json.Valid([]byte(har)) {
			t.Fatalf("the test is wrong: %s", har)
		}
		path := filepath.Join(dir, "x.har")
		if err := os.WriteFile(path, []byte(har), 0o600); err != nil {
			t.Fatal(err)
		}
		if rec, err := record.OpenHAR(path); err != nil || len(rec.Exchanges) != 2 {
			t.Fatalf("%s: %v", har, err)
		}
	})
}
