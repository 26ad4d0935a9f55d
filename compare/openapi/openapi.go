// Package openapi reads from an OpenAPI 3 or Swagger 2 file, YAML or JSON, which operations a
// service has: their methods, path templates and statuses. That is all a comparison needs, and
// all that is read: schemas are neither resolved nor checked.
//
// It promises that what it reads of paths is read strictly, and that what it cannot follow (a
// path that stands in another file) is an error with its line and never a missing operation.
package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// An Operation is one method of one path.
type Operation struct {
	ID       string // operationId, or the method and the path
	Method   string
	Path     string   // template with the path of the server: /v1/orders/{id}
	Statuses []string // that are documented: 200, 4XX, default
}

// Has reports whether a status is documented for the operation.
func (o *Operation) Has(documented string, status int) bool {
	return documented == fmt.Sprint(status) || strings.EqualFold(documented, fmt.Sprintf("%dXX", status/100))
}

// A Document is the operations of one file.
type Document struct {
	Operations []Operation // in the order of the file
	templates  []template
}

// Limits of what is read.
const (
	maxFile       = 16 << 20
	maxOperations = 10_000
)

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// besides are the members of a path that are no operations.
var besides = []string{"summary", "description", "servers", "parameters"}

// Read reads a file.
func Read(path string) (*Document, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, and at most %d are read", path, info.Size(), maxFile)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if text := bytes.TrimLeft(source, " \t\r\n\ufeff"); bytes.HasPrefix(text, []byte("{")) {
		doc, err := readJSON(path, source)
		return operations(doc, err)
	}
	if len(source) > yamldoc.LimitBytes {
		return nil, fmt.Errorf("%s has %d bytes of YAML, and at most %d are read; give it as JSON", path, len(source), yamldoc.LimitBytes)
	}
	doc, err := yamldoc.Parse(path, source)
	return operations(doc, err)
}

func operations(doc *yamldoc.Document, err error) (*Document, error) {
	if err != nil {
		return nil, err
	}
	r := &reader{doc: doc, found: &Document{}}
	r.read()
	if len(r.problems) == 0 {
		return r.found, nil
	}
	if doc.Source() != nil {
		return nil, doc.Fail(r.problems...)
	}
	var all []error // of JSON: without places
	for _, p := range r.problems {
		all = append(all, fmt.Errorf("%s: %s", doc.Name, p.Text))
	}
	return nil, errors.Join(all...)
}

type reader struct {
	doc      *yamldoc.Document
	found    *Document
	problems []yamldoc.Problem
}

func (r *reader) problem(at *yamldoc.Node, format string, args ...any) {
	p := yamldoc.Problem{Text: fmt.Sprintf(format, args...)}
	if at != nil {
		p.Pos = at.Pos
	}
	r.problems = append(r.problems, p)
}

func (r *reader) read() {
	root := r.doc.Root
	version, swagger := textOf(root.Get("openapi")), textOf(root.Get("swagger"))
	if !strings.HasPrefix(version, "3.") && swagger != "2.0" {
		r.problem(root, `this is no OpenAPI file: it says neither "openapi: 3.…" nor "swagger: 2.0"`)
		return
	}
	bases := r.bases(root)
	paths := root.Get("paths")
	if paths == nil || paths.Kind != yamldoc.Map {
		r.problem(root, "paths: there are none")
		return
	}
	for _, e := range paths.Entries {
		switch {
		case strings.HasPrefix(e.Key, "x-"):
		case !strings.HasPrefix(e.Key, "/"):
			r.problem(e.Value, `paths: %q does not begin with "/"`, e.Key)
		default:
			r.path(bases, e.Key, e.Value)
		}
	}
}

// bases are the paths of the servers; a file without servers has one, which is empty.
func (r *reader) bases(root *yamldoc.Node) (list []string) {
	if base := strings.TrimRight(textOf(root.Get("basePath")), "/"); base != "" {
		return []string{base}
	}
	if servers := root.Get("servers"); servers != nil {
		for _, s := range servers.Items {
			base := textOf(s.Get("url"))
			if _, rest, found := strings.Cut(base, "://"); found {
				_, rest, _ = strings.Cut(rest, "/")
				base = "/" + rest
			}
			if base = strings.TrimRight(base, "/"); !slices.Contains(list, base) {
				list = append(list, base)
			}
		}
	}
	if len(list) == 0 {
		list = []string{""}
	}
	return list
}

func (r *reader) path(bases []string, path string, item *yamldoc.Node) {
	for _, e := range item.Entries {
		switch {
		case e.Key == "$ref":
			r.problem(e.Value, "paths.%s: %s is elsewhere, and only one file is read; bundle the files first", path, textOf(e.Value))
		case slices.Contains(methods, e.Key):
			r.operation(bases, path, e.Key, e.Value)
		case !slices.Contains(besides, e.Key) && !strings.HasPrefix(e.Key, "x-"):
			r.problem(e.Value, "paths.%s.%s: no method of HTTP that is known", path, e.Key)
		}
	}
}

func (r *reader) operation(bases []string, path, method string, item *yamldoc.Node) {
	for i, base := range bases {
		t, err := parse(base + path)
		if err != nil {
			r.problem(item, "paths.%s: %v", path, err)
			return
		}
		o := Operation{Method: strings.ToUpper(method), Path: base + path, ID: textOf(item.Get("operationId"))}
		if o.ID == "" || i > 0 { // another server's is another one
			o.ID = o.Method + " " + o.Path
		}
		if responses := item.Get("responses"); responses != nil {
			for _, e := range responses.Entries {
				if !strings.HasPrefix(e.Key, "x-") {
					o.Statuses = append(o.Statuses, e.Key)
				}
			}
		}
		if len(r.found.Operations) == maxOperations {
			r.problem(item, "paths: more than %d operations", maxOperations)
			return
		}
		r.found.Operations = append(r.found.Operations, o)
		r.found.templates = append(r.found.templates, t)
	}
}

func textOf(n *yamldoc.Node) string {
	if n == nil {
		return ""
	}
	return n.Text
}

// Find returns the operation that a request is for: of several whose templates fit, the one
// with the most text that is no parameter, from the left.
func (d *Document) Find(method, path string) *Operation {
	path, _, _ = strings.Cut(path, "?")
	if len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	parts := strings.Split(path, "/")
	if method == "" {
		method = http.MethodGet
	}
	best := -1
	for i := range d.Operations {
		if d.Operations[i].Method == method && d.templates[i].fits(parts) && (best < 0 || d.templates[i].before(d.templates[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return &d.Operations[best]
}
