package shadow

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// curl is a command line that sends the request of a record to a side. Its secrets are
// to be filled in.
func curl(base string, m MismatchRecord) string {
	words := []string{"curl", "-isS", "--path-as-is", "-g"}
	switch {
	case m.Method == http.MethodHead:
		words = append(words, "--head")
	case m.Method != http.MethodGet:
		words = append(words, "-X", m.Method)
	}
	for _, line := range m.Header {
		name, value, _ := strings.Cut(line, ":")
		switch http.CanonicalHeaderKey(name) {
		case "Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Expect", "Keep-Alive":
			continue // curl's own affair
		}
		if strings.TrimSpace(value) == "" {
			line = name + ";" // else curl leaves the header out
		}
		words = append(words, "-H", line)
	}
	if m.Body != "" {
		words = append(words, "--data-binary", m.Body)
	}
	words = append(words, strings.TrimSuffix(base, "/")+m.Target)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// quote makes a word safe to paste into a shell.
func quote(w string) string {
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:", r)
	}) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// diffOf shows findings as a diff: - is the monolith, + the service.
func diffOf(findings []differ.Finding, dropped int) string {
	b := strings.Builder{}
	b.WriteString("--- monolith\n+++ service\n")
	for _, f := range findings {
		fmt.Fprintf(&b, "@@ %s @@ %s: %s\n", strings.TrimSpace(string(f.Part)+" "+f.Pointer), f.Kind, f.Explanation)
		if f.Diff != "" {
			for line := range strings.Lines(f.Diff) {
				if !strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "+++ ") {
					b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
				}
			}
			continue
		}
		for _, side := range []struct{ mark, value string }{{"-", f.Before}, {"+", f.After}} {
			if side.value != "" {
				b.WriteString(side.mark + " " + strings.ReplaceAll(side.value, "\n", "\n"+side.mark+" ") + "\n")
			}
		}
	}
	if dropped > 0 {
		fmt.Fprintf(&b, "@@ and %d more @@\n", dropped)
	}
	return b.String()
}
