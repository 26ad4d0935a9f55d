package strangler

import (
	"slices"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// limitNext is how many commands a status names.
const limitNext = 3

// next names the sensible commands in this state: first those about what is wrong, then
// how routes would go on, the ones that have been on their way for longest first.
func next(st admin.Status, cfg *config.Config) []string {
	at := " --config " + st.Config.Path
	switch {
	case st.Config.State == "rejected":
		return []string{"strangler config check" + at}
	case st.Panic != "":
		return []string{"strangler route panic --end" + at}
	}
	var wrong, begun, waiting []string
	for i := range st.Routes {
		r, of := &st.Routes[i], cfg.Route(st.Routes[i].Name)
		if of == nil { // the status is a moment older
			continue
		}
		move := "strangler route set " + cfg.Mover(of) + " "
		switch {
		case r.Automation != nil && (r.Automation.Frozen != "" || r.Automation.Problem != ""):
			wrong = append(wrong, "strangler route show "+r.Name+at)
		case r.Copies != nil && r.Copies.Mismatched > 0:
			wrong = append(wrong, "strangler route mismatches "+r.Name+at)
		case r.Fallbacks > 0 && of.Stage == route.Live:
			wrong = append(wrong, move+"monolith"+at)
		case of.Stage <= route.Monolith && r.To != "":
			waiting = append(waiting, move+quoted(cfg.Forward(of))+at)
		case mayGoOn(st, r, of, cfg):
			begun = append(begun, move+quoted(of.Stage.Next())+at)
		}
	}
	steps := []string{}
	for _, step := range slices.Concat(wrong, begun, waiting) {
		if len(steps) < limitNext && !slices.Contains(steps, step) { // a group's routes move with one
			steps = append(steps, step)
		}
	}
	return steps
}

// mayGoOn reports whether a route in shadow or in a canary has shown enough for its next
// stage, and nobody moves it without being told.
func mayGoOn(st admin.Status, r *admin.Route, of *config.Route, cfg *config.Config) bool {
	if of.Stage <= route.Monolith || of.Stage >= route.Live || r.Automation != nil && r.Automation.Promotes || r.Fallbacks > 0 {
		return false
	}
	evidence := st.Evidence(r.Name)
	return evidence.Compared >= cfg.Guard.Limits.Compared && len(cfg.Objections(of, of.Stage.Next(), evidence)) == 0
}

// quoted is a stage as a shell takes it for one word.
func quoted(s route.Stage) string {
	if s.IsCanary() {
		return "'" + s.String() + "'"
	}
	return s.String()
}
