package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// examineCookie asks the monolith and the service of one route for the same page, with
// a cookie and without, and says who takes the cookie for a session. A service that does
// not logs clients out when its route moves.
func (t *tool) examineCookie(cmd *cobra.Command, cookie, path string) ([]finding, error) {
	if strings.ContainsFunc(cookie, func(r rune) bool { return r < 0x20 || r == 0x7f }) || !strings.Contains(cookie, "=") {
		return nil, program.Fail(program.Usage, "give it as a browser sends it: --cookie 'sid=…'", "--cookie is no NAME=VALUE")
	}
	cfg, err := t.readStrict()
	if err != nil {
		return nil, err
	}
	rt, path, err := pageFor(cfg, path)
	if err != nil {
		return nil, err
	}
	var findings []finding
	for _, u := range []*config.Upstream{&cfg.Monolith, cfg.Service(rt.Service)} {
		findings = append(findings, tryCookie(cmd.Context(), u, path, cookie))
	}
	return findings, nil
}

// pageFor finds the route whose service is asked, and the page that is asked for: the
// given one, or that of the first route that has no placeholders.
func pageFor(cfg *config.Config, path string) (*config.Route, string, error) {
	if path != "" {
		bare, _, _ := strings.Cut(path, "?")
		r, err := cfg.Table.Find(route.Head{Method: http.MethodGet, Path: bare})
		switch {
		case err != nil:
			return nil, "", program.Fail(program.Usage, "", "--path %s: %w", path, err)
		case r == nil || r.Service == "":
			return nil, "", program.Fail(program.Usage, "give the path of a route that has one", "no service is there for GET %s", path)
		}
		return cfg.Route(r.Name), path, nil
	}
	for i := range cfg.Routes {
		r := &cfg.Routes[i]
		template := strings.TrimSuffix(r.Match.Path(), "/**")
		reads := r.Match.Method == "" || r.Match.Method == http.MethodGet
		if r.Service != "" && reads && !r.Match.Conditional() && template != "" && !strings.ContainsAny(template, "{*") {
			return r, template, nil
		}
	}
	return nil, "", program.Fail(program.Usage, "name one with --path", "no route with a service has a path without placeholders to ask for")
}

// tryCookie asks an upstream twice. The cookie's value is in no message.
func tryCookie(ctx context.Context, u *config.Upstream, path, cookie string) finding {
	f := finding{Check: "cookie at " + u.Name}
	with, err := statusOf(ctx, u, path, cookie)
	if err != nil {
		f.Detail, f.Remedy = fmt.Sprintf("GET %s: %v", path, err), "start it, or mend its url"
		return f
	}
	without, err := statusOf(ctx, u, path, "")
	if err != nil {
		f.Detail, f.Remedy = fmt.Sprintf("GET %s: %v", path, err), "start it, or mend its url"
		return f
	}
	figures := fmt.Sprintf("GET %s is answered %d with it and %d without", path, with, without)
	switch {
	case refuses(with):
		f.Detail, f.Remedy = "not accepted: "+figures, "let the service read the sessions of the monolith, or leave routes with sessions where they are"
	case with >= 400:
		f.Optional, f.Detail, f.Remedy = true, "unclear: "+figures, "name a page that answers 200 to who is logged in, with --path"
	case refuses(without):
		f.OK, f.Detail = true, "accepted: "+figures
	default:
		f.Optional, f.Detail, f.Remedy = true, "it makes no difference: "+figures, "name a page that needs a login, with --path"
	}
	return f
}

// refuses reports whether a status asks to log in.
func refuses(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status >= 300 && status < 400
}

// statusOf asks for a page and follows no redirect.
func statusOf(ctx context.Context, u *config.Upstream, path, cookie string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.URLs[0].String()+path, nil)
	if err != nil {
		return 0, err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, nil
}
