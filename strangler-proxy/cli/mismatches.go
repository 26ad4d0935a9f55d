package cli

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

func (t *tool) routeMismatches() *cobra.Command {
	var address string
	var limit int
	cmd := &cobra.Command{
		Use:   "mismatches NAME",
		Short: "Show where the two sides of a route answered differently",
		Long: "Ask a running proxy for the last copies whose answer differed: the request without its\n" +
			"secrets, the differences, and two command lines that ask both sides again. Exit code 3 when\n" +
			"no proxy answers.",
		Args: exactly("NAME"), ValidArgsFunction: t.completeRoutes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return program.Fail(program.Usage, "e.g. --limit 3", "--limit must be 1 or more")
			}
			if address == "" {
				address = t.adminAddress()
			}
			if cfg, err := t.read(); err == nil && cfg.Route(args[0]) == nil {
				return config.UnknownRoute(cfg, args[0])
			}
			var page admin.MismatchPage
			path := "/routes/" + url.PathEscape(args[0]) + "/mismatches?limit=" + strconv.Itoa(limit)
			if err := t.get(cmd.Context(), address, path, &page); err != nil {
				return err
			}
			if t.json() {
				return printJSON(cmd, page)
			}
			printMismatches(cmd.OutOrStdout(), page.Mismatches)
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	cmd.Flags().IntVar(&limit, "limit", 5, "how many to show, the newest first")
	return cmd
}

func printMismatches(out io.Writer, m shadow.Mismatches) {
	fmt.Fprintf(out, "%s: %s\n", m.Route, copiesText(m.Stats))
	if l := m.Stats; l.Compared > 0 {
		fmt.Fprintf(out, "monolith p50 %s p95 %s, service p50 %s p95 %s\n", ms(l.Monolith.P50), ms(l.Monolith.P95), ms(l.Service.P50), ms(l.Service.P95))
	}
	for _, n := range m.Noise {
		fmt.Fprintf(out, "noise: %s %s varies in the monolith, too\n", n.Part, n.Place)
	}
	for _, path := range m.Unused {
		fmt.Fprintf(out, "unused: compare.ignore %s has matched nothing so far\n", path)
	}
	for _, r := range m.Mismatches {
		fmt.Fprintf(out, "\n#%d %s  %s %s  %s\n", r.Number, r.Time.Format(time.DateTime), r.Method, r.Target, r.Kind)
		fmt.Fprintf(out, "request id %s; monolith %d in %s, %s %d in %s; the client got the answer of %s\n",
			r.RequestID, r.Monolith.Status, ms(r.Monolith.TookMS), r.Service.Name, r.Service.Status, ms(r.Service.TookMS), r.Answered)
		fmt.Fprint(out, r.Diff)
		fmt.Fprintf(out, "%s\n%s\n", r.Monolith.Curl, r.Service.Curl)
	}
}

func ms(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) + " ms" }

// copiesText says in a line what became of the copies of a route.
func copiesText(s shadow.Stats) string {
	text := fmt.Sprintf("%d of %d copied", s.Sent, s.Eligible)
	if len(s.Dropped) > 0 {
		text += ": " + tally(s.Dropped)
	}
	if s.Sent == 0 {
		return text
	}
	text += fmt.Sprintf("; %s, %d mismatched", matches(s.Matches), s.Mismatched)
	if len(s.Mismatches) > 0 {
		text += " (" + tally(s.Mismatches) + ")"
	}
	if s.Timeouts > 0 {
		text += fmt.Sprintf(", %d timed out", s.Timeouts)
	}
	if len(s.Errors) > 0 {
		text += ", errors: " + tally(s.Errors)
	}
	return text
}

func matches(n uint64) string {
	if n == 1 {
		return "1 match"
	}
	return fmt.Sprintf("%d matches", n)
}

// tally lists counts by name, the greatest first.
func tally(counts map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(min(counts[b], 1<<30)) - int(min(counts[a], 1<<30))
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}

// printCopies says below the table of routes what became of their copies.
func printCopies(out io.Writer, routes []admin.Route) {
	for _, r := range routes {
		if r.Copies != nil && r.Copies.Eligible > 0 {
			fmt.Fprintf(out, "copies    %s: %s\n", r.Name, copiesText(*r.Copies))
		}
	}
}
