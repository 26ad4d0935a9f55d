package cli

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare"
	comparecli "github.com/stranglerfig/toolkit/compare/cli"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// compareCommand is the comparison, which knows the routes of the configuration file.
func (t *tool) compareCommand(root *cobra.Command) *cobra.Command {
	return comparecli.Command(t.name, comparecli.Options{States: t.states, CopySQLite: t.copySQLite, Note: t.noteCompared, Routes: func() (comparecli.Table, bool, error) {
		given := root.PersistentFlags().Changed("config")
		if _, err := os.Stat(t.config); errors.Is(err, fs.ErrNotExist) && !given {
			return comparecli.Table{}, false, nil
		}
		cfg, err := t.read()
		if err != nil {
			return comparecli.Table{}, false, err
		}
		table := comparecli.Table{}
		for _, r := range cfg.Routes {
			table.Routes = append(table.Routes, compare.Route{Name: r.Name, Match: r.Match.String()})
		}
		table.NameOf = func(method, path string) string {
			head, err := headOf(method, path, "", nil)
			if err != nil {
				return ""
			}
			d, err := route.Decide(cfg.Table, head)
			if err != nil || d.Route == nil {
				return ""
			}
			return d.Route.Name
		}
		return table, true, nil
	}})
}
