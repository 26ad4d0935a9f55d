package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
)

// A screen shows how a run goes below everything else that is written: on a terminal a few
// lines that are drawn anew, elsewhere a line of keys and values now and then. It is safe
// for concurrent use, and is an io.Writer for the log.
type screen struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	drawn []string // the lines that stand below

	begun, shown time.Time
	doing        string // when it was last shown
}

func newScreen(out io.Writer, term string) *screen {
	return &screen{out: out, terminal: program.IsTerminal(out) && term != "dumb"}
}

// Write writes above what is drawn.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.drawn
	s.erase()
	n, err := s.out.Write(p)
	s.draw(lines)
	return n, err
}

// settle leaves what is drawn where it is.
func (s *screen) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = nil
}

func (s *screen) erase() {
	if len(s.drawn) > 0 {
		fmt.Fprint(s.out, strings.Repeat("\x1b[1A\x1b[2K", len(s.drawn)))
	}
	s.drawn = nil
}

// draw keeps a narrow terminal from breaking lines: what is drawn is erased by the line.
func (s *screen) draw(lines []string) {
	for _, line := range lines {
		fmt.Fprint(s.out, "\x1b[?7l"+line+"\x1b[?7h\n")
	}
	s.drawn = lines
}

// progress is for RunOptions.Watch.
func (s *screen) progress() func(split.Live) {
	return func(l split.Live) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.terminal {
			s.erase()
			s.draw(bars(l))
			return
		}
		if s.due(l) {
			fmt.Fprintln(s.out, keyValues(l))
		}
	}
}

// due says when a line is worth it: when something else is done, and else every five
// seconds in the first minute and every thirty after that.
func (s *screen) due(l split.Live) bool {
	if s.begun.IsZero() {
		s.begun = l.At
	}
	every := 30 * time.Second
	if l.At.Sub(s.begun) < time.Minute {
		every = 5 * time.Second
	}
	doing := l.Doing + l.Waiting + l.Throttled
	if doing == s.doing && l.At.Sub(s.shown) < every {
		return false
	}
	s.doing, s.shown = doing, l.At
	return true
}

// keyValues is a line for logs.
func keyValues(l split.Live) string {
	return fmt.Sprintf("state=%s table=%q rows=%d total=%d percent=%s rate=%d/s eta=%s applied=%d pending=%d lag_p50=%s lag_p99=%s dirty=%d throttled=%q waiting=%q",
		strings.ReplaceAll(l.Doing, " ", "-"), dash(l.Table), l.Rows, l.Total, percent(l.Percent, l.Guess), l.Rate, eta(l), l.Applied, l.Pending,
		lag(l.LagP50, l.LagOf), lag(l.LagP99, l.LagOf), l.Dirty, l.Throttled, l.Waiting)
}

// barWidth is how many signs a bar has.
const barWidth = 24

// mostBars is how many there are at once: what has left the screen cannot be erased.
const mostBars = 10

// bars are the lines for a terminal: one a table while rows are copied, and one below. Of
// many tables those that are not copied come first.
func bars(l split.Live) []string {
	if l.Percent == 100 {
		return []string{fit(summary(l))}
	}
	tables, more := l.Tables, ""
	if len(tables) > mostBars {
		tables = slices.DeleteFunc(slices.Clone(tables), func(t split.TableLive) bool { return t.Copied })
		if left := len(tables) - mostBars; left > 0 {
			tables, more = tables[:mostBars], "and "+count(left, "table")+" more; "
		}
	}
	var lines []string
	for _, t := range tables {
		full := min(barWidth, int(max(0, t.Percent)/100*barWidth))
		of := ""
		if !t.Copied {
			of = fmt.Sprintf(" of about %d", t.Total)
		}
		lines = append(lines, fit(fmt.Sprintf("%-16s [%s%s] %7s  %d%s rows", t.Name, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), percent(t.Percent, t.Guess), t.Rows, of)))
	}
	return append(lines, fit(more+summary(l)))
}

// fit cuts a line to what most terminals have.
func fit(line string) string {
	const width = 79
	signs := []rune(strings.ReplaceAll(line, "\n", " "))
	if len(signs) > width {
		return string(signs[:width-1]) + "…"
	}
	return string(signs)
}

// summary is how a run goes in a line.
func summary(l split.Live) string {
	s := l.Doing
	if l.Table != "" {
		s += " " + l.Table
	}
	if l.Percent != 100 {
		s += " " + percent(l.Percent, l.Guess)
	}
	if l.Rate > 0 {
		s += fmt.Sprintf(", %d rows/s", l.Rate)
	}
	if l.ETA > 0 {
		s += ", about " + l.ETA.String() + " left"
	}
	s += fmt.Sprintf("; %d pending, lag %s (p99 %s), %d to compare", l.Pending, lag(l.LagP50, l.LagOf), lag(l.LagP99, l.LagOf), l.Dirty)
	for _, why := range []string{l.Throttled, l.Waiting} {
		if why != "" {
			s += "; " + why
		}
	}
	return s
}

// percent marks a guess as one.
func percent(p float64, guess bool) string {
	switch {
	case p < 0:
		return "unknown"
	case guess:
		return fmt.Sprintf("≈%.1f%%", p)
	}
	return fmt.Sprintf("%.1f%%", p)
}

func eta(l split.Live) string {
	if l.ETA == 0 {
		return "-"
	}
	return l.ETA.String()
}

// lag is one of so many changes; without any there is none.
func lag(d time.Duration, of int) string {
	if of == 0 {
		return "-"
	}
	return d.Round(100 * time.Microsecond).String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
