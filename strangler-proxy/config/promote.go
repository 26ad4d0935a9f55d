package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

var promoteSection = Section{"routes.NAME.promote", "A canary moves by itself: while every check passes it gets its next step; when checks fail it goes back to the stage before and stays there until somebody moves it, or says `strangler route resume`. Nothing moves on too little traffic, while a panic lasts, or while the file is not the one in use. Each move is a changed word in this file and a line in the audit log. A group with a stage has this key instead of its routes: all of them have to pass, and one that fails is enough.", []Key{
	{Name: "steps", Type: "list of shares", Default: "`[1, 5, 25, 50, 100]`", Doc: "The shares of the canary in percent, each more than the one before."},
	{Name: "every", Type: "duration", Default: "10m", Doc: "How long a step lasts at least, and the period whose figures are judged: those since the step began, at most this long."},
	{Name: "for", Type: "duration", Default: "`every`", Doc: "How long all checks have to pass without a break before the next step."},
	{Name: "check", Type: "duration", Default: "a twentieth of `every`, at most 30s", Doc: "How often the checks are made."},
	{Name: "min_requests", Type: "number", Default: "200", Doc: "With fewer requests of the service in the period the verdict is *inconclusive*: the route stays where it is. It is also what the monolith and the compared copies need to count."},
	{Name: "threshold", Type: "number", Default: "3", Doc: "So many checks in a row have to fail before the route goes back."},
	{Name: "require", Type: "mapping", Doc: "The limits, see below."},
	{Name: "then", Type: "live", Default: "stays", Doc: "`live`: after the last step the route goes live, if nothing speaks against that."},
}}

var requireSection = Section{"routes.NAME.promote.require", "Each key is a limit such as `<= 0.5%`, or `off`. A request that the service could not answer is its error, also when the monolith then answered and the client saw nothing of it, and so is a request that its breaker refused.", []Key{
	{Name: "error_delta", Type: "limit or off", Default: "<= 0.5%", Doc: "The service's share of errors (no answer, or a status from 500 on), less the monolith's on the same route. If the monolith has too few requests in the period, its last figures count; without any it is taken to make no errors."},
	{Name: "p95_ratio", Type: "limit or off", Default: "<= 1.3", Doc: "The service's 95th percentile of the response time, divided by the monolith's. A difference within 2ms passes. Inconclusive while nothing is known of the monolith."},
	{Name: "mismatch", Type: "limit or off", Default: "<= 0.1%", Doc: "The share of the compared copies that differ. Where nothing is compared, the default is not checked; a limit that is written down waits for copies."},
	{Name: "error_rate", Type: "limit or off", Default: "off", Doc: "The service's share of errors by itself."},
	{Name: "p95", Type: "limit or off", Default: "off", Doc: "The service's 95th percentile by itself, such as `<= 300ms`."},
}}

// Limits of a promotion.
const (
	limitSteps       = 50
	limitMinRequests = 10_000_000
	limitThreshold   = 1000
	leastEvery       = time.Second
	leastCheck       = 100 * time.Millisecond
	leastExpires     = time.Second
	limitExpires     = 366 * 24 * time.Hour
)

// automate reads how a route moves by itself, unless it moves with its group.
func (c *checker) automate(r *Route, keys map[string]*yamldoc.Node, what string, in membership) {
	if in.staged {
		c.noAutomation(keys, what, fmt.Sprintf("write it at group %q (line %d)", in.Name, in.Line))
		return
	}
	r.Promote, r.Expires = c.automation(keys, what)
	if n := keys["promote"]; n != nil && keys["to"] == nil {
		c.add(n.Pos, "add to: SERVICE", "%s.promote: the route has no service to be judged", what)
	}
}

// automation reads promote and expires of a route or a group.
func (c *checker) automation(keys map[string]*yamldoc.Node, what string) (p *promote.Settings, expires time.Duration) {
	if n := keys["promote"]; n != nil {
		p = c.promote(n, what+".promote")
	}
	if n := keys["expires"]; n != nil {
		expires = c.durationUpTo(n, what+".expires", limitExpires)
		if expires < leastExpires && !c.unknown(n) {
			c.add(n.Pos, "e.g. 24h", "%s.expires must be at least %s", what, leastExpires)
		}
	}
	return p, expires
}

