// Package tutorial runs the chapters under docs/tutorial as a reader would type
// them, and keeps the text true: a chapter whose commands fail or print something
// else than the text shows is a failing test.
//
// A chapter is Markdown. Its blocks are:
//
//	```sh run                 commands; one shell per chapter, so variables live on
//	```sh run exit=2 timeout=30s
//	```sh skip="why"          commands that the runner cannot type
//	```text output            what the block above it prints, all of it
//	<!-- embed: path#region -->  the next block is that region of that file
//
// In an output block a line "..." stands for any lines and "..." inside a line for
// any text; <n>, <ms>, <time>, <uuid>, <id>, <hash>, <pid> stand for such a value
// (see [Match]). A block of commands without an output block must print nothing.
//
// The package promises that no process outlives a chapter, whatever happens to the
// chapter or to the test. It knows nothing of the shop beyond the default ports
// that the text mentions.
package tutorial

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// defaultTimeout bounds a block that names no timeout of its own.
const defaultTimeout = 60 * time.Second

// A Failure says which block of which chapter is not as the text says.
type Failure struct {
	Chapter string // path of the page
	Line    int    // line of the block
	Reason  string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s:%d: %s", f.Chapter, f.Line, f.Reason)
}

// A Result is what a block printed when it ran, with the ports of the text.
type Result struct {
	Block  Block
	Output string
}

// Run types the blocks of c into sh, one after the other. It stops at the first
// block that ends otherwise than the text says; blocks that merely print something
// else are all collected into one error. The results are those of the blocks that ran.
func Run(c Chapter, sh *Shell, ports Ports) ([]Result, error) {
	var results []Result
	var failures []error
	for _, b := range c.Blocks {
		out, code, err := sh.Run(ports.Actual(b.Command), b.Timeout)
		out = clean(ports.Text(out))
		if err != nil {
			return results, errors.Join(append(failures, fail(c, b, "%v; it printed\n%s", err, indent(out)))...)
		}
		if code != b.Exit {
			return results, errors.Join(append(failures, fail(c, b, "exit code %d, the text says %d; it printed\n%s", code, b.Exit, indent(out)))...)
		}
		results = append(results, Result{b, out})
		if diff := Match(b.Output, out); diff != "" {
			failures = append(failures, fail(c, b, "the output is not what the text shows (--fix rewrites it)\n%s", indent(diff)))
		}
	}
	return results, errors.Join(failures...)
}

func fail(c Chapter, b Block, format string, args ...any) error {
	return &Failure{c.Path, b.Line, fmt.Sprintf("%s\n%s", firstLine(b.Command), fmt.Sprintf(format, args...))}
}

// clean drops what differs between a terminal and a page: carriage returns,
// trailing blanks and blank lines at both ends.
func clean(out string) string {
	lines := strings.Split(strings.ReplaceAll(out, "\r", ""), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(s, "\n", "\n    ")
}

// Load reads every chapter in docs/tutorial below root, in the order of their
// numbers.
func Load(root string) ([]Chapter, error) {
	paths, err := filepath.Glob(filepath.Join(root, "docs/tutorial/[0-9][0-9]-*.md"))
	if err != nil {
		return nil, fmt.Errorf("find chapters: %w", err)
	}
	var chapters []Chapter
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read chapter: %w", err)
		}
		c, err := Parse(path, source)
		if err != nil {
			return nil, err
		}
		chapters = append(chapters, c)
	}
	return chapters, nil
}
