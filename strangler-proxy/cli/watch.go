package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
)

// A watch shows the status again and again. On a terminal it draws in place; elsewhere
// it adds a line each time, so that a log of it can be read.
type watch struct {
	tool     *tool
	cmd      *cobra.Command
	address  string
	interval time.Duration
	screen   bool

	last   admin.Status
	lastAt time.Time // zero before the first answer
	gone   bool      // the proxy did not answer the last time
}

// What a terminal is told: to begin at the top left, to clear the rest of a line, to
// clear everything below.
const (
	toTop     = "\x1b[H"
	clearLine = "\x1b[K"
	clearDown = "\x1b[J"
	clearAll  = "\x1b[2J"
)

// run blocks until ctx ends, which is no failure: there is no other end.
func (w *watch) run(ctx context.Context) error {
	ticker := time.NewTicker(w.interval)
	defer ticker.Stop()
	if w.screen {
		fmt.Fprint(w.cmd.OutOrStdout(), clearAll)
	}
	for {
		if err := w.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look asks once and shows the answer. Its error is that of the output.
func (w *watch) look(ctx context.Context) error {
	var st admin.Status
	err := call(ctx, http.MethodGet, w.address, "/status", &st)
	switch {
	case ctx.Err() != nil:
		return nil
	case w.screen:
		err = w.draw(st, err)
	case w.tool.json():
		err = w.data(st, err)
	default:
		err = w.line(st, err)
	}
	return err
}

// draw writes one screen.
func (w *watch) draw(st admin.Status, failed error) error {
	var page bytes.Buffer
	fmt.Fprintf(&page, "%s   every %s, Ctrl-C ends\n\n", time.Now().Format(time.TimeOnly), w.interval)
	if failed != nil {
		fmt.Fprintln(&page, w.silence(failed))
		if st = w.last; !w.lastAt.IsZero() {
			fmt.Fprintf(&page, "as it was %s ago:\n\n", time.Since(w.lastAt).Round(time.Second))
		}
	}
	if failed == nil || !w.lastAt.IsZero() {
		if err := printStatus(&page, st); err != nil {
			return err
		}
	}
	if failed == nil {
		w.last, w.lastAt = st, time.Now()
	}
	text := strings.ReplaceAll(page.String(), "\n", clearLine+"\n")
	_, err := io.WriteString(w.cmd.OutOrStdout(), toTop+text+clearDown)
	return err
}

// silence says why the proxy tells nothing, and what to do.
func (w *watch) silence(failed error) string { return w.tool.unheard(w.address, failed).Error() }

// line writes one line, or none while the proxy stays away.
func (w *watch) line(st admin.Status, failed error) error {
	out, now := w.cmd.OutOrStdout(), time.Now()
	if failed != nil {
		if w.gone {
			return nil
		}
		w.gone = true
		_, err := fmt.Fprintf(out, "%s %s\n", now.Format(time.TimeOnly), w.silence(failed))
		return err
	}
	w.gone = false
	var sum, before admin.Counters
	for _, c := range countersOf(st) {
		addCounters(&sum, c)
	}
	for _, c := range countersOf(w.last) {
		addCounters(&before, c)
	}
	rate := "-"
	if seconds := now.Sub(w.lastAt).Seconds(); !w.lastAt.IsZero() && answered(sum) >= answered(before) && st.Started.Equal(w.last.Started) {
		rate = fmt.Sprintf("%.1f", float64(answered(sum)-answered(before))/seconds)
	}
	w.last, w.lastAt = st, now
	_, err := fmt.Fprintf(out, "%s config=%s version=%d per_second=%s monolith=%d service=%d fallbacks=%d failed=%d in_flight=%d moved=%d/%d%s\n",
		now.Format(time.TimeOnly), st.Config.State, st.Config.Version, rate, sum.Monolith, sum.Service, sum.Fallbacks, sum.Failed,
		st.InFlight, st.BurnDown.EndpointsMoved, st.BurnDown.Endpoints, ailments(st))
	return err
}

// data writes the status as one line of JSON, or none while the proxy is away.
func (w *watch) data(st admin.Status, failed error) error {
	if failed != nil {
		if !w.gone {
			fmt.Fprintln(w.cmd.ErrOrStderr(), w.silence(failed))
		}
		w.gone = true
		return nil
	}
	w.gone = false
	return json.NewEncoder(w.cmd.OutOrStdout()).Encode(st)
}

func countersOf(st admin.Status) []admin.Counters {
	all := []admin.Counters{st.Default}
	for _, r := range st.Routes {
		all = append(all, r.Counters)
	}
	return all
}

func addCounters(sum *admin.Counters, c admin.Counters) {
	sum.Monolith += c.Monolith
	sum.Service += c.Service
	sum.Fallbacks += c.Fallbacks
	sum.Failed += c.Failed
}

func answered(c admin.Counters) uint64 { return c.Monolith + c.Service + c.Failed }

// ailments names what is not as it should be, each as key=value behind a space.
func ailments(st admin.Status) string {
	text := ""
	for _, reason := range unwell(st) {
		text += " " + reason
	}
	return text
}

// unwell lists what is not as it should be.
func unwell(st admin.Status) []string {
	var all []string
	if st.Config.State == "rejected" {
		all = append(all, "config=rejected")
	}
	if st.Draining {
		all = append(all, "proxy=stopping")
	}
	for _, s := range st.Services {
		if s.Breaker != nil && s.Breaker.State != "closed" {
			all = append(all, "breaker="+s.Name+":"+s.Breaker.State)
		}
		for _, i := range s.Instances {
			if i.State == "ejected" || i.State == "down" {
				all = append(all, "instance="+i.URL+":"+i.State)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// checkWell is the error of status --exit-code.
func checkWell(st admin.Status) error {
	if all := unwell(st); len(all) > 0 {
		return program.Fail(program.Differs, "", "not as it should be: %s", strings.Join(all, ", "))
	}
	return nil
}
