package config

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// A Fallback says after which failures of a service the monolith may answer.
type Fallback struct {
	Causes
	Twice
	Max Budget // of all routes together
}

// Twice are methods that the monolith may be asked with although the service may have
// acted: whoever lists them says that twice comes to the same as once.
type Twice struct{ Put, Delete bool }

// May reports whether a method is among them.
func (t Twice) May(method []byte) bool {
	return t.Put && string(method) == http.MethodPut || t.Delete && string(method) == http.MethodDelete
}

// Methods lists them.
func (t Twice) Methods() []string {
	list := []string{}
	if t.Put {
		list = append(list, http.MethodPut)
	}
	if t.Delete {
		list = append(list, http.MethodDelete)
	}
	return list
}

// Causes are failures of a service after which something else may be tried.
type Causes struct {
	Connect, Reset, Timeout bool
	statuses                [100]bool // 500 to 599
}

// Status reports whether an answer with this status is among them.
func (f *Causes) Status(status int) bool {
	return status >= 500 && status < 600 && f.statuses[status-500]
}

// None reports whether there is no cause at all.
func (f *Causes) None() bool { return *f == Causes{} }

func defaultFallback() Fallback {
	f := Fallback{Causes: Causes{Connect: true, Reset: true, Timeout: true}, Max: Budget{Count: DefaultFallbackMax}}
	for _, s := range []int{501, 502, 503, 504} {
		f.statuses[s-500] = true
	}
	return f
}

// Words lists the causes in the spelling of the file.
func (f *Causes) Words() []string {
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

// fallback reads a route's fallback, `off` or a mapping, over the one of every route.
func (c *checker) fallback(n *yamldoc.Node, what string, f *Fallback) {
	if isOff(n) {
		f.Causes, f.Twice = Causes{}, Twice{}
		return
	}
	keys, _ := c.section(n, routeFallbackSection, what)
	c.fallbackKeys(keys, what, f)
}

// fallbackKeys reads what the fallback of a route and that of every route have in common.
func (c *checker) fallbackKeys(keys map[string]*yamldoc.Node, what string, f *Fallback) {
	if on := keys["on"]; on != nil {
		f.Causes = c.causes(on, what+".on", "e.g. [connect, 502-504]")
	}
	if twice := keys["twice"]; twice != nil {
		f.Twice = c.twice(twice, what+".twice")
	}
}

func (c *checker) twice(n *yamldoc.Node, what string) (t Twice) {
	if n.Kind != yamldoc.List {
		c.add(n.Pos, "e.g. [PUT, DELETE]", "%s must be a list, this is %s", what, n.Kind)
		return t
	}
	for _, item := range n.Items {
		switch item.Text {
		case http.MethodPut:
			t.Put = true
		case http.MethodDelete:
			t.Delete = true
		default:
			c.add(item.Pos, "PUT and DELETE may be listed: doing them twice comes to the same as once; those that only read need not be", "%q in %s", item.Text, what)
		}
	}
	return t
}

func isOff(n *yamldoc.Node) bool {
	return n.Kind != yamldoc.Map && (n.Text == "off" || n.Text == "false")
}

func (c *checker) causes(n *yamldoc.Node, what, remedy string) Causes {
	var f Causes
	if n.Kind != yamldoc.List {
		c.add(n.Pos, remedy, "%s must be a list, this is %s", what, n.Kind)
		return f
	}
	for _, item := range n.Items {
		c.cause(item, what, &f)
	}
	return f
}

func (c *checker) cause(n *yamldoc.Node, what string, f *Causes) {
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
		c.add(n.Pos, yamldoc.DidYouMean(n.Text, []string{"connect", "reset", "timeout"}), "unknown cause %q in %s", orNothing(n), what)
		return
	}
	if from < 500 || to > 599 || from > to {
		c.add(n.Pos, "a status from 500 to 599, or a range such as 502-504", "%s in %s", n.Text, what)
		return
	}
	for s := from; s <= to; s++ {
		f.statuses[s-500] = true
	}
}
