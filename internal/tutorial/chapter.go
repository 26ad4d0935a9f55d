package tutorial

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// A Chapter is one page of the tutorial.
type Chapter struct {
	Path     string
	Number   string // "02" of 02-the-proxy.md
	Source   []byte
	Sections []string // the headings of level 2
	Blocks   []Block
	Embeds   []Embed
}

// A Block is one block of commands and what the text says about it.
type Block struct {
	Line    int // of the first command
	Command string
	Exit    int
	Timeout time.Duration
	Output  string // what the text shows; "" if there is no output block

	output span // contents of the output block, or where one would stand
	shown  bool // there is an output block
}

// An Embed is a block that repeats a region of a file.
type Embed struct {
	Line   int
	File   string // relative to the root of the repository
	Region string // empty means the whole file
	Text   string

	contents span
}

// A span is a part of the source.
type span struct{ start, end int }

var (
	embedComment = regexp.MustCompile(`^<!-- embed: (\S+?)(?:#(\S+))? -->\s*$`)
	attribute    = regexp.MustCompile(`([a-z]+)(?:=("[^"]*"|\S+))?`)
)

// Parse reads a chapter. The errors name path and line: blocks that the runner would
// pass over silently are errors.
func Parse(path string, source []byte) (Chapter, error) {
	c := Chapter{Path: path, Source: source}
	c.Number, _, _ = strings.Cut(filepath.Base(path), "-")
	var problems []error
	bad := func(at int, format string, args ...any) {
		problems = append(problems, &Failure{path, lineAt(source, at), fmt.Sprintf(format, args...)})
	}
	doc := goldmark.DefaultParser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level == 2 {
				c.Sections = append(c.Sections, string(n.Lines().Value(source)))
			}
		case *ast.HTMLBlock:
			c.embed(n, bad)
		case *ast.FencedCodeBlock:
			c.block(n, bad)
		}
		return ast.WalkContinue, nil
	})
	return c, errors.Join(problems...)
}

// block adds the fenced block n: commands, or the output of the commands above it.
func (c *Chapter) block(n *ast.FencedCodeBlock, bad func(int, string, ...any)) {
	if n.Info == nil {
		return
	}
	at := n.Info.Segment.Start
	language, rest, _ := strings.Cut(string(n.Info.Segment.Value(c.Source)), " ")
	contents := contentsOf(n, c.Source)
	body := string(c.Source[contents.start:contents.end])
	switch {
	case language == "text" && rest == "output":
		if n.Parent().Kind() != ast.KindDocument {
			bad(at, "an output block inside a list or quote; move it to the left margin")
			return
		}
		if len(c.Blocks) == 0 || c.Blocks[len(c.Blocks)-1].shown || c.Blocks[len(c.Blocks)-1].output.start > at {
			bad(at, "an output block without commands above it")
			return
		}
		last := &c.Blocks[len(c.Blocks)-1]
		last.Output, last.output, last.shown = clean(body), contents, true
	case language == "sh" || language == "bash" || language == "console" || language == "shell":
		if n.Parent().Kind() != ast.KindDocument {
			bad(at, "commands inside a list or quote; move them to the left margin")
			return
		}
		b := Block{Line: lineAt(c.Source, contents.start), Command: body, Timeout: defaultTimeout}
		run, err := b.attributes(rest)
		if err != nil || language != "sh" {
			bad(at, "block %q: want ```sh run [exit=N] [timeout=D] or ```sh skip=\"why\": %v", language+" "+rest, err)
			return
		}
		if run {
			end := afterFence(c.Source, contents.end)
			b.output = span{end, end}
			c.Blocks = append(c.Blocks, b)
		}
	}
}

// attributes reads the words after the language and reports whether the block is to
// be run.
func (b *Block) attributes(words string) (run bool, err error) {
	skip := false
	for _, m := range attribute.FindAllStringSubmatch(words, -1) {
		value := strings.Trim(m[2], `"`)
		switch m[1] {
		case "run":
			run = true
		case "skip":
			skip = value != ""
		case "exit":
			b.Exit, err = strconv.Atoi(value)
		case "timeout":
			b.Timeout, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("unknown attribute %q", m[1])
		}
		if err != nil {
			return false, err
		}
	}
	if run == skip {
		return false, errors.New("neither run nor skip with a reason")
	}
	return run, nil
}

// embed notes the block after the comment n.
func (c *Chapter) embed(n *ast.HTMLBlock, bad func(int, string, ...any)) {
	comment := string(n.Lines().Value(c.Source))
	if n.Lines().Len() == 0 || !strings.Contains(comment, "embed:") {
		return
	}
	at := n.Lines().At(0).Start
	m := embedComment.FindStringSubmatch(comment)
	block, ok := n.NextSibling().(*ast.FencedCodeBlock)
	if m == nil || !ok || block.Info == nil {
		bad(at, "want <!-- embed: path#region --> and a code block with its language after it")
		return
	}
	contents := contentsOf(block, c.Source)
	c.Embeds = append(c.Embeds, Embed{
		Line: lineAt(c.Source, at), File: m[1], Region: m[2],
		Text: string(c.Source[contents.start:contents.end]), contents: contents,
	})
}

// contentsOf returns the lines between the fences of n, which names its language.
func contentsOf(n *ast.FencedCodeBlock, source []byte) span {
	if lines := n.Lines(); lines.Len() > 0 {
		return span{lines.At(0).Start, lines.At(lines.Len() - 1).Stop}
	}
	at := n.Info.Segment.Stop
	at += bytes.IndexByte(source[at:], '\n') + 1
	return span{at, at}
}

// afterFence returns the start of the line after the fence that starts at or after at.
func afterFence(source []byte, at int) int {
	end := bytes.IndexByte(source[at:], '\n')
	if end < 0 {
		return len(source)
	}
	return at + end + 1
}

func lineAt(source []byte, at int) int {
	return 1 + bytes.Count(source[:at], []byte("\n"))
}
