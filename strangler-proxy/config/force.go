package config

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// forceSection is a constant in all but name.
var forceSection = Section{"force", "Who may choose the side of their own requests, see below. Without it nobody may.", []Key{
	{Name: "cidrs", Type: "list of cidrs", Doc: "The addresses of clients that may."},
	{Name: "secret", Type: "variable", Doc: "A variable such as `${FORCE_SECRET}`, whose value lets any client that knows it. It has 16 characters or more."},
}}

// A Force is who may choose the side of their own requests, as the file says it.
type Force struct {
	CIDRs  []netip.Prefix
	Secret string // the expression, such as ${FORCE_SECRET}; never the secret
}

const minSecret = 16

var onlyVariable = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*(:\?[^}]*)?\}$`)

// force reads the section into the file's form and the one that decides.
func (c *checker) force(n *yamldoc.Node, cfg *Config) route.Force {
	keys, ok := c.section(n, forceSection, "force")
	if !ok {
		return route.Force{}
	}
	list, s := keys["cidrs"], keys["secret"]
	if list == nil && s == nil {
		c.add(n.Pos, "name cidrs or a secret, or remove it", "force trusts nobody")
	}
	if list != nil {
		if list.Kind != yamldoc.List || len(list.Items) == 0 {
			c.add(list.Pos, "e.g. [127.0.0.0/8]", "force.cidrs must be a list of addresses")
		}
		for _, item := range list.Items {
			cfg.Force.CIDRs = append(cfg.Force.CIDRs, c.cidr(item, "force.cidrs"))
		}
	}
	secret := ""
	if s != nil {
		cfg.Force.Secret = s.Text
		secret = c.secret(s, "force.secret")
	}
	return route.NewForce(cfg.Force.CIDRs, secret)
}

// secret reads a text that must not stand in the file itself.
func (c *checker) secret(n *yamldoc.Node, what string) string {
	const remedy = "write a variable such as ${FORCE_SECRET}"
	switch {
	case n.Kind != yamldoc.String:
		c.add(n.Pos, remedy, "%s must be a text, this is %s", what, n.Kind)
		return ""
	case !onlyVariable.MatchString(n.Text):
		c.add(n.Pos, remedy, "%s stands in the file, where everybody sees it", what)
		return ""
	}
	text := c.text(n, what)
	switch {
	case text == "":
	case len(text) < minSecret:
		c.add(n.Pos, "", "%s is shorter than %d characters", what, minSecret)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`";,\`, r) }):
		c.add(n.Pos, "use letters and digits", "%s holds a character that a cookie cannot hold", what)
	}
	return text
}
