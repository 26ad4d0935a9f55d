package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

func (t *tool) routeSet() *cobra.Command {
	var f steerFlags
	cmd := &cobra.Command{
		Use:   "set NAME... STAGE",
		Short: "Move routes to another stage",
		Long: "Move one or more routes to another stage: monolith, shadow, canary N%, live or done. One line a\n" +
			"route changes in the configuration file, all of them in one write; comments and every other byte\n" +
			"stay. A running proxy follows at once.\n\n" +
			"A guard objects to a stage that is skipped, to live without copies that were compared and agree,\n" +
			"and to a service that would change data it does not own (exit code 4). --force --reason WHY\n" +
			"overrules it; key guard of the file says how much has to be shown. Going back is always free.\n\n" +
			"It does not ask first, also without --yes: one route is one word, the command prints how to\n" +
			"undo it, and --dry-run shows the line beforehand. Each change is noted in CONFIG.audit.jsonl.\n\n" +
			"On the way to a canary, live or done it shows how the last strangler compare of each route with\n" +
			"its service ended, from CONFIG.compared.json, and warns where there was none. It never refuses\n" +
			"because of that.",
		Example: "  strangler route set product-recommendations shadow\n" +
			"  strangler route set product-recommendations 'canary 5%' --reason 'figures agree'\n" +
			"  strangler route set orders-read orders-list live",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) >= 2 {
				return nil
			}
			return exactly("NAME...", "STAGE")(cmd, args)
		},
		ValidArgsFunction: t.completeMoves,
		RunE: func(cmd *cobra.Command, args []string) error {
			moves, err := movesOf(args)
			if err != nil {
				return err
			}
			o := t.order(f)
			var unheard error
			o.Evidence = t.evidence(cmd.Context(), &unheard)
			r, err := t.file().Set(cmd.Context(), moves, o)
			err = blind(err, unheard)
			return t.printSteered(cmd, f, r, err, t.undo, func(dry string) { t.printChanges(cmd, dry, r) })
		},
	}
	f.addForce(t, cmd)
	f.addCompared(cmd)
	return cmd
}

// movesOf reads NAME... STAGE, where the shell may have split "canary 5%" in two.
func movesOf(args []string) ([]steer.Move, error) {
	names, text := args[:len(args)-1], args[len(args)-1]
	if last := len(names) - 1; last > 0 && names[last] == "canary" && strings.HasSuffix(text, "%") {
		names, text = names[:last], "canary "+text
	}
	to, err := config.ParseStage(text)
	if err != nil {
		return nil, err
	}
	moves := make([]steer.Move, len(names))
	for i, name := range names {
		moves[i] = steer.Move{Name: name, To: to}
	}
	return moves, nil
}

// completeMoves offers stages once a route is named, and the other routes.
func (t *tool) completeMoves(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	routes, directive := t.completeRoutes(cmd, nil, word)
	if len(args) == 0 {
		return routes, directive
	}
	return stageExamples(), cobra.ShellCompDirectiveNoFileComp
}

// stageExamples are stages that can be written as they stand.
func stageExamples() []string {
	words := []string{}
	for _, w := range route.StageWords() {
		if w == "canary" {
			w = "canary 5%"
		}
		words = append(words, w)
	}
	return words
}
