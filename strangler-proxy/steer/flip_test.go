package steer_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

const splitSource = `version: 1 # by hand
monolith: http://127.0.0.1:9000
services: { s: http://127.0.0.1:9001 }
audit: { require_reason: true }
groups:
  staged: { routes: [sa, sb], split: reviews, stage: canary 5% } # together
  loose:  { routes: [la, lb, ld], split: reviews }
  other:  { routes: [oa], split: orders }
routes:
  sa: { match: GET /sa, to: s }
  sb: { match: POST /sb, to: s }
  la: { match: POST /la, to: s, stage: monolith } # é
  lb: { match: /lb, to: s, stage: shadow }
  ld: { match: POST /ld, to: s, stage: done }
  oa: { match: POST /oa, to: s, stage: monolith }
  free: { match: POST /free, to: s, stage: monolith }
`

func (r *rig) flip(toService bool, routes ...string) (*steer.Result, error) {
	r.t.Helper()
	return r.Flip(r.t.Context(), "reviews", toService, routes, steer.Order{Actor: "token:engine", Reason: "split reviews epoch 3"})
}

func TestFlipMovesAllRoutesInOneWrite(t *testing.T) {
	t.Parallel()
	r := newRig(t, splitSource)
	if _, err := r.flip(true, "sa", "sb", "loose"); err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("canary 5%", "live", "stage: monolith } # é", "stage: live } # é", "stage: shadow", "stage: live").Replace(splitSource)
	if got, _ := os.ReadFile(r.path); string(got) != want {
		t.Fatalf("the file is\n%s", got)
	}
	history, err := r.History()
	if err != nil || len(history) != 3 {
		t.Fatalf("%d lines, %v; want 3", len(history), err)
	}
	for _, e := range history {
		if e.Reason != "split reviews epoch 3" || e.Actor != "token:engine" || e.To != "live" || len(e.Forced) > 0 {
			t.Errorf("the log says %+v", e)
		}
	}
	again, err := r.flip(true, "sa", "loose")
	if err != nil || again.Changed() {
		t.Errorf("the same again: changed %v, %v", again.Changed(), err)
	}
	if _, err := r.flip(false, "staged", "la", "ld"); err != nil {
		t.Fatal(err)
	}
	stages := []string{r.stage("sa"), r.stage("la"), r.stage("lb"), r.stage("ld"), r.stage("oa")}
	if !slices.Equal(stages, []string{"monolith", "monolith", "live", "monolith", "monolith"}) {
		t.Errorf("after the way back: %v", stages)
	}
}

func TestFlipBackLeavesWhatNeverWent(t *testing.T) {
	t.Parallel()
	r := newRig(t, splitSource)
	result, err := r.flip(false, "staged", "lb")
	if err != nil || result.Changed() {
		t.Errorf("changed %v, %v", result.Changed(), err)
	}
}

func TestFlipRefusesRoutesOfOthers(t *testing.T) {
	t.Parallel()
	for route, has := range map[string]string{"oa": "orders", "free": ""} {
		r := newRig(t, splitSource)
		_, err := r.flip(true, "la", route)
		var foreign *steer.NotInSplitError
		if !errors.As(err, &foreign) || foreign.Has != has || program.Code(err) != program.Refused {
			t.Errorf("%s: %v", route, err)
		}
		if got, _ := os.ReadFile(r.path); string(got) != splitSource {
			t.Errorf("%s: the file was changed", route)
		}
	}
	if _, err := newRig(t, splitSource).flip(true, "nobody"); program.Code(err) != program.Usage {
		t.Errorf("an unknown route: %v", err)
	}
}

// The guard goes by what the proxy was told: before the service owns the tables a route
// does not go live by hand, and afterwards it does not go back.
func TestGuardKnowsWhoOwnsTheTables(t *testing.T) {
	t.Parallel()
	r := newRig(t, splitSource)
	refused := func(name, stage, remedy string) {
		t.Helper()
		err := r.set(name, stage, steer.Order{Reason: "a try"})
		var objections *steer.RefusedError
		if !errors.As(err, &objections) || !strings.Contains(err.Error(), remedy) {
			t.Errorf("%s to %s: %v", name, stage, err)
		}
	}
	refused("lb", "live", "strangler split cutover reviews")
	refused("la", "canary 5%", "the monolith still owns the tables")
	if _, err := splits.Accept(t.Context(), r.path, "reviews", splits.Record{Owner: splits.Target, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.flip(true, "staged", "loose"); err != nil {
		t.Fatal(err)
	}
	refused("lb", "monolith", "strangler split rollback reviews")
	refused("staged", "shadow", "strangler split rollback reviews")
	if err := r.set("lb", "monolith", steer.Order{Force: true, Reason: "the service burns"}); err != nil {
		t.Fatal(err)
	}
	history, _ := r.History()
	if last := history[len(history)-1]; last.Route != "lb" || !slices.Contains(last.Forced, "writes") {
		t.Errorf("the log says %+v", last)
	}
	if _, err := splits.Accept(t.Context(), r.path, "reviews", splits.Record{Owner: splits.Source, Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	if err := r.set("la", "monolith", steer.Order{}); err != nil {
		t.Errorf("the source owns the tables again: %v", err)
	}
	if err := os.WriteFile(splits.Path(r.path), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.set("lb", "shadow", steer.Order{Reason: "x"}); err == nil || !strings.Contains(err.Error(), splits.Path(r.path)) {
		t.Errorf("with a damaged record: %v", err)
	}
}
