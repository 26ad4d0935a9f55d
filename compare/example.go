package compare

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/compare/report"
)

const maxExampleBody = 16 << 10

func sideOf(path string, status int, m record.Message) report.Side {
	body, _ := m.Comparable()
	s := report.Side{Path: path, Status: status}
	if !utf8.Valid(body) {
		s.Body = "(binary)"
		return s
	}
	if s.Body = string(body); len(s.Body) > maxExampleBody {
		s.Body, s.Cut = strings.ToValidUTF8(s.Body[:maxExampleBody], ""), true
	}
	return s
}

// curl is a command line that sends the request again. Secrets are not in a recording, so
// what was one stands there as its hash.
func curl(target string, e *record.Exchange) string {
	words := []string{"curl", "-i"}
	if e.Method != http.MethodGet {
		words = append(words, "-X", e.Method)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Request.Header)) {
		switch name {
		case "Accept", "Accept-Language", "Authorization", "Content-Type", "Cookie", "Idempotency-Key", "If-Match", "If-None-Match", "Range":
			words = append(words, "-H", quote(name+": "+strings.Join(e.Request.Header[name], ", ")))
		}
	}
	if body := e.Request.Body; len(body) > 0 && len(body) <= 2000 && utf8.Valid(body) {
		words = append(words, "--data-raw", quote(string(body)))
	}
	return strings.Join(append(words, quote(strings.TrimRight(target, "/")+e.Path)), " ")
}

// quote makes a word safe to paste into a shell.
func quote(w string) string {
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,", r)
	}) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
