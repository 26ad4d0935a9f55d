package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// stickyTexts are the keys of a canary as the file spells them.
func stickyTexts(s route.Sticky) []string {
	all := []string{}
	for _, k := range s {
		all = append(all, k.String())
	}
	return all
}

func cohortTexts(r config.Route) []string {
	all := []string{}
	for _, c := range r.Cohorts {
		all = append(all, config.CohortText(c))
	}
	return all
}

func dataText(r config.Route) string {
	if r.Data == route.DataNone {
		return "none"
	}
	return ""
}

// addStages adds what the stage of a route depends on.
func addStages(view map[string]any, r config.Route) map[string]any {
	view["group"], view["split"], view["data"] = r.Group, r.Split, dataText(r)
	view["sticky"], view["cohorts"] = stickyTexts(r.Sticky), cohortTexts(r)
	view["promote"], view["expires"] = promoteValue(r.Promote), expiresValue(r.Expires)
	return view
}

func groupsValue(cfg *config.Config) map[string]any {
	groups := map[string]any{}
	for _, g := range cfg.Groups {
		sticky := g.Sticky
		if sticky == nil {
			sticky = cfg.Sticky
		}
		groups[g.Name] = map[string]any{"routes": g.Routes, "stage": g.Stage, "split": g.Split, "sticky": stickyTexts(sticky), "promote": promoteValue(g.Promote), "expires": expiresValue(g.Expires)}
	}
	return groups
}

// forceValue never holds the secret, only where it comes from.
func forceValue(cfg *config.Config) map[string]any {
	return map[string]any{"cidrs": cidrTexts(cfg), "secret": cfg.Force.Secret}
}

func cidrTexts(cfg *config.Config) []string {
	all := []string{}
	for _, p := range cfg.Force.CIDRs {
		all = append(all, p.String())
	}
	return all
}

// stagesYAML are the sections about groups and force, if there are any.
func stagesYAML(cfg *config.Config) string {
	var b strings.Builder
	var parts []string
	for _, cidr := range cidrTexts(cfg) {
		parts = append(parts, fmt.Sprintf("%q", cidr))
	}
	force := ""
	if len(parts) > 0 {
		force = "cidrs: [" + strings.Join(parts, ", ") + "]"
	}
	if cfg.Force.Secret != "" {
		force = strings.TrimPrefix(force+", ", ", ") + fmt.Sprintf("secret: %q", cfg.Force.Secret)
	}
	if force != "" {
		fmt.Fprintf(&b, "force: { %s }\n", force)
	}
	if len(cfg.Groups) > 0 {
		fmt.Fprint(&b, "groups:\n")
	}
	for _, g := range cfg.Groups {
		fmt.Fprintf(&b, "  %s: { routes: [%s]", g.Name, strings.Join(g.Routes, ", "))
		if g.Stage != 0 {
			fmt.Fprintf(&b, ", stage: %s", g.Stage)
		}
		if g.Split != "" {
			fmt.Fprintf(&b, ", split: %s", g.Split)
		}
		if g.Sticky != nil {
			fmt.Fprintf(&b, ", sticky: %s", config.StickyText(g.Sticky))
		}
		for _, part := range automationYAML(g.Promote, g.Expires) {
			fmt.Fprint(&b, ", "+part)
		}
		fmt.Fprint(&b, " }\n")
	}
	return b.String()
}

// stageYAML is what a route says about its stage: its group may say it instead.
func stageYAML(cfg *config.Config, r config.Route) string {
	var parts []string
	group := cfg.Group(r.Group)
	if group == nil || group.Stage == 0 {
		parts = append(parts, "stage: "+r.Stage.String())
	}
	if data := dataText(r); data != "" {
		parts = append(parts, "data: "+data)
	}
	if len(r.Cohorts) > 0 {
		parts = append(parts, "cohorts: [ "+strings.Join(cohortTexts(r), ", ")+" ]")
	}
	if group == nil && !slices.Equal(r.Sticky, cfg.Sticky) {
		parts = append(parts, "sticky: "+config.StickyText(r.Sticky))
	}
	parts = append(parts, automationYAML(r.Promote, r.Expires)...)
	text := strings.Join(parts, ", ")
	if text != "" {
		text += ", "
	}
	return text
}
