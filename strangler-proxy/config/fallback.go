package config

import (
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/yamldoc"
)

// A Fallback says after which failures of a service the monolith may answer.
type Fallback struct {
	Connect, Reset, Timeout bool
	statuses                [100]bool // 500 to 599
	Max                     Budget
}

// Status reports whether the monolith may answer in place of this status.
func (f *Fallback) Status(status int) bool {
	return status >= 500 && status < 600 && f.statuses[status-500]
}

func defaultFallback() Fallback {
	f := Fallback{Connect: true, Reset: true, Timeout: true, Max: Budget{Count: DefaultFallbackMax}}
	for _, s := range []int{501, 502, 503, 504} {
		f.statuses[s-500] = true
	}
	return f
}

// Words lists the causes in the spelling of the file.
func (f *Fallback) Words() []string {
	var words []string
	for _, w := range []struct {
		on   bool
		word string
	}{{f.Connect, "connect"}, {f.Reset, "reset"}, {f.Timeout, "timeout"}} {
		if w.on {
			words = append(words, w.word)
		}
	}
	for i, on := range f.statuses {
		if on {
			words = append(words, strconv.Itoa(500+i))
		}
	}
	return words
}

func (c *checker) fallback(n *yamldoc.Node) Fallback {
	var f Fallback
	if n.Kind != yamldoc.List {
		c.add(n.Pos, "e.g. [connect, 502-504]", "defaults.fallback.on must be a list, this is %s", n.Kind)
		return f
	}
	for _, item := range n.Items {
		c.cause(item, &f)
	}
	return f
}

func (c *checker) cause(n *yamldoc.Node, f *Fallback) {
	switch n.Text {
	case "connect":
		f.Connect = true
		return
	case "reset":
		f.Reset = true
		return
	case "timeout":
		f.Timeout = true
		return
	}
	low, high, ranged := strings.Cut(n.Text, "-")
	from, err := strconv.Atoi(low)
	to := from
	if ranged && err == nil {
		to, err = strconv.Atoi(high)
	}
	if err != nil {
		c.add(n.Pos, yamldoc.DidYouMean(n.Text, []string{"connect", "reset", "timeout"}), "unknown cause %q in defaults.fallback.on", orNothing(n))
		return
	}
	if from < 500 || to > 599 || from > to {
		c.add(n.Pos, "a status from 500 to 599, or a range such as 502-504", "%s in defaults.fallback.on", n.Text)
		return
	}
	for s := from; s <= to; s++ {
		f.statuses[s-500] = true
	}
}
