package record_test

import (
	"path/filepath"
	"strings"
	"testing"

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
