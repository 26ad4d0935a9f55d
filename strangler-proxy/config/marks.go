package config

import (
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// Marks say which clients are told who answered them.
type Marks int

// The zero value is what a file without a word about it means.
const (
	MarksAuto Marks = iota // whoever the admin address would let in
	MarksOn                // everybody
	MarksOff               // nobody
)

// Text is the value in the spelling of the file.
func (m Marks) Text() string {
	switch m {
	case MarksOn:
		return "true"
	case MarksOff:
		return "false"
	}
	return "auto"
}

func (c *checker) marks(n *yamldoc.Node) Marks {
	switch {
	case n.Kind == yamldoc.String && n.Text == "auto":
		return MarksAuto
	case n.Kind == yamldoc.Bool && strings.EqualFold(n.Text, "true"):
		return MarksOn
	case n.Kind == yamldoc.Bool && strings.EqualFold(n.Text, "false"):
		return MarksOff
	}
	c.add(n.Pos, "write true, false or auto", "marks must be true, false or auto, this is %s", n.Kind)
	return MarksAuto
}
