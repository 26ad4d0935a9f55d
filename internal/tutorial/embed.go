package tutorial

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// CheckEmbeds compares the blocks of c that repeat a file with the files below root.
// It returns the source of c with those blocks refreshed, and an error naming each
// that had to be.
func CheckEmbeds(c Chapter, root string) ([]byte, error) {
	source := slices.Clone(c.Source)
	var problems []error
	for _, e := range slices.Backward(c.Embeds) {
		now, err := e.current(root)
		switch {
		case err != nil:
			problems = append(problems, &Failure{c.Path, e.Line, err.Error()})
		case now != e.Text:
			source = slices.Replace(source, e.contents.start, e.contents.end, []byte(now)...)
			problems = append(problems, &Failure{c.Path, e.Line, fmt.Sprintf("the block is not what %s holds (--fix refreshes it)\n%s",
				e.File, udiff.Unified("text", e.File, e.Text, now))})
		}
	}
	slices.Reverse(problems)
	return source, errors.Join(problems...)
}

// current returns the region as the file holds it now.
func (e Embed) current(root string) (string, error) {
	data, err := os.ReadFile(filepath.Join(root, e.File))
	if err != nil {
		return "", fmt.Errorf("embed: %w", err)
	}
	switch {
	case e.Region == "":
		return string(data), nil
	case strings.HasSuffix(e.File, ".go"):
		return declaration(data, e.Region)
	}
	return marked(string(data), e.Region)
}

// marked returns the lines between "region: name" and "endregion: name", which stand
// in comments of whatever form the file has, without their common indentation.
func marked(data, name string) (string, error) {
	start := regexp.MustCompile(`(?m)^.*\bregion: ` + regexp.QuoteMeta(name) + `\b.*\n`).FindStringIndex(data)
	if start == nil {
		return "", fmt.Errorf("embed: no comment %q", "region: "+name)
	}
	end := regexp.MustCompile(`(?m)^.*\bendregion: ` + regexp.QuoteMeta(name) + `\b`).FindStringIndex(data[start[1]:])
	if end == nil {
		return "", fmt.Errorf("embed: no comment %q after %q", "endregion: "+name, "region: "+name)
	}
	return dedent(data[start[1] : start[1]+end[0]]), nil
}

func dedent(s string) string {
	lines := strings.SplitAfter(s, "\n")
	margin := len(s)
	for _, l := range lines {
		if trimmed := strings.TrimLeft(l, " \t"); strings.TrimSpace(l) != "" {
			margin = min(margin, len(l)-len(trimmed))
		}
	}
	for i, l := range lines {
		lines[i] = l[min(margin, len(l)-len(strings.TrimLeft(l, " \t"))):]
	}
	return strings.Join(lines, "")
}

// declaration returns the declaration of a Go file named name: a function, a type, a
// constant, a variable or "Type.Method", with its comment.
func declaration(data []byte, name string) (string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", data, parser.ParseComments)
	if err != nil {
		return "", fmt.Errorf("embed: %w", err)
	}
	for _, d := range file.Decls {
		names, doc := declared(d)
		if !slices.Contains(names, name) {
			continue
		}
		start := d.Pos()
		if doc != nil {
			start = doc.Pos()
		}
		return string(data[files.Position(start).Offset:files.Position(d.End()).Offset]) + "\n", nil
	}
	return "", fmt.Errorf("embed: no declaration %q", name)
}

func declared(d ast.Decl) (names []string, doc *ast.CommentGroup) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil && len(d.Recv.List) == 1 {
			kind := d.Recv.List[0].Type
			if star, ok := kind.(*ast.StarExpr); ok {
				kind = star.X
			}
			if id, ok := kind.(*ast.Ident); ok {
				name = id.Name + "." + name
			}
		}
		return []string{name}, d.Doc
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
		return names, d.Doc
	}
	return nil, nil
}
