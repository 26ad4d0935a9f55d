package openapi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/openapi"
)

const shop = `openapi: 3.1.0
info: {title: shop, version: "1"}
servers:
  - url: https://{region}.shop.example/v1/
paths:
  /orders:
    parameters: []
    get: {operationId: listOrders, responses: {200: {}, default: {}}}
    post:
      responses:
        "201": {description: made}
        4XX: {description: refused}
        x-note: nothing
  /orders/{id}:
    get: {operationId: getOrder, responses: {"200": {}, "404": {}}}
  /orders/export:
    get: {operationId: export, responses: {"200": {}}}
  /orders/{id}.json:
    get: {operationId: getJSON, responses: {"200": {}}}
  /orders/{from}..{to}:
    get: {operationId: between, responses: {"200": {}}}
  x-internal: {}
`

func read(t *testing.T, name, text string) (*openapi.Document, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return openapi.Read(path)
}

func TestFind(t *testing.T) {
	t.Parallel()
	doc, err := read(t, "shop.yaml", shop)
	if err != nil || len(doc.Operations) != 6 {
		t.Fatalf("%+v, %v", doc, err)
	}
	for request, want := range map[string]string{
		"GET /v1/orders":            "listOrders",
		"GET /v1/orders/?page=2":    "listOrders",
		"POST /v1/orders":           "POST /v1/orders",
		"GET /v1/orders/17":         "getOrder",
		"GET /v1/orders/a%2Fb":      "getOrder",
		"GET /v1/orders/export":     "export",
		"GET /v1/orders/17.json":    "getJSON",
		"GET /v1/orders/.json":      "getOrder", // the parameter of the longer one would be empty
		"GET /v1/orders/1..9":       "between",
		"DELETE /v1/orders/17":      "",
		"GET /orders/17":            "",
		"GET /v1/orders/17/lines":   "",
		"GET /v1/orders//":          "listOrders",
		"GET /v1/orders/17/%zz/%zz": "",
	} {
		method, path, _ := strings.Cut(request, " ")
		got := ""
		if o := doc.Find(method, path); o != nil {
			got = o.ID
		}
		if got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
	post := doc.Find("POST", "/v1/orders")
	if strings.Join(post.Statuses, " ") != "201 4XX" || !post.Has("4XX", 422) || post.Has("4XX", 201) || !post.Has("201", 201) {
		t.Errorf("statuses %v", post.Statuses)
	}
}

func TestReadOtherForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, operation string }{
		"swagger.yaml": {"swagger: '2.0'\nbasePath: /api\npaths:\n  /a: {get: {}}\n", "GET /api/a"},
		"plain.yml":    {"openapi: 3.0.3\npaths: {/a: {get: {}}}", "GET /a"},
		"a.json":       {`{"openapi":"3.0.3","servers":[{"url":"/v2"}],"paths":{"/a":{"get":{"responses":{"200":{}}}}},"x":[1,true,null]}`, "GET /v2/a"},
	} {
		doc, err := read(t, name, c.text)
		if err != nil || len(doc.Operations) != 1 || doc.Operations[0].ID != c.operation {
			t.Errorf("%s: %+v, %v", name, doc, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: 1": "neither \"openapi: 3.…\" nor",
		"openapi: 3.0.0\npaths:\n  /a: {$ref: other.yaml}": "bad.yaml:3:14: paths./a: other.yaml is elsewhere",
		"openapi: 3.0.0\npaths:\n  a: {}":                  `"a" does not begin with "/"`,
		"openapi: 3.0.0\npaths:\n  /a: {fetch: {}}":        "paths./a.fetch: no method",
		"openapi: 3.0.0\npaths:\n  /a/{id: {get: {}}":      "a parameter is not written as {name}",
		"openapi: 3.0.0\n":                                 "paths: there are none",
		"openapi: 3.0.0\npaths: [":                         "bad.yaml:",
		`{"openapi":"3.0.0","paths":{"/a":{"$ref":"x"}}}`:  "paths./a: x is elsewhere",
		`{"openapi":"3.0.0",`:                              "near byte",
		`{"openapi":"3.0.0","paths":{}} {}`:                "something follows",
		strings.Repeat(`{"a":`, 300):                       "nested too deeply",
		"#" + strings.Repeat("x", 1<<20):                   "give it as JSON",
	} {
		if doc, err := read(t, "bad.yaml", text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad.yaml") {
			t.Errorf("%.60q was read as %+v: %v, want %q", text, doc, err, want)
		}
	}
}
