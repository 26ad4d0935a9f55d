package tutorial_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// TestLinksResolve follows every relative link of every page: the file is there, and
// so is the heading.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	pages := markdownFiles(t, root)
	links := 0
	for _, page := range pages {
		for _, link := range linksOf(t, page) {
			links++
			if problem := resolve(page, link); problem != "" {
				t.Errorf("%s: link %q: %s", page, link, problem)
			}
		}
	}
	if len(pages) < 10 || links < 20 {
		t.Errorf("found %d pages with %d links: are these all?", len(pages), links)
	}
}

func TestResolveFindsDeadLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	page, other := filepath.Join(dir, "a.md"), filepath.Join(dir, "b.md")
	for path, data := range map[string]string{page: "# A\n\n## What it *is*, really?\n", other: "# B\n"} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, good := range map[string]bool{
		"b.md": true, "#what-it-is-really": true, "b.md#b": true, "./b.md": true,
		"c.md": false, "#nowhere": false, "b.md#a": false, "/etc/passwd": false,
	} {
		if problem := resolve(page, link); (problem == "") != good {
			t.Errorf("%s: %q, want it to resolve: %v", link, problem, good)
		}
	}
}

func markdownFiles(t *testing.T, dir string) []string {
	t.Helper()
	var pages []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "var" || name == "bin" || name == "testdata" || name == "node_modules" || name == ".git" || name == "artifacts"):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".md"):
			pages = append(pages, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// linksOf returns the relative links of a page.
func linksOf(t *testing.T, page string) []string {
	t.Helper()
	var links []string
	walk(t, page, func(_ []byte, n ast.Node) {
		var target []byte
		switch n := n.(type) {
		case *ast.Link:
			target = n.Destination
		case *ast.Image:
			target = n.Destination
		default:
			return
		}
		if u, err := url.Parse(string(target)); err != nil || u.Scheme == "" {
			links = append(links, string(target))
		}
	})
	return links
}

// resolve says what is wrong with a link of page, or "".
func resolve(page, link string) string {
	path, fragment, _ := strings.Cut(link, "#")
	target := page
	if path != "" {
		if strings.HasPrefix(path, "/") {
			return "it is not relative"
		}
		target = filepath.Join(filepath.Dir(page), filepath.FromSlash(path))
	}
	if _, err := os.Stat(target); err != nil {
		return "there is no such file"
	}
	if fragment == "" {
		return ""
	}
	source, err := os.ReadFile(target)
	if err != nil {
		return err.Error()
	}
	for _, heading := range headings(source) {
		if heading == fragment {
			return ""
		}
	}
	return "there is no such heading"
}

// headings returns the names that the headings of a page have as link targets.
func headings(source []byte) []string {
	var names []string
	doc := goldmark.DefaultParser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && entering {
			names = append(names, slug(string(h.Lines().Value(source))))
		}
		return ast.WalkContinue, nil
	})
	return names
}

func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}

func walk(t *testing.T, page string, visit func(source []byte, n ast.Node)) {
	t.Helper()
	source, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_ = ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			visit(source, n)
		}
		return ast.WalkContinue, nil
	})
}
