package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

type difference struct {
	Requests string  `json:"requests"` // the match that they share
	Example  string  `json:"example"`
	Old      decided `json:"old"`
	New      decided `json:"new"`
	Why      string  `json:"why"`
}

type decided struct {
	Owner string `json:"owner"` // "orders or monolith" when it depends on the client
	Share string `json:"share"` // of the clients that the service answers
	Route string `json:"route"`
	Stage string `json:"stage"`
}

func (t *tool) configDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say which requests change their owner between two files",
		Long: "Compare who answers by two configuration files: name every pair of routes between which requests\n" +
			"change their owner, with an example, also where a more specific route takes only some of another's.\n" +
			"Exit code 1 when there are any.",
		Example: "  git show HEAD:strangler.yaml > old.yaml && strangler config diff old.yaml strangler.yaml",
		Args:    exactly("OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			old, err := t.readFile(args[0])
			if err != nil {
				return err
			}
			now, err := t.readFile(args[1])
			if err != nil {
				return err
			}
			all, err := route.Compare(old.Table, now.Table)
			if err != nil {
				return program.Fail(program.Unreachable, "", "compare %s with %s: %w", args[0], args[1], err)
			}
			views := []difference{}
			for _, d := range all {
				views = append(views, viewOfDifference(old, now, d))
			}
			if err := t.printDifferences(cmd, old, now, views); err != nil || len(views) == 0 {
				return err
			}
			return program.Fail(program.Differs, "", "requests of %s get another owner", count(len(views), "kind"))
		},
	}
}

func viewOfDifference(old, now *config.Config, d route.Difference) difference {
	view := func(d route.Decision) decided {
		return decided{ownerOf(d), route.Percent(d.Share()), d.Name(), d.Stage().String()}
	}
	return difference{d.Match().String(), requestText(d.Example), view(d.Old), view(d.New), whyDifferent(old, now, d)}
}

// ownerOf says who answers the clients that send such requests.
func ownerOf(d route.Decision) string {
	switch d.Share() {
	case 0:
		return config.MonolithName
	case route.Everyone:
		return d.Route.Service
	}
	return d.Route.Service + " or " + config.MonolithName
}

// whyDifferent says what in the new file moves the requests.
func whyDifferent(old, now *config.Config, d route.Difference) string {
	before, after := d.Old.Name(), d.New.Name()
	added, removed := old.Route(after) == nil, now.Route(before) == nil
	switch {
	case before == after && d.Old.Route.Stage != d.New.Route.Stage:
		return fmt.Sprintf("stage %s -> %s", d.Old.Route.Stage, d.New.Route.Stage)
	case before == after && d.Old.Route.Service == d.New.Route.Service:
		return whyOtherClients(d)
	case before == after:
		return fmt.Sprintf("to %s -> %s", d.Old.Route.Service, d.New.Route.Service)
	case d.Old.Route == nil && added:
		return "route " + after + " was added"
	case d.Old.Route == nil:
		return "route " + after + " matches it now"
	case d.New.Route == nil && removed:
		return "route " + before + " was removed"
	case d.New.Route == nil:
		return "route " + before + " does not match it any more"
	case added && removed:
		return fmt.Sprintf("route %s was removed, route %s was added", before, after)
	case added:
		return fmt.Sprintf("shadowed by route %s, which was added", after)
	case removed:
		return fmt.Sprintf("route %s was removed, so route %s takes it", before, after)
	}
	return fmt.Sprintf("route %s takes it instead of %s", after, before)
}

// whyOtherClients says what of a route with the same stage and service takes others.
func whyOtherClients(d route.Difference) string {
	old, now := d.Old.Route, d.New.Route
	switch {
	case d.Old.Share() != d.New.Share() && old.Data != now.Data:
		return "who owns its data"
	case d.Old.Share() != d.New.Share():
		return "its cohorts"
	case old.Salt() != now.Salt():
		return fmt.Sprintf("buckets of %s -> %s", old.Salt(), now.Salt())
	}
	return fmt.Sprintf("sticky %s -> %s", config.StickyText(old.Sticky), config.StickyText(now.Sticky))
}

// requestText writes a request the way tests in the file do.
func requestText(head route.Head) string {
	text := head.Method + " " + head.Path
	if head.Query != "" {
		text += "?" + head.Query
	}
	if head.Host != "" {
		text += " Host:" + head.Host
	}
	for _, name := range sortedNames(head.Header) {
		text += " " + name + ":" + strings.Join(head.Header[name], ",")
	}
	if head.Peer.IsValid() {
		text += " from " + head.Peer.String()
	}
	return text
}

func sortedNames(h http.Header) []string {
	var names []string
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (t *tool) printDifferences(cmd *cobra.Command, old, now *config.Config, all []difference) error {
	if t.json() {
		return printJSON(cmd, map[string]any{
			"schema": 1, "old": map[string]string{"file": old.Name, "hash": old.Hash}, "new": map[string]string{"file": now.Name, "hash": now.Hash},
			"differences": all, "next_steps": []string{},
		})
	}
	if len(all) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "no request changes its owner from %s to %s\n", old.Name, now.Name)
		return nil
	}
	var rows [][]string
	for _, d := range all {
		rows = append(rows, []string{d.Requests, d.Old.String(), d.New.String(), d.Why, d.Example})
	}
	return table(cmd, []string{"REQUESTS", "OLD", "NEW", "WHY", "EXAMPLE"}, rows)
}

func (d decided) String() string {
	if service, rest, partly := strings.Cut(d.Owner, " or "); partly {
		return fmt.Sprintf("%s for %s, else %s (%s)", service, d.Share, rest, d.Route)
	}
	return d.Owner + " (" + d.Route + ")"
}