// noAutomation reports keys that stand where there is no stage to move.
func (c *checker) noAutomation(keys map[string]*yamldoc.Node, what, remedy string) {
	for _, name := range []string{"promote", "expires"} {
		if n := keys[name]; n != nil {
			c.add(n.Pos, remedy, "%s.%s: %s has no stage of its own", what, name, what)
		}
	}
}

func (c *checker) promote(n *yamldoc.Node, what string) *promote.Settings {
	s := promote.Default()
	s.Check = promote.CheckPeriod(s.Every)
	keys, ok := c.section(n, promoteSection, what)
	if !ok {
		return &s
	}
	if k := keys["steps"]; k != nil {
		s.Steps = c.steps(k, what+".steps")
	}
	c.pace(keys, what, &s)
	if k := keys["min_requests"]; k != nil {
		s.MinRequests = c.count(k, what+".min_requests", limitMinRequests)
	}
	if k := keys["threshold"]; k != nil {
		s.Threshold = c.count(k, what+".threshold", limitThreshold)
	}
	if k := keys["require"]; k != nil {
		c.require(k, what+".require", &s.Require)
	}
	if k := keys["then"]; k != nil {
		s.ThenLive = true
		if text := c.text(k, what+".then"); text != "" && text != route.Live.String() {
			c.add(k.Pos, "write then: live, or leave it out", "%s.then: %q is not live", what, text)
		}
	}
	return &s
}

// unknown reports whether n may have no value because a variable need not be set.
func (c *checker) unknown(n *yamldoc.Node) bool {
	return c.allowUnset && strings.Contains(n.Text, "${")
}

// pace reads the durations, which depend on each other.
func (c *checker) pace(keys map[string]*yamldoc.Node, what string, s *promote.Settings) {
	read := func(name string, into *time.Duration, least time.Duration) {
		n := keys[name]
		if n == nil {
			return
		}
		problems := len(c.problems)
		value := c.duration(n, what+"."+name)
		if value == 0 && c.unknown(n) {
			return
		}
		*into = value
		if len(c.problems) == problems && *into < least {
			c.add(n.Pos, "", "%s.%s must be at least %s", what, name, least)
		}
	}
	read("every", &s.Every, leastEvery)
	s.For, s.Check = s.Every, promote.CheckPeriod(s.Every)
	read("for", &s.For, 0)
	read("check", &s.Check, leastCheck)
	if n := keys["check"]; n != nil && s.Check > s.Every && s.Every > 0 {
		c.add(n.Pos, "", "%s.check must not be more than every, which is %s", what, s.Every)
	}
}

func (c *checker) steps(n *yamldoc.Node, what string) []int {
	const remedy = "e.g. [1, 5, 25, 50, 100]"
	if n.Kind != yamldoc.List || len(n.Items) == 0 || len(n.Items) > limitSteps {
		c.add(n.Pos, remedy, "%s must be a list of 1 to %d percentages", what, limitSteps)
		return nil
	}
	var steps []int
	for _, item := range n.Items {
		text := item.Text
		if item.Kind == yamldoc.String {
			if text = c.text(item, what); text == "" {
				continue
			}
		}
		share, err := route.ParsePercent(strings.TrimSuffix(text, "%") + "%")
		switch {
		case item.Kind != yamldoc.String && item.Kind != yamldoc.Number:
			c.add(item.Pos, remedy, "%s: %s is no percentage", what, item.Kind)
		case err != nil:
			c.add(item.Pos, remedy, "%s: %v", what, err)
		case share == 0:
			c.add(item.Pos, remedy, "%s: a step of 0%% moves nobody", what)
		case len(steps) > 0 && share <= steps[len(steps)-1]:
			c.add(item.Pos, "order them", "%s: %s does not come after %s", what, route.Percent(share), route.Percent(steps[len(steps)-1]))
		default:
			steps = append(steps, share)
		}
	}
	return steps
}

