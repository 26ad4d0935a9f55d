package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/strangler-proxy/compared"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// A standing is what is known of comparisons of a route that moves on.
type standing struct {
	Route string `json:"route"`
	*compared.Entry
	Warning string `json:"warning,omitempty"`
}

func (f *steerFlags) addCompared(cmd *cobra.Command) {
	f.compared = cmd.Flags().String("compared", "", "file that knows how the last comparison of each route ended (default CONFIG.compared.json)")
}

// noteCompared remembers what a comparison says about the routes.
func (t *tool) noteCompared(file string, r *report.Report) error {
	cfg, err := t.read()
	if err != nil {
		return err
	}
	return compared.Note(cmp.Or(file, compared.Path(t.config)), cfg, r)
}

// standings tells of each route that r moves further towards its service how it compared,
// and names the command that compares those about which too little is known. It is after
// the move that the command says something: only then does the service answer.
func (t *tool) standings(cmd *cobra.Command, f steerFlags, r *steer.Result) (list []standing, command string) {
	if f.compared == nil {
		return nil, ""
	}
	moving := movingOn(r)
	if len(moving) == 0 {
		return nil, ""
	}
	known, err := compared.Read(cmp.Or(*f.compared, compared.Path(t.config)))
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: how the routes compared is not known: %v\n", err)
		return nil, ""
	}
	var again []string
	for _, name := range moving {
		s := standingOf(known, r.After.Route(name))
		if s.Warning != "" {
			again = append(again, name)
		}
		list = append(list, s)
	}
	if len(again) > 0 {
		command = t.compareAgain(r.After, again, known.Command)
	}
	return list, command
}

// movingOn lists the routes that go forward to a stage at which clients get the service's
// answers.
func movingOn(r *steer.Result) (names []string) {
	for _, c := range r.Changes {
		if c.To > c.From && c.To > route.Shadow {
			names = append(names, c.Routes...)
		}
	}
	return names
}

func standingOf(known *compared.File, r *config.Route) standing {
	s := standing{Route: r.Name}
	e, ok := known.Routes[r.Name]
	if !ok {
		s.Warning = r.Name + " was never compared with its service"
		return s
	}
	s.Entry = &e
	switch {
	case e.Definition != compared.Definition(r):
		s.Warning = r.Name + " has changed since it was compared"
	case e.Verdict != report.Same:
		s.Warning = fmt.Sprintf("the last comparison of %s was not the same", r.Name)
	case e.Worse > 0:
		s.Warning = fmt.Sprintf("the last comparison of %s had tests that ended worse than before", r.Name)
	}
	return s
}

// compareAgain is the command that compares routes once they have moved. What is known of
// the user's suite is how it was run the last time.
func (t *tool) compareAgain(cfg *config.Config, names, suite []string) string {
	scheme := "http://"
	if len(cfg.Front.TLS) > 0 {
		scheme = "https://"
	}
	command := t.command("compare", "run", "--before", cfg.Monolith.URLs[0].String(), "--after", scheme+reachable(cfg.Listen), "--require-routes", strings.Join(names, ",")) + " --"
	if len(suite) == 0 {
		return command + " TEST COMMAND"
	}
	for _, w := range suite {
		command += " " + quote(w)
	}
	return command
}

func printStandings(out io.Writer, list []standing) {
	for _, s := range list {
		of := ""
		if len(list) > 1 {
			of = " " + s.Route
		}
		if s.Entry != nil {
			fmt.Fprintf(out, "compared%s: %s\n", of, entryText(s.Entry))
		}
		if s.Warning != "" {
			fmt.Fprintf(out, "warning: %s\n", s.Warning)
		}
	}
}

// entryText is "2026-11-25 14:02, same, 12 exchanges (3 errors)".
func entryText(e *compared.Entry) string {
	text := fmt.Sprintf("%s, %s", e.When.Local().Format("2006-01-02 15:04"), e.Verdict)
	if e.Findings > 0 {
		text += fmt.Sprintf(" (%s)", count(e.Findings, "finding"))
	}
	text += fmt.Sprintf(", %s (%s)", count(e.Exchanges, "exchange"), count(e.Errors, "error"))
	if e.Service < e.Exchanges {
		text += fmt.Sprintf(", %d by the service", e.Service)
	}
	if e.Worse > 0 {
		text += fmt.Sprintf("; %s of the suite ended worse", count(e.Worse, "test"))
	}
	return text
}
