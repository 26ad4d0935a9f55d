// Command bench measures the shop, the proxy, the split engine and the comparison with the
// real programs and its own load generator, prints the figures beside their goals, and writes
// them to docs/benchmarks.md, where each part keeps its place. Nothing here is a timed test:
// figures depend on the machine, so what can be compared is compared in one run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == standInFlag {
		os.Exit(program.Run("bench", os.Stderr, func(ctx context.Context) error { return standIn(ctx, os.Args[2], os.Stdout) }))
	}
	os.Exit(program.Run("bench", os.Stderr, func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout) }))
}

// settings are what every part of the benchmark needs.
type settings struct {
	bin     string        // folder of the programs
	dir     string        // scratch folder
	seconds time.Duration // length of one measurement
	rounds  int           // interleaved rounds of a comparison
	short   bool
	say     io.Writer // progress
}

type part struct {
	name  string
	title string
	run   func(ctx context.Context, s settings) ([]section, error)
}

func parts() []part {
	return []part{
		{"shop", "The shop", measureShop},
		{"proxy", "The proxy", measureProxy},
		{"flip", "Flips", measureFlip},
		{"split", "The split engine", measureSplit},
		{"compare", "The comparison", measureCompare},
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	only := flags.String("part", "", "comma-separated parts: shop, proxy, flip, split, compare; all without")
	short := flags.Bool("short", false, "a quick look, written only where -o says: small seed, a tenth of the time")
	bin := flags.String("bin", "bin", "folder of the programs")
	out := flags.String("o", "", "the page in which the figures are written (default docs/benchmarks.md)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stdout)
			flags.PrintDefaults()
			return nil
		}
		return program.Fail(program.Usage, "see bench -help", "%w", err)
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return fmt.Errorf("scratch folder: %w", err)
	}
	defer os.RemoveAll(dir)
	// Caddy keeps the last configuration and its certificates in the folders of its user.
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME"} {
		if err := os.Setenv(name, dir); err != nil {
			return fmt.Errorf("scratch folder: %w", err)
		}
	}
	s := settings{bin: *bin, dir: dir, seconds: 20 * time.Second, rounds: 3, short: *short, say: os.Stderr}
	if s.short {
		s.seconds, s.rounds = 2*time.Second, 1
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	page := *out
	if page == "" && !s.short {
		page = filepath.Join("docs", "benchmarks.md")
	}
	for _, p := range chosen {
		busy := loadAverage()
		got, err := p.run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		for _, one := range got {
			one.print(stdout)
		}
		if page == "" {
			continue
		}
		if err := writePart(page, p.name, chapter(ctx, p, s.short, busy, got)); err != nil {
			return err
		}
		fmt.Fprintf(s.say, "%s: written to %s\n", p.name, page)
	}
	return nil
}

func choose(only string) ([]part, error) {
	if only == "" {
		return parts(), nil
	}
	var chosen []part
	for name := range strings.SplitSeq(only, ",") {
		at := slices.IndexFunc(parts(), func(p part) bool { return p.name == name })
		if at < 0 {
			return nil, program.Fail(program.Usage, "use shop, proxy, flip, split or compare", "there is no part %q", name)
		}
		chosen = append(chosen, parts()[at])
	}
	return chosen, nil
}
