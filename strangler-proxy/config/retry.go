package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// A Retry says when a service is asked once more before anybody else is.
type Retry struct {
	On     Causes
	Max    int // further tries of one request; 0 means none
	Budget int // percent of the service's requests that may be tried again
}

// DefaultRetryBudget is the share of requests that are tried again at most.
const DefaultRetryBudget = 20

const limitRetries = 10

func defaultRetry() Retry {
	return Retry{On: Causes{Connect: true, Reset: true}, Budget: DefaultRetryBudget}
}

const retryDoc = "A request that only reads (GET, HEAD, OPTIONS) may be tried again at the service before the monolith is asked, as long as no byte of a response has gone to the client: at another instance at once, at the same one after a short pause that grows. While the service's breaker is not closed nothing is tried again. "

// The sections of both places are constants in all but name.
var (
	retrySection      = Section{"defaults.retry", retryDoc + "A request that one instance did not take, so that nothing was sent, is passed on to the next one whatever its method and whatever stands here; the log counts that as a retry, the budget does not. One that only reads and was sent over a kept connection, which then ended without a word, is sent once more over a new one, also without any of this: mostly the service had closed it at that moment. Log and budget count that as a retry.", retryKeys("0", "`[connect, reset]`", "20%")}
	routeRetrySection = Section{"routes.NAME.retry", retryDoc + "What is not said here is as in `defaults.retry`.", retryKeys("`defaults.retry`", "`defaults.retry`", "`defaults.retry`")}
)

func retryKeys(most, on, budget string) []Key {
	return []Key{
		{Name: "max", Type: "number", Default: most, Doc: "So many further tries for one request, at most 10. `0`: none."},
		{Name: "on", Type: "list", Default: on, Doc: "What is tried again: `connect`, `reset`, `timeout` (see `try_timeout`), or a status or a range from 500 to 599."},
		{Name: "budget", Type: "percentage", Default: budget, Doc: "At most this share of the service's requests of the last 10 s is tried again, so that retries do not bring a weak service down. 3 are allowed always."},
	}
}

// retry reads `off` or a mapping over what r holds.
func (c *checker) retry(n *yamldoc.Node, s Section, what string, r *Retry) {
	if s.Path == routeRetrySection.Path && isOff(n) {
		r.Max = 0
		return
	}
	keys, _ := c.section(n, s, what)
	if k := keys["max"]; k != nil {
		r.Max = c.retries(k, what+".max")
	}
	if k := keys["on"]; k != nil {
		r.On = c.causes(k, what+".on", "e.g. [connect, reset]")
	}
	if k := keys["budget"]; k != nil {
		r.Budget = c.percentage(k, what+".budget")
	}
}

func (c *checker) retries(n *yamldoc.Node, what string) int {
	number, err := strconv.Atoi(n.Text)
	if n.Kind != yamldoc.Number || err != nil || number < 0 || number > limitRetries {
		c.add(n.Pos, "", "%s must be a whole number from 0 to %d", what, limitRetries)
	}
	return number
}

func (c *checker) percentage(n *yamldoc.Node, what string) int {
	if n.Kind == yamldoc.Number {
		c.add(n.Pos, "write "+n.Text+"%", "%s must be a percentage", what)
		return 0
	}
	text := c.text(n, what)
	if text == "" {
		return 0
	}
	number, percent := strings.CutSuffix(text, "%")
	value, err := strconv.Atoi(number)
	if err != nil || !percent || value < 1 || value > 100 {
		c.add(n.Pos, "e.g. 20%", "%s: %q is not a percentage between 1%% and 100%%", what, text)
	}
	return value
}

// BudgetText is the budget in the spelling of the file.
func (r *Retry) BudgetText() string { return strconv.Itoa(r.Budget) + "%" }

// Text is the retry in the spelling of the file.
func (r *Retry) Text() string {
	return fmt.Sprintf("{ max: %d, on: [%s], budget: %s }", r.Max, strings.Join(r.On.Words(), ", "), r.BudgetText())
}

// Waits are the times that a response may take to begin; 0 means no limit.
type Waits struct {
	Timeout  time.Duration // of the service, with all its tries
	Try      time.Duration // of one try
	Deadline time.Duration // of everybody who is asked, the monolith in its place included
}

// Keys of several sections.
const (
	tryTimeoutDoc = "How long one try of the service may take, see `retry`; the rest of `timeout` is left for others. `0s` means no limit but `timeout`."
	deadlineDoc   = "How long anything may take, retries and the monolith's answer in place of the service included, until the response begins: then the client gets 504, or 408 if it has not sent its request by then. `0s` means no limit."
)

// waits reads what stands in keys about times.
func (c *checker) waits(keys map[string]*yamldoc.Node, what string, w *Waits) {
	for _, k := range []struct {
		name string
		to   *time.Duration
	}{{"timeout", &w.Timeout}, {"try_timeout", &w.Try}, {"deadline", &w.Deadline}} {
		if n := keys[k.name]; n != nil {
			*k.to = c.duration(n, what+"."+k.name)
		}
	}
}

// WaitsText is what is limited beyond the timeout, in the spelling of the file.
func (w Waits) WaitsText() string {
	var b strings.Builder
	if w.Try > 0 {
		fmt.Fprintf(&b, ", try_timeout: %s", w.Try)
	}
	if w.Deadline > 0 {
		fmt.Fprintf(&b, ", deadline: %s", w.Deadline)
	}
	return b.String()
}
