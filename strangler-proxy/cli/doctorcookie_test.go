package cli_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

// guarded is a server that knows one session; others are answered with status.
func guarded(t *testing.T, session string, status int) (url string, changed *atomic.Int64) {
	t.Helper()
	changed = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			changed.Add(1)
		}
		if c, err := r.Cookie("sid"); err == nil && c.Value == session {
			fmt.Fprintln(w, "welcome")
			return
		}
		w.Header().Set("Location", "/login")
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL, changed
}

func TestDoctorTriesACookie(t *testing.T) {
	t.Parallel()
	knows, changed := guarded(t, "s3cret", http.StatusUnauthorized)
	redirects, _ := guarded(t, "other", http.StatusSeeOther)
	open, _ := guarded(t, "", http.StatusOK)
	broken, _ := guarded(t, "", http.StatusInternalServerError)
	for _, test := range []struct {
		name, service, args string
		code                int
		want                []string
	}{
		{"both accept", knows, "", program.OK, []string{"✓ cookie at monolith: accepted: GET /account is answered 200 with it and 401 without", "✓ cookie at s: accepted"}},
		{"the service redirects", redirects, "", program.Differs, []string{"✗ cookie at s: not accepted: GET /account is answered 303 with it and 303 without", "read the sessions of the monolith", "is not good at 1 of 2 places"}},
		{"the service is open", open, "", program.OK, []string{"- cookie at s: it makes no difference"}},
		{"the service is broken", broken, "", program.OK, []string{"- cookie at s: unclear: GET /account is answered 500"}},
		{"the service is gone", "http://127.0.0.1:1", "", program.Differs, []string{"✗ cookie at s: GET /account: Get"}},
		{"another page", knows, "--path /orders/7?full=1", program.OK, []string{"GET /orders/7?full=1 is answered 200"}},
		{"a page of the monolith", knows, "--path /else", program.Usage, []string{"no service is there for GET /else"}},
		{"no page", knows, "--path else", program.Usage, []string{"does not start with a slash"}},
		{"no cookie", knows, "--cookie nonsense", program.Usage, []string{"no NAME=VALUE"}},
		{"two lines", knows, "--cookie sid=a\r\nX:y", program.Usage, []string{"no NAME=VALUE"}},
		{"only a page", knows, "--cookie= --path /account", program.Usage, []string{"--path is only for --cookie"}},
		{"as data", knows, "-o json", program.OK, []string{`"check": "cookie at s"`, `"ok": true`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "strangler.yaml")
			source := fmt.Sprintf("version: 1\nmonolith: %s\nservices: { s: %s }\nroutes:\n  orders: { match: \"/orders/{id}\", to: s, stage: monolith }\n  account: { match: /account, to: s, stage: monolith }\n", knows, test.service)
			if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"doctor", "--config", file, "--cookie", "sid=s3cret"}
			for _, word := range strings.Split(test.args, " ") {
				if word != "" {
					args = append(args, word)
				}
			}
			var out bytes.Buffer
			root := cli.New("strangler", cli.Options{})
			root.SetOut(&out)
			root.SetErr(&out)
			err := cli.Execute(t.Context(), root, args)
			text := out.String()
			if err != nil {
				text += err.Error()
			}
			if program.Code(err) != test.code {
				t.Errorf("code %d, want %d: %s", program.Code(err), test.code, text)
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			if strings.Contains(text, "s3cret") {
				t.Errorf("the cookie is shown:\n%s", text)
			}
		})
	}
	t.Cleanup(func() {
		if n := changed.Load(); n > 0 {
			t.Errorf("%d requests were no GET", n)
		}
	})
}
