package config

import (
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// panic reads why every route shall be on the monolith. Who writes it is in a hurry, so
// it is lenient: true will do as a reason, false means no panic, and ${NAME} is no
// variable, because reasons hold anything.
func (c *checker) panic(n *yamldoc.Node) string {
	switch {
	case n.Kind == yamldoc.Bool && strings.EqualFold(n.Text, "false"):
		return ""
	case n.Kind == yamldoc.Bool, n.Kind == yamldoc.String && strings.TrimSpace(n.Text) != "":
		return n.Text
	}
	c.add(n.Pos, `write panic: "why", or take the line out`, "panic must say why all routes are on the monolith, this is %s", n.Kind)
	return ""
}
