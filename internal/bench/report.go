package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
	fmt.Fprintf(w, "\n## %s\n\n%s\n\n| %s |\n|%s\n", s.title, s.text, strings.Join(s.header, " | "), strings.Repeat(" --- |", len(s.header)))
	for _, row := range s.rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

// document is the page docs/benchmarks.md; load is how busy the machine was before.
func document(ctx context.Context, load string, sections []section) []byte {
	var page bytes.Buffer
	fmt.Fprintf(&page, `# Benchmarks

Written by %[1]smake bench%[1]s (%[1]sgo run ./internal/bench%[1]s); run it to have the figures of your machine.
Load generator, programs and database share the machine, so times are upper limits; ratios are medians of
interleaved rounds in one run.

- Machine: %[2]s
- Version: %[3]s
- Measured: %[4]s, load average %[5]s before
`, "`", machine(), revision(ctx), time.Now().UTC().Format(time.DateOnly), load)
	for _, s := range sections {
		s.markdown(&page)
	}
	return page.Bytes()
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
