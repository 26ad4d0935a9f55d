package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A section is a table of figures under a heading.
type section struct {
	title  string
	text   string // how it was measured
	header []string
	rows   [][]string
}

func (s section) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n%s\n\n", s.title, s.text)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(s.header, "\t"))
	for _, row := range s.rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	tw.Flush() //nolint:errcheck // printing is all it does
}

func (s section) markdown(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n", s.title)
	if s.text != "" {
		fmt.Fprintf(w, "\n%s\n", s.text)
	}
	fmt.Fprintf(w, "\n%s|%s\n", line(s.header), strings.Repeat(" --- |", len(s.header)))
	for _, row := range s.rows {
		io.WriteString(w, line(row)) //nolint:errcheck // w is a buffer
	}
}

// line is a row of a table of Markdown.
func line(cells []string) string {
	var b strings.Builder
	for _, cell := range cells {
		b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
	}
	return b.String() + "|\n"
}

// chapter is what the page says about a part; busy is how busy the machine was before.
func chapter(ctx context.Context, p part, short bool, busy string, sections []section) []byte {
	var text bytes.Buffer
	command := "go run ./internal/bench -part " + p.name
	if short {
		command += " -short"
	}
	fmt.Fprintf(&text, "## %s\n\nMeasured with `%s` on %s: %s, version %s, load average %s before.\n",
		p.title, command, time.Now().UTC().Format(time.DateOnly), machine(), revision(ctx), busy)
	if short {
		text.WriteString("A short run: the figures are rough.\n")
	}
	for _, s := range sections {
		s.markdown(&text)
	}
	return text.Bytes()
}

const intro = `# Benchmarks

Written by ` + "`make bench`" + ` (` + "`make bench-proxy`" + ` and so on for a part of it); run it to have the figures of your machine.
Load generator, programs and database share the machine, so times are upper limits; ratios are medians of
interleaved rounds in one run.
`

// writePart puts the chapter of a part into a page, in place of the one before. The
// other parts stay as they are.
func writePart(page, name string, chapter []byte) error {
	old, err := os.ReadFile(page)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the figures: %w", err)
	}
	text := bytes.NewBufferString(intro)
	for _, p := range parts() {
		begin, end := fmt.Sprintf("\n<!-- %s -->\n", p.name), fmt.Sprintf("<!-- end of %s -->\n", p.name)
		_, after, found := bytes.Cut(old, []byte(begin))
		kept, _, ended := bytes.Cut(after, []byte(end))
		if p.name == name {
			kept = chapter
		} else if !found || !ended {
			continue
		}
		text.WriteString(begin)
		text.Write(kept)
		text.WriteString(end)
	}
	if err := os.WriteFile(page, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

func megabytes(bytes int64) string {
	if bytes == 0 {
		return "not measured"
	}
	return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
}

// within says whether a figure reached its goal.
func within(ok bool, goal string) string {
	if ok {
		return goal + " ✓"
	}
	return goal + " ✗"
}

func median[T ~int64 | ~float64](list []T) T {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// failures shows how many requests of an outcome failed, and why.
func failures(o outcome) string {
	if o.failed == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%v)", o.failed, o.firstFail)
}
