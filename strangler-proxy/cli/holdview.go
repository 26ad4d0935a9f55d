package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
)

// printHolds says whose requests wait, and until when.
func printHolds(out io.Writer, holds []hold.Status) {
	for _, h := range holds {
		fmt.Fprintf(out, "hold      %s of %s: %s parked on %s, for %s more at most\n",
			printable(h.ID), printable(h.Holder), count(h.Parked, "request"), strings.Join(h.Routes, ", "), time.Until(h.Ends).Round(100*time.Millisecond))
	}
}

// printHeld says which routes lead elsewhere than their stages say.
func printHeld(out io.Writer, routes []admin.Route) {
	for _, r := range routes {
		if r.Held != "" {
			fmt.Fprintf(out, "kept      %s: %s\n", r.Name, r.Held)
		}
	}
}

// printSplits says who owns the tables of each split, and how far it is.
func printSplits(out io.Writer, all []admin.Split) {
	for _, s := range all {
		fmt.Fprintf(out, "split     %s: the %s owns the tables", s.Name, s.Owner)
		if s.Epoch > 0 {
			fmt.Fprintf(out, " (epoch %d)", s.Epoch)
		}
		if s.Pending {
			fmt.Fprint(out, ", and its routes do not lead there yet")
		}
		if r := s.Report; r != nil {
			fmt.Fprintf(out, "; %s, %.0f ms behind, %s pending", printable(r.Phase), r.LagMS, counted(uint64(max(0, r.Pending)), "change"))
			if r.Of > 0 && r.Rows < r.Of {
				fmt.Fprintf(out, ", %d of about %d rows (%.1f %%)", r.Rows, r.Of, r.Percent)
			}
			if n := r.RefusedSource + r.RefusedTarget; n > 0 {
				fmt.Fprintf(out, ", %s refused by the side that follows, the last at %s", counted(uint64(max(0, n)), "write"), r.RefusedAt.Local().Format(time.DateTime))
			}
			fmt.Fprintf(out, ", as of %s", r.At.Format(time.TimeOnly))
		}
		fmt.Fprintln(out)
	}
}
