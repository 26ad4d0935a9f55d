package plan

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}?`)

// Expand replaces ${NAME} and ${NAME:-default} in text by what lookup knows of NAME, and
// says what is wrong with each that it cannot replace. What a variable holds is never part
// of that: it may be a password.
func Expand(text string, lookup func(string) (string, bool)) (expanded string, problems []string) {
	expanded = variable.ReplaceAllStringFunc(text, func(match string) string {
		parts := variable.FindStringSubmatch(match)
		name := parts[1]
		if name == "" {
			problems = append(problems, match+" is no variable: write ${NAME} or ${NAME:-default}")
			return ""
		}
		if value, set := lookup(name); set && value != "" {
			return value
		}
		if !strings.Contains(match, ":-") {
			problems = append(problems, "environment variable "+name+" is not set")
		}
		return parts[2]
	})
	return expanded, problems
}

// text is the text of n with its variables expanded. It is empty after a problem was
// reported.
func (c *checker) text(n *yamldoc.Node, what string) string {
	if n.Kind != yamldoc.String {
		c.add(n.Pos, "", "%s must be a text, this is %s", what, n.Kind)
		return ""
	}
	text, problems := Expand(n.Text, c.lookup)
	for _, problem := range problems {
		c.add(n.Pos, "", "%s: %s", what, problem)
	}
	if len(problems) > 0 {
		return ""
	}
	if strings.TrimSpace(text) == "" {
		c.add(n.Pos, "", "%s is empty", what)
		return ""
	}
	return text
}

func (c *checker) boolean(n *yamldoc.Node, what string) bool {
	if n.Kind != yamldoc.Bool {
		c.add(n.Pos, "", "%s must be true or false, this is %s", what, n.Kind)
	}
	return n.Text == "true"
}

func (c *checker) names(n *yamldoc.Node, what string) []string {
	if n.Kind != yamldoc.List {
		c.add(n.Pos, "", "%s must be a list, this is %s", what, n.Kind)
		return nil
	}
	var names []string
	for _, item := range n.Items {
		name := c.text(item, what)
		if name != "" && slices.Contains(names, name) {
			c.add(item.Pos, "", "%s: %q stands there twice", what, name)
		}
		names = append(names, name)
	}
	return names
}

func (c *checker) limits(n *yamldoc.Node, l *Limits) {
	duration := func(to *time.Duration, name string, least, most time.Duration) func(*yamldoc.Node) {
		return func(n *yamldoc.Node) { *to = c.duration(n, name, least, most) }
	}
	c.object(n, "limits", nil, map[string]func(*yamldoc.Node){
		"chunk":  duration(&l.Chunk, "chunk", time.Millisecond, time.Second),
		"fence":  duration(&l.Fence, "fence", time.Millisecond, time.Minute),
		"hold":   duration(&l.Hold, "hold", 10*time.Millisecond, time.Minute),
		"window": duration(&l.Window, "window", 0, 365*24*time.Hour),
		"quiet":  duration(&l.Quiet, "quiet", 0, 365*24*time.Hour),
		"stale":  duration(&l.Stale, "stale", time.Second, 30*24*time.Hour),
		"dirty":  func(n *yamldoc.Node) { l.Dirty = c.count(n, "dirty") },
		"disk":   func(n *yamldoc.Node) { l.Disk = c.size(n, "disk") },
	})
}

func (c *checker) duration(n *yamldoc.Node, what string, least, most time.Duration) time.Duration {
	if n.Kind == yamldoc.Number {
		c.add(n.Pos, "write "+n.Text+"s for seconds", "%s needs a unit", what)
		return 0
	}
	text := c.text(n, what)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		c.add(n.Pos, "e.g. 20ms, 5s, 168h", "%s: %q is no duration", what, text)
	case d < least || d > most:
		c.add(n.Pos, "", "%s: %s is not between %s and %s", what, text, least, most)
	}
	return d
}

func (c *checker) count(n *yamldoc.Node, what string) int64 {
	count, err := strconv.ParseInt(n.Text, 10, 64)
	if n.Kind != yamldoc.Number || err != nil || count < 0 {
		c.add(n.Pos, "", "%s must be a number that is not negative", what)
	}
	return count
}

var size = regexp.MustCompile(`^(\d+)\s*(B|KiB|MiB|GiB|TiB)$`)

func (c *checker) size(n *yamldoc.Node, what string) int64 {
	if n.Kind == yamldoc.Number && n.Text == "0" {
		return 0
	}
	parts := size.FindStringSubmatch(n.Text)
	if parts == nil {
		c.add(n.Pos, "e.g. 256MiB", "%s: %q is no size", what, n.Text)
		return 0
	}
	shift := map[string]int{"B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}[parts[2]]
	count, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || count > math.MaxInt64>>shift {
		c.add(n.Pos, "", "%s: %q is too large", what, n.Text)
		return 0
	}
	return count << shift
}
