package record_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/record"
)

// harSchema is the schema of HAR 1.2 that other programs check files against.
func harSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/har-1.2.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	all, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	for name, schema := range all.(map[string]any)["files"].(map[string]any) {
		if err := c.AddResource("http://har.example/"+name, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://har.example/har.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestRunWritesAHAR records one of everything, and reads the HAR of the run back to what the
// folder holds.
func TestRunWritesAHAR(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "cookie-secret"})
		switch r.URL.Path {
		case "/binary":
			_, _ = w.Write([]byte{0xff, 0, 0xfe})
		case "/long":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 2<<20))
		case "/gone":
			panic(http.ErrAbortHandler)
		case "/moved":
			w.Header().Set("Location", "/else?<&>")
			w.WriteHeader(http.StatusFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"a":1,"password":%q}`, aPassword)
		}
	}))
	defer target.Close()
	p := plan(t, `curl -s -H "X-Compare-Test: T" -H "Authorization: Bearer `+aToken+`" "$BASE_URL/a?q=1&q=%zz&x=a%20b&token=`+aToken+`" -d password=`+aPassword+`;
		for u in binary long gone moved "%20"; do curl -s "$A/$u" >/dev/null; done; printf '\377' | curl -s --data-binary @- "$BASE_URL/up"; true`)
	p.Services = []record.Service{{Target: target.URL}, {Name: "a", Target: target.URL, URLEnv: []string{"A"}}}
	p.Options.Redactor = differ.NewRedactor([]byte("salt"))
	if info, err := record.Run(t.Context(), p); err != nil || info.Problem != "" || info.Exchanges != 7 {
		t.Fatalf("%+v, %v", info, err)
	}
	path := filepath.Join(p.Dir, "run.har")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	har, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := harSchema(t).Validate(har); err != nil {
		t.Errorf("run.har is no HAR 1.2: %v", err)
	}
	for _, secret := range []string{aPassword, aToken, "cookie-secret"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("run.har holds %q", secret)
		}
	}
	if !strings.Contains(string(text), `"url":"`+target.URL+"/a?q=1&q=%zz") || !strings.Contains(string(text), `{"name":"x","value":"a b"}`) {
		t.Errorf("the URL or the query is not there: %.1000s", text)
	}
	sameRecordings(t, p.Dir, path)
}

func sameRecordings(t *testing.T, dir, har string) {
	t.Helper()
	folder, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	read, err := record.OpenHAR(har)
	if err != nil {
		t.Fatal(err)
	}
	read.Dir = folder.Dir
	a, b := jsonOf(t, folder), jsonOf(t, read)
	if !bytes.Equal(a, b) || !reflect.DeepEqual(folder.Info, read.Info) {
		t.Errorf("the HAR reads as\n%s\nand the folder as\n%s", b, a)
	}
	var all struct{ Exchanges []json.RawMessage }
	if err := json.Unmarshal(a, &all); err != nil || len(all.Exchanges) == 0 {
		t.Errorf("nothing was compared: %v", err)
	}
}