func (c *checker) require(n *yamldoc.Node, what string, r *promote.Require) {
	keys, ok := c.section(n, requireSection, what)
	if !ok {
		return
	}
	for name, limit := range map[string]**float64{"error_delta": &r.ErrorDelta, "error_rate": &r.ErrorRate, "mismatch": &r.Mismatch} {
		if k := keys[name]; k != nil {
			*limit = limitOf(c, k, what+"."+name, "<= 0.5%", shareOf)
		}
	}
	if k := keys["p95_ratio"]; k != nil {
		r.P95Ratio = limitOf(c, k, what+".p95_ratio", "<= 1.3", ratioOf)
	}
	if k := keys["p95"]; k != nil {
		r.P95 = limitOf(c, k, what+".p95", "<= 300ms", time.ParseDuration)
	}
	r.MismatchIfCompared = keys["mismatch"] == nil
}

// limitOf reads `<= VALUE` or VALUE; nil means off, or that a problem was reported.
func limitOf[T float64 | time.Duration](c *checker, n *yamldoc.Node, what, example string, parse func(string) (T, error)) *T {
	text := n.Text
	switch n.Kind {
	case yamldoc.Bool, yamldoc.Number:
	default:
		if text = c.text(n, what); text == "" {
			return nil
		}
	}
	if text == "off" || text == "false" {
		return nil
	}
	value, err := parse(strings.TrimSpace(strings.TrimPrefix(text, "<=")))
	if err != nil || value < 0 {
		c.add(n.Pos, "e.g. \""+example+"\", or off", "%s: %q is no limit", what, text)
		return nil
	}
	return &value
}

// shareOf reads "0.5%" as 0.005.
func shareOf(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	if !percent {
		return 0, fmt.Errorf("%q has no %%", text)
	}
	value, err := ratioOf(number)
	if value > 100 {
		return 0, fmt.Errorf("%q is more than 100%%", text)
	}
	return value / 100, err
}

func ratioOf(text string) (float64, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }) {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return strconv.ParseFloat(text, 64)
}

// PromotionOf says how a route moves by itself, or with its group; nil means not at all.
func (c *Config) PromotionOf(r *Route) *promote.Settings {
	if g := c.Group(r.Group); g != nil && g.Stage != 0 {
		return g.Promote
	}
	return r.Promote
}

// ExpiryOf says how long a route's canary, or its group's, lasts that nobody confirms;
// 0 means for ever.
func (c *Config) ExpiryOf(r *Route) time.Duration {
	if g := c.Group(r.Group); g != nil && g.Stage != 0 {
		return g.Expires
	}
	return r.Expires
}

// PromoteText is a promotion in the spelling of the file, with every key.
func PromoteText(s *promote.Settings) string {
	var require []string
	texts := RequireTexts(s.Require)
	for _, k := range requireSection.Keys {
		if text, ok := texts[k.Name]; ok {
			if text != "off" {
				text = strconv.Quote(text)
			}
			require = append(require, k.Name+": "+text)
		}
	}
	text := fmt.Sprintf("{ steps: [%s], every: %s, for: %s, check: %s, min_requests: %d, threshold: %d, require: { %s }",
		strings.Join(StepTexts(s), ", "), s.Every, s.For, s.Check, s.MinRequests, s.Threshold, strings.Join(require, ", "))
	if s.ThenLive {
		text += ", then: live"
	}
	return text + " }"
}

// RequireTexts are the limits by their keys, each as the file spells it: "<= 0.5%" or
// "off". One that holds only where it can be checked is left out.
func RequireTexts(r promote.Require) map[string]string {
	texts := map[string]string{
		"error_delta": limitText(r.ErrorDelta, percentText), "p95_ratio": limitText(r.P95Ratio, number),
		"error_rate": limitText(r.ErrorRate, percentText), "p95": limitText(r.P95, time.Duration.String),
	}
	if !r.MismatchIfCompared {
		texts["mismatch"] = limitText(r.Mismatch, percentText)
	}
	return texts
}

// StepTexts are the steps of a promotion: "1%", "5%".
func StepTexts(s *promote.Settings) []string {
	var steps []string
	for _, share := range s.Steps {
		steps = append(steps, route.Percent(share))
	}
	return steps
}

// percentText writes 0.001 as 0.1%, not as 0.1000000001%.
func percentText(v float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(100*v, 'f', 8, 64), "0"), ".") + "%"
}

func limitText[T any](limit *T, text func(T) string) string {
	if limit == nil {
		return "off"
	}
	return "<= " + text(*limit)
}
