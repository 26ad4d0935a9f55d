package config

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

const sizePattern = `^([0-9]{1,12})(B|KiB|MiB|GiB)$`

var (
	sizeWords = regexp.MustCompile(sizePattern)
	sizeUnits = []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
)

// size is a number of bytes with a unit, from least to most. Where 0 is allowed, it
// needs none.
func (c *checker) size(n *yamldoc.Node, what string, least, most int64) int64 {
	const remedy = "e.g. 512B, 64KiB, 1MiB"
	if n.Kind == yamldoc.Number && n.Text == "0" && least == 0 {
		return 0
	}
	if n.Kind == yamldoc.Number {
		c.add(n.Pos, "write "+n.Text+"B for bytes", "%s needs a unit", what)
		return least
	}
	text := c.text(n, what)
	if text == "" {
		return least
	}
	parts := sizeWords.FindStringSubmatch(text)
	if parts == nil {
		c.add(n.Pos, remedy, "%s: %q is no size", what, text)
		return least
	}
	value, _ := strconv.ParseInt(parts[1], 10, 64) // 12 digits fit
	for _, unit := range sizeUnits {
		if unit.name != parts[2] {
			continue
		}
		if value > most/unit.bytes || value*unit.bytes < least {
			c.add(n.Pos, "", "%s: %s is not between %s and %s", what, text, SizeText(least), SizeText(most))
			return least
		}
		value *= unit.bytes
	}
	return value
}

// SizeText is a number of bytes in the spelling of the file, with the largest unit
// that fits.
func SizeText(bytes int64) string {
	for _, unit := range sizeUnits {
		if bytes != 0 && bytes%unit.bytes == 0 {
			return strconv.FormatInt(bytes/unit.bytes, 10) + unit.name
		}
	}
	return "0"
}

func (c *checker) boolean(n *yamldoc.Node, what string) bool {
	if n.Kind != yamldoc.Bool {
		c.add(n.Pos, "", "%s must be true or false, this is %s", what, n.Kind)
	}
	return n.Kind == yamldoc.Bool && strings.EqualFold(n.Text, "true")
}
