package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/migrations/split/control"
)

// completion lets shells complete what the commands take: plans by name or path, and what
// a flag of theirs names. It reads files beside the plans, and opens no database of a plan.
func (t *tool) completion(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.Name() != "init" { // its plan is not there yet
			sub.ValidArgsFunction = t.completePlans
		}
		for flag, complete := range map[string]cobra.CompletionFunc{
			"until": cobra.FixedCompletions([]string{"copied", "verified"}, cobra.ShellCompDirectiveNoFileComp),
			"move":  t.completeMoves, "reason": cobra.NoFileCompletions, "rows": cobra.NoFileCompletions,
		} {
			if sub.Flag(flag) != nil {
				_ = sub.RegisterFlagCompletionFunc(flag, complete)
			}
		}
	}
	_ = cmd.RegisterFlagCompletionFunc("plan", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return t.plansLike(typed)
	})
	_ = cmd.MarkPersistentFlagDirname("plans")
}

func (t *tool) completePlans(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || t.plan != "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.plansLike(typed)
}

// plansLike are the names of plans in their folder, or the plan files where a path is typed.
func (t *tool) plansLike(typed string) ([]string, cobra.ShellCompDirective) {
	files, err := filepath.Glob(filepath.Join(t.plans, "*.yaml"))
	if err != nil || len(files) == 0 || strings.HasPrefix(typed, ".") || strings.ContainsRune(typed, filepath.Separator) {
		return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeMoves are the moves of the split that the control file knows.
func (t *tool) completeMoves(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	p, err := t.read(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	store, err := control.Look(cmd.Context(), filepath.Join(filepath.Dir(p.Name), control.File), control.Options{})
	if err != nil || store == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer store.Close()
	events, err := store.Events(cmd.Context(), p.Split, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var moves []string
	for _, e := range events {
		if !slices.Contains(moves, e.Move) {
			moves = append(moves, e.Move)
		}
	}
	return moves, cobra.ShellCompDirectiveNoFileComp
}
