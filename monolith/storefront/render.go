package storefront

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"net/url"
	"path"
	"strings"

	money "github.com/Rhymond/go-money"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/catalog"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

//go:embed templates
var templateFiles embed.FS

// A view is what every page is made from. The handler fills the second half.
type view struct {
	User       *identity.User // nil: a guest
	Pieces     int64          // in the cart
	Categories []catalog.Category
	Flash      *flash

	Title    string
	Category string // slug of the category to mark
	Query    string // words searched for
	Live     bool   // searching while typing replaces the list on this page
	Form     url.Values
	Problem  *web.Problem // what was wrong with the form
	Page     any
}

// Value is what the form field was sent with, or its default.
func (v view) Value(name string) string { return v.Form.Get(name) }

// A note is what was wrong with one field.
type note struct{ Field, Text string }

// Note is what was wrong with the field.
func (v view) Note(name string) note {
	if v.Problem == nil {
		return note{Field: name}
	}
	for _, f := range v.Problem.Fields {
		if f.Name == name {
			return note{name, f.Message}
		}
	}
	return note{Field: name}
}

// Mark is the attributes that tell of a bad field.
func (v view) Mark(name string) template.HTMLAttr {
	if v.Note(name).Text == "" {
		return ""
	}
	return template.HTMLAttr(fmt.Sprintf(`aria-invalid="true" aria-describedby="%[1]s-error"`, template.HTMLEscapeString(name)))
}

// loadTemplates reads each page with the layout and the partials. A template that
// does not parse is our own bug.
func loadTemplates(static assets) (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(template.FuncMap{
		"asset":   static.url,
		"image":   static.image,
		"money":   dollars,
		"date":    func(i instant.Instant) string { return i.Time().Format("2 January 2006") },
		"time":    func(i instant.Instant) string { return i.Time().Format("2 January 2006, 15:04 UTC") },
		"iso":     func(i instant.Instant) string { return i.String() },
		"stars":   stars,
		"words":   func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"capital": capital,
		"country": countryName, "countries": countries,
		"link":  link,
		"float": func(n int) float64 { return float64(n) },
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		page, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if page, err = page.ParseFS(templateFiles, name); err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return pages, nil
}

// dollars shows cents as money.
func dollars(cents int64) string { return money.New(cents, money.USD).Display() }

// A star of five, each 20 wide: where it stands and how much of it is filled.
type star struct{ X, Width int }

func stars(average float64) []star {
	five := make([]star, 5)
	for i := range five {
		five[i] = star{X: 20 * i, Width: int(math.Round(20 * min(1, max(0, average-float64(i)))))}
	}
	return five
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// link is the address of a page with some values of its query changed; an empty
// value removes its name.
func link(address string, query url.Values, changes ...string) string {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	for i := 0; i+1 < len(changes); i += 2 {
		query.Set(changes[i], changes[i+1])
	}
	for name, values := range query {
		if len(values) == 0 || values[0] == "" {
			query.Del(name)
		}
	}
	if len(query) == 0 {
		return address
	}
	return address + "?" + query.Encode()
}

// show answers with a page; v's second half is filled in.
func (s *shop) show(w http.ResponseWriter, r *http.Request, status int, page string, v view) error {
	if err := s.fill(w, r, &v); err != nil {
		return err
	}
	return s.render(w, status, page, v)
}

func (s *shop) render(w http.ResponseWriter, status int, page string, v view) error {
	var body bytes.Buffer
	if err := s.pages[page].ExecuteTemplate(&body, "layout", v); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(bytes.ToValidUTF8(body.Bytes(), []byte(replacement))) //nolint:errcheck // the client is gone; the server logs the request anyway
	return nil
}

// fill adds what the frame of every page shows.
func (s *shop) fill(w http.ResponseWriter, r *http.Request, v *view) error {
	ctx := r.Context()
	if user, ok := identity.Current(ctx); ok {
		v.User = &user
	}
	c, err := s.cart(r)
	if err != nil {
		return err
	}
	v.Pieces = c.Pieces()
	if v.Categories, err = s.Catalog.Categories(ctx); err != nil {
		return err
	}
	v.Flash = takeFlash(w, r)
	return nil
}

// again shows the page of a form once more, with what was wrong, if err is about
// the request; any other error comes back.
func (s *shop) again(w http.ResponseWriter, r *http.Request, err error, page string, v view) error {
	problem := formProblem(err)
	if problem == nil {
		return err
	}
	v.Problem = problem
	status := http.StatusUnprocessableEntity
	if problem.Status == http.StatusTooManyRequests {
		status = problem.Status
	}
	return s.show(w, r, status, page, v)
}

// formProblem is the error that a person can mend in the form, or nil.
func formProblem(err error) *web.Problem {
	var p *web.Problem
	if !errors.As(err, &p) {
		return nil
	}
	switch p.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict,
		http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return p
	}
	return nil
}

// fail answers with the page for err: the login page for who is not signed in, the
// error page in the shop's look otherwise. The cause of a 5xx is logged, not shown.
func (s *shop) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, ""
	var p *web.Problem
	if errors.As(err, &p) {
		status, text = p.Status, p.Message
	}
	if status == http.StatusUnauthorized {
		s.toLogin(w, r)
		return
	}
	if status >= 500 {
		text = ""
		if !errors.Is(err, context.Canceled) {
			web.Log(r.Context()).Error("page failed", "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
		}
	}
	page := errorPage{Status: status, Text: text, RequestID: web.RequestID(r.Context())}
	v := view{Title: page.Heading(), Page: page}
	if err := s.fill(w, r, &v); err != nil { // then the frame shows less
		web.Log(r.Context()).Error("frame of the error page failed", "error", err)
	}
	if err := s.render(w, status, "error", v); err != nil {
		web.Log(r.Context()).Error("error page failed", "error", err)
		http.Error(w, http.StatusText(status), status)
	}
}

type errorPage struct {
	Status    int
	Text      string
	RequestID string
}

// Heading is what a person is told first.
func (e errorPage) Heading() string {
	switch e.Status {
	case http.StatusNotFound:
		return "We cannot find that page"
	case http.StatusForbidden:
		return "This page is not for you"
	case http.StatusMethodNotAllowed:
		return "That does not work here"
	case http.StatusRequestEntityTooLarge:
		return "That was too much at once"
	case http.StatusTooManyRequests:
		return "Please wait a moment"
	}
	if e.Status >= 500 {
		return "Something went wrong on our side"
	}
	return "That did not work"
}
